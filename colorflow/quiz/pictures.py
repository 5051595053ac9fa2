"""Pictures for judges and players, and the coloring methods that a blind test compares.

The true picture is made like every coloring: its chroma is averaged on the 64x64 grid, upsampled
along its lightness and mapped into the gamut. Otherwise a judge would see which picture has the
finer colors, and not which has the right ones.

A method makes a finished picture of a photo. As users write them:

    truth              the photo's own chroma, as above
    principal          the first principal coloring, of samples with the pair's own seed
    samples            one sample at the shipped temperatures, with the pair's own seed
    temperature=0.8    of the usual method; several parts are joined by commas
    new.safetensors    the usual method with these weights
    FOLDER             finished pictures that have the photos' names
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.color.grid import to_grid
from colorflow.errors import EvaluationError
from colorflow.limits import LARGEST_TEMPERATURE
from colorflow.photo import Kind, Photo, find_photos, photo_from_image, read_photo, write_image

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

WIDTH, HEIGHT = 420, 620
"""Largest size of each picture of a pair, in pixels: two fit on a screen."""
GAP = 24
"""Pixels between the two pictures of a pair."""
NEUTRAL = 119
"""The sRGB gray of L* 50, which favors neither bright nor dark pictures."""
QUALITY = 92
"""JPEG quality of a pair."""

Pixels = NDArray[np.uint8]
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")

TRUTH = "truth"
_TEMPERATURE = "temperature="

_MAX_STRETCH = 1.02
"""How far the aspect ratio of a finished picture may differ from the photo's, due to rounding."""
SAMPLES, USUAL_METHOD = "samples", "principal"
"""Ways of coloring; the second is used where a text names weights or a temperature alone."""
METHODS = (USUAL_METHOD, SAMPLES)


def true_picture(photo: Photo) -> Pixels:
    """A photo in its own colors, as a coloring shows them: (H, W, 3), sRGB."""
    return render(LightnessRows(photo.pixels), to_grid(photo.pixels))


def colored_pictures(
    colorizer: Colorizer,
    photo: Photo,
    seed: int,
    n: int = 1,
    *,
    samples: bool = True,
    temperature: float = 1.0,
) -> list[Pixels]:
    """A photo in n sampled colors, with the seeds from `seed` on, or in its principal ones."""
    colorings = colorizer.colorize(photo, n, temperature, seed, samples=samples, force=True)
    return [one.render() for one in colorings]


def write_pair(path: Path, left: Pixels, right: Pixels) -> None:
    """Write two pictures side by side, without metadata.

    Args:
        path: a name with .jpg in an existing folder.
        left: (h, w, 3), sRGB.
        right: the same shape.

    Raises:
        WritePhotoError: the file cannot be written.
    """
    gap = np.full((left.shape[0], GAP, 3), NEUTRAL, np.uint8)
    pixels = np.concatenate([left, gap, right], axis=1)
    write_image(path, pixels, photo_from_image(pixels), quality=QUALITY)


def balanced_sides(n: int, rng: np.random.Generator) -> list[Side]:
    """Sides for n pairs in random order, left as often as right.

    A judge who always chooses the same side is then right in half of the pairs. If n is odd, a
    random side has one more.
    """
    order = rng.permutation(n + n % 2)[:n]
    return [SIDES[index % 2] for index in order]


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


def parse_method(text: str, load: Callable[[Path | None], Colorizer]) -> Method:
    """The method that a text means.

    Args:
        text: see above; a name is never taken for a folder, which may be written ./truth.
        load: reads weights, the shipped ones if it gets None.

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
    name, temperature, weights = USUAL_METHOD, 1.0, None
    for part in text.split(","):
        if part in METHODS:
            name = part
        elif Path(part).is_file():
            weights = Path(part)
        elif part.startswith(_TEMPERATURE):
            temperature = _number(text, part.removeprefix(_TEMPERATURE))
        else:
            raise EvaluationError(
                f"{text}: there is no way of coloring, weights file, or folder {part!r}; "
                f"choose one of {', '.join([TRUTH, *METHODS])}, temperature=NUMBER, or a file or "
                "folder that is there"
            )
    colorizer = load(weights)

    def picture(photo: Photo, _: str, seed: int) -> Pixels:
        samples = name == SAMPLES
        return colored_pictures(colorizer, photo, seed, samples=samples, temperature=temperature)[0]

    return Method(text=text, weights=colorizer.digest, picture=picture)


def _number(text: str, value: str) -> float:
    most = LARGEST_TEMPERATURE
    with suppress(ValueError):
        if 0 <= float(value) <= most:
            return float(value)
    raise EvaluationError(f"{text}: temperature must be a number from 0 to {most:g}, got {value!r}")


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
