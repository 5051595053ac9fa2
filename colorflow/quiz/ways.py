"""Ways of coloring that a blind test compares, each from a photo to a finished picture.

As people write them:

    truth              the photo's own chroma, through the grid and upsampling of every coloring
    principal          the first principal coloring, of samples drawn from the pair's own seed
    samples            one sample at the shipped temperatures, drawn from the pair's own seed
    temperature=0.8    an option of the usual way; several parts are joined by commas
    new.safetensors    the usual way with these weights
    FOLDER             finished pictures that have the photos' names

A new way is one function and its line in `WAYS`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import to_grid
from colorflow.colorizer import MOST_PRINCIPAL, Colorizer
from colorflow.errors import EvaluationError
from colorflow.photo import Kind, Photo, find_photos, read_photo
from colorflow.quiz.pictures import Pixels

TRUTH = "truth"

_LARGEST_STRETCH = 1.02
"""By which the shape of a finished picture may differ from the photo's: one of few pixels is
rounded."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Item:
    """A photo to be colored.

    Attributes:
        photo: the photo.
        name: its file below the folder that was given, whose own name comes first.
        seed: of what is random.
    """

    photo: Photo
    name: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """One way of coloring.

    Attributes:
        text: as it was written.
        weights: digest of the weights, None without any.
        picture: the finished picture, (H, W, 3).
        refusal: from a photo and its name to why this way has no picture of it, or None.
    """

    text: str
    weights: str | None = None
    picture: Callable[[Item], Pixels]
    refusal: Callable[[Photo, str], str | None] = lambda *_: None


def _principal(
    item: Item, colorizer: Colorizer, *, temperature: float = 1.0, of: float = 1, card: float = 0
) -> Pixels:
    """A card of `of` principal colorings, by default the first."""
    if of not in range(1, MOST_PRINCIPAL + 1):
        raise EvaluationError(f"of={of:g}: expected a whole number from 1 to {MOST_PRINCIPAL}")
    if card not in range(int(of)):
        raise EvaluationError(f"card={card:g}: expected a whole number from 0 to {of - 1:g}")
    pictures = colorizer.colorize_photo(item.photo, int(of), temperature, item.seed)
    return pictures[int(card)]


def _sample(item: Item, colorizer: Colorizer, *, temperature: float = 1.0) -> Pixels:
    """The first sample that `Colorizer.colorize` gives for the item's seed."""
    (picture,) = colorizer.colorize_photo(item.photo, 1, temperature, item.seed, samples=True)
    return picture


WAYS: dict[str, Callable[..., Pixels]] = {"principal": _principal, "samples": _sample}
"""By name: from an item and a `Colorizer` to a picture. Keyword arguments are the way's options,
numbers from 0."""
USUAL_WAY = "principal"
"""Where a text names weights or options alone."""


def way_of(text: str, weights: Path | None, load: Callable[[Path | None], Colorizer]) -> Way:
    """The way that a text means.

    Args:
        text: see above; a name is never taken for a folder, which may be written ./truth.
        weights: of ways that name none; None for the shipped ones.
        load: reads weights.

    Raises:
        EvaluationError: if it means none.
        WeightsError: if the weights cannot be read.
    """
    if text == TRUTH:
        return Way(text=text, picture=_true_picture, refusal=_without_color)
    if text and text not in WAYS and Path(text).is_dir():
        return _finished(text)
    name, options = USUAL_WAY, {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if part in WAYS:
            name = part
        elif Path(part).is_file():
            weights = Path(part)
        elif equals:
            options[key] = _number(text, key, value)
        else:
            raise EvaluationError(
                f"{text}: there is no way of coloring, weights file, or folder {part!r}; "
                f"choose one of {', '.join([TRUTH, *WAYS])}, or a file or folder that is there"
            )
    paint = WAYS[name]
    parameters = inspect.signature(paint).parameters.values()
    known = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    for key in options:
        if key not in known:
            raise EvaluationError(
                f"{text}: {name} has no option {key!r}; its options are: {', '.join(known)}"
            )
    colorizer = load(weights)
    return Way(
        text=text,
        weights=colorizer.digest,
        picture=lambda item: paint(item, colorizer, **options),
    )


def _number(text: str, key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise EvaluationError(f"{text}: {key} must be a number of at least 0, got {value!r}")
    return number


def _true_picture(item: Item) -> Pixels:
    return render(lightness_of(item.photo.pixels), to_grid(item.photo.pixels))


def _without_color(photo: Photo, _: str) -> str | None:
    kind = photo.kind
    return None if kind is Kind.COLORED else f"is {kind}, so it has no true colors to show"


def _finished(folder: str) -> Way:
    """Pictures that lie ready, below a folder as the photos lie below theirs, in any format."""
    files = {
        path.relative_to(folder).with_suffix("").as_posix(): path for path in find_photos([folder])
    }

    def file_of(name: str) -> Path | None:
        whole = PurePosixPath(name).with_suffix("")
        below = PurePosixPath(*whole.parts[1:])
        return files.get(str(whole)) or files.get(str(below))

    def picture(item: Item) -> Pixels:
        path = file_of(item.name)
        assert path is not None  # photos without one are refused
        found, photo = read_photo(path), item.photo
        stretch = (found.width * photo.height) / (found.height * photo.width)
        if not 1 / _LARGEST_STRETCH < stretch < _LARGEST_STRETCH:
            raise EvaluationError(
                f"{path}: has {found.width} x {found.height} pixels, another shape than the photo "
                f"{photo.source} with {photo.width} x {photo.height}; give the whole photo, colored"
            )
        return found.pixels if found.pixels.ndim == 3 else np.dstack([found.pixels] * 3)

    return Way(
        text=folder,
        picture=picture,
        refusal=lambda _, name: None if file_of(name) else f"has no picture in {folder}",
    )
