"""Coloring methods that a blind test compares: from a photo to a finished picture.

As users write them:

    truth              the photo's own chroma, through the grid and upsampling of every coloring
    principal          the first principal coloring, of samples with the pair's own seed
    samples            one sample at the shipped temperatures, with the pair's own seed
    temperature=0.8    an option of the usual method; several parts are joined by commas
    new.safetensors    the usual method with these weights
    FOLDER             finished pictures that have the photos' names

A new method is one function and its line in `METHODS`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from colorflow.colorizer import Colorizer
from colorflow.errors import EvaluationError
from colorflow.limits import LARGEST_TEMPERATURE, MOST_PRINCIPAL
from colorflow.photo import Kind, Photo, find_photos, read_photo
from colorflow.quiz.pictures import Pixels, sampled_pictures, true_picture

TRUTH = "truth"

_MAX_STRETCH = 1.02
"""How far the aspect ratio of a finished picture may differ from the photo's, due to rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Method:
    """One coloring method.

    Attributes:
        text: as the user wrote it.
        weights: digest of the weights; None without any.
        picture: from a photo, its name and a seed to the finished picture, (H, W, 3). The name is
            the photo's file below the given folder, whose own name comes first.
        refusal: from a photo and its name to why this method has no picture of it, or None.
    """

    text: str
    weights: str | None = None
    picture: Callable[[Photo, str, int], Pixels]
    refusal: Callable[[Photo, str], str | None] = lambda *_: None


def _principal(
    colorizer: Colorizer,
    photo: Photo,
    seed: int,
    *,
    temperature: float = 1.0,
    of: float = 1,
    number: float = 0,
) -> Pixels:
    """One of `of` principal colorings, by default the first."""
    if of not in range(1, MOST_PRINCIPAL + 1):
        raise EvaluationError(f"of={of:g}: expected a whole number from 1 to {MOST_PRINCIPAL}")
    if number not in range(int(of)):
        raise EvaluationError(f"number={number:g}: expected a whole number from 0 to {of - 1:g}")
    return colorizer.colorize(photo, int(of), temperature, seed, force=True)[int(number)].render()


def _sample(colorizer: Colorizer, photo: Photo, seed: int, *, temperature: float = 1.0) -> Pixels:
    """The first sample that `Colorizer.colorize` gives for the seed."""
    return sampled_pictures(colorizer, photo, seed, temperature=temperature)[0]


METHODS: dict[str, Callable[..., Pixels]] = {"principal": _principal, "samples": _sample}
"""By name: from a `Colorizer`, a photo and a seed to a picture. Keyword arguments are options,
numbers from 0 to `LARGEST_TEMPERATURE`."""
USUAL_METHOD = "principal"
"""Used where a text names weights or options alone."""


def parse_method(
    text: str, weights: Path | None, load: Callable[[Path | None], Colorizer]
) -> Method:
    """The method that a text means.

    Args:
        text: see above; a name is never taken for a folder, which may be written ./truth.
        weights: for methods that name none; None for the shipped ones.
        load: reads weights.

    Raises:
        EvaluationError: the text means none.
        WeightsError: the weights cannot be read.
    """
    if text == TRUTH:
        return Method(
            text=text, picture=lambda photo, *_: true_picture(photo), refusal=_without_color
        )
    if text and text not in METHODS and Path(text).is_dir():
        return _finished(text)
    name, options = USUAL_METHOD, {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if part in METHODS:
            name = part
        elif Path(part).is_file():
            weights = Path(part)
        elif equals:
            options[key] = _number(text, key, value)
        else:
            raise EvaluationError(
                f"{text}: there is no way of coloring, weights file, or folder {part!r}; "
                f"choose one of {', '.join([TRUTH, *METHODS])}, or a file or folder that is there"
            )
    color = METHODS[name]
    parameters = inspect.signature(color).parameters.values()
    known = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    for key in options:
        if key not in known:
            raise EvaluationError(
                f"{text}: {name} has no option {key!r}; its options are: {', '.join(known)}"
            )
    colorizer = load(weights)
    return Method(
        text=text,
        weights=colorizer.digest,
        picture=lambda photo, _, seed: color(colorizer, photo, seed, **options),
    )


def _number(text: str, key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    most = LARGEST_TEMPERATURE
    if not 0 <= number <= most:
        raise EvaluationError(f"{text}: {key} must be a number from 0 to {most:g}, got {value!r}")
    return number


def _without_color(photo: Photo, _: str) -> str | None:
    kind = photo.kind
    return None if kind is Kind.COLORED else f"is {kind}, so it has no true colors to show"


def _finished(folder: str) -> Method:
    """Finished pictures in any format, below a folder as the photos are below theirs."""
    files = {
        path.relative_to(folder).with_suffix("").as_posix(): path for path in find_photos([folder])
    }

    def file_of(name: str) -> Path | None:
        whole = PurePosixPath(name).with_suffix("")
        below = PurePosixPath(*whole.parts[1:])
        return files.get(str(whole)) or files.get(str(below))

    def picture(photo: Photo, name: str, _: int) -> Pixels:
        path = file_of(name)
        assert path is not None  # photos without one are refused
        found = read_photo(path, isolated=True)
        stretch = (found.width * photo.height) / (found.height * photo.width)
        if not 1 / _MAX_STRETCH < stretch < _MAX_STRETCH:
            raise EvaluationError(
                f"{path}: has {found.width} x {found.height} pixels, another shape than the photo "
                f"{photo.source} with {photo.width} x {photo.height}; give the whole photo, colored"
            )
        return found.pixels if found.pixels.ndim == 3 else np.dstack([found.pixels] * 3)

    return Method(
        text=folder,
        picture=picture,
        refusal=lambda _, name: None if file_of(name) else f"has no picture in {folder}",
    )
