"""One visitor's photo and its colourings, kept as files.

What the page shows are small previews. Only the colouring that the visitor chooses is painted at
full size, which takes seconds for a large photo. Between two clicks no pixels stay in memory.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorflow.color.full_resolution import lightness_of, render
from colorflow.errors import ColorflowError
from colorflow.photo import Kind, Photo, read_photo, write_image

if TYPE_CHECKING:
    from colorflow.colorize import Draws

PREVIEW_SIDE = 1024
"""Longest side of what the page shows, in pixels."""

_READ, _DRAWN = 0.1, 0.7
"""Share of the work that is done when the photo is read, and when its colours are drawn."""


class PhotoColorizer(Protocol):
    """What the page needs of `colorflow.colorize.Colorizer`."""

    def draw(
        self, photo: Photo, n: int, temperature: float, seed: int, /, *, diverse: bool
    ) -> Draws:
        """Draw the colours of n colourings, and say the seed of each."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the visitor wants the photo coloured."""

    n: int
    """Number of colourings."""
    temperature: float
    """Multiplies the shipped temperatures; 1 is as trained."""
    seed: int
    """Of the first colouring; the next ones count on."""
    diverse: bool
    """The most different among many draws, whose seeds are then not in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPhoto:
    """An uploaded photo that could be read."""

    upload: Path
    """The file as it came, read again for each colouring."""
    folder: Path
    """Ours, for all that is made of it."""
    kind: Kind
    width: int
    height: int
    preview: Path
    """As it came, small."""
    grey: Path
    """Its lightness, small: what the colourings are compared with."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Colouring:
    """One result."""

    seed: int
    ab: NDArray[np.float32]
    """Its colours, CIELAB (2, h, w), on a small grid."""
    preview: Path
    path: Path
    """Where it is written in full size, with the photo's metadata, once it is chosen."""


class Session:
    """What the server keeps of one visitor.

    The visitor may go on while something is being made: the methods may run at the same time in
    several threads, and those that find that the visitor has gone on give None.

    Args:
        root: folder in which the session makes its own.

    Raises:
        ColorflowError: it cannot.
    """

    def __init__(self, root: Path) -> None:
        self._folder = _new_folder(root, "session-")
        self.photo: OpenPhoto | None = None
        self.colourings: Sequence[Colouring] = ()
        self.chosen: Colouring | None = None

    def open(self, upload: Path) -> OpenPhoto:
        """Read another photo; the one before is forgotten even if this one cannot be read.

        Raises:
            ColorflowError: it cannot be read, or its preview not written.
        """
        self.forget_photo()
        photo = read_photo(upload)
        folder = _new_folder(self._folder, "photo-")
        small = _reduced_photo(photo)
        self.photo = OpenPhoto(
            upload=upload,
            folder=folder,
            kind=photo.kind,
            width=photo.width,
            height=photo.height,
            preview=_write(folder / "preview.png", _as_rgb(small.pixels), small),
            grey=_write(folder / "grey.png", _grey(small.pixels), small),
        )
        return self.photo

    def colourise(
        self, colorizer: PhotoColorizer, wish: Wish, report: Callable[[float, str], None]
    ) -> OpenPhoto | None:
        """Colour the open photo and choose the first colouring.

        The colourings before are replaced when the new ones are there.

        Args:
            colorizer: does it.
            wish: how.
            report: told the share that is done, in [0, 1], and what comes next.

        Returns:
            The photo that was coloured; None if the visitor has opened another meanwhile.

        Raises:
            ColorflowError: there is no photo, or it cannot be read again, coloured, or written.
        """
        photo = self.photo
        if photo is None:
            raise ColorflowError("There is no photo here any more; choose it again.")
        try:
            made = _colourise(photo, colorizer, wish, report)
        except ColorflowError:
            if self.photo is not photo:  # its folder has gone
                return None
            raise
        if self.photo is not photo:
            return None
        before, self.colourings, self.chosen = self.colourings, made, made[0]
        if before:
            shutil.rmtree(before[0].path.parent, ignore_errors=True)
        return photo

    def choose(self, index: int) -> tuple[OpenPhoto, Colouring] | None:
        """Choose a colouring; None if there is none of that index, or its files are too old."""
        photo, colourings = self.photo, self.colourings
        if photo is None or index >= len(colourings) or not colourings[index].preview.exists():
            return None
        self.chosen = colourings[index]
        return photo, self.chosen

    def paint_chosen(self) -> Path | None:
        """Paint the chosen colouring at full size, unless that has been done.

        Returns:
            The file; None if nothing is chosen, or another colouring or photo by now.

        Raises:
            ColorflowError: the photo cannot be read again, or the result not written.
        """
        photo, chosen = self.photo, self.chosen
        if photo is None or chosen is None:
            return None
        try:
            if not chosen.path.exists():
                original = read_photo(photo.upload)
                rgb = render(lightness_of(original.pixels), chosen.ab)
                write_image(chosen.path, rgb, original)
        except ColorflowError:
            if self.chosen is not chosen:  # its folder may have gone
                return None
            raise
        return chosen.path if self.chosen is chosen else None

    def forget_photo(self) -> None:
        """Delete all that was made of the open photo, if there is one."""
        before = self.photo
        self.photo, self.colourings, self.chosen = None, (), None
        if before:
            shutil.rmtree(before.folder, ignore_errors=True)

    def close(self) -> None:
        """Delete everything."""
        self.forget_photo()
        shutil.rmtree(self._folder, ignore_errors=True)


def _colourise(
    opened: OpenPhoto, colorizer: PhotoColorizer, wish: Wish, report: Callable[[float, str], None]
) -> list[Colouring]:
    report(0, "Reading the photo")
    photo = read_photo(opened.upload)
    report(_READ, "Imagining its colours")
    draws = colorizer.draw(photo, wish.n, wish.temperature, wish.seed, diverse=wish.diverse)
    folder = _new_folder(opened.folder, "run-")
    suffix = ".jpg" if photo.metadata.format == "JPEG" else ".png"
    small = _reduced_photo(photo)
    lightness = lightness_of(small.pixels)
    made = []
    for index, (seed, ab) in enumerate(zip(draws.seeds, draws.ab, strict=True)):
        report(_DRAWN + (1 - _DRAWN) * index / wish.n, f"Painting {index + 1} of {wish.n}")
        made.append(
            Colouring(
                seed=seed,
                ab=ab,
                preview=_write(folder / f"{seed}.png", render(lightness, ab), small),
                path=folder / f"{opened.upload.stem}_s{seed}{suffix}",
            )
        )
    return made


def _new_folder(parent: Path, prefix: str) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except OSError as error:
        raise ColorflowError(f"Nothing can be stored on the server ({error.strerror}).") from error


def _write(path: Path, rgb: np.ndarray, like: Photo) -> Path:
    write_image(path, rgb, like)
    return path


def _reduced_photo(photo: Photo) -> Photo:
    """The photo with no side longer than PREVIEW_SIDE, without metadata."""
    alpha = None if photo.alpha is None else _reduced(photo.alpha)
    return Photo(pixels=_reduced(photo.pixels), alpha=alpha, source=photo.source)


def _reduced(pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), reducing_gap=3)
    return np.array(image)


def _as_rgb(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def _grey(pixels: np.ndarray) -> np.ndarray:
    """The lightness of a picture without its colours, uint8 (H, W, 3)."""
    return render(lightness_of(pixels), np.zeros((2, 1, 1), np.float32))
