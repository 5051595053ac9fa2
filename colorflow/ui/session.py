"""One visitor's photo and its colourings, kept as files.

No pixels stay in memory between two clicks. What the page shows are small previews; what a visitor
downloads has the photo's own size and metadata.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from colorflow.color.full_resolution import lightness_of, render
from colorflow.errors import ColorflowError
from colorflow.photo import Kind, Photo, read_photo, write_image

if TYPE_CHECKING:
    from colorflow.colorize import Draws

PREVIEW_SIDE = 1024
"""Longest side of what the page shows, in pixels."""

_READ, _DRAWN = 0.05, 0.4
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Colouring:
    """One result."""

    seed: int
    path: Path
    """Full size, with the photo's metadata: for the download."""
    preview: Path


class Session:
    """What the server keeps of one visitor.

    The visitor may open another photo while the last one is being coloured: both methods may run
    at the same time, in two threads.

    Args:
        root: folder in which the session makes its own.
    """

    def __init__(self, root: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="session-", dir=root))
        self.photo: OpenPhoto | None = None
        self.colourings: Sequence[Colouring] = ()

    def open(self, upload: Path) -> OpenPhoto:
        """Read another photo; the one before is forgotten even if this one cannot be read.

        Raises:
            PhotoError: it cannot be read.
        """
        self.forget_photo()
        photo = read_photo(upload)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        small = _preview_of(photo.pixels, photo.alpha)
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
    ) -> Sequence[Colouring] | None:
        """Colour the open photo; the colourings before are replaced when the new ones are there.

        Args:
            colorizer: does it.
            wish: how.
            report: told the share that is done, in [0, 1], and what comes next.

        Returns:
            The colourings; None if the visitor has opened another photo meanwhile.

        Raises:
            ColorflowError: there is no photo, or it cannot be read again, coloured, or written.
        """
        opened = self.photo
        if opened is None:
            raise ColorflowError("There is no photo here any more; choose it again.")
        try:
            made = _colourise(opened, colorizer, wish, report)
        except (ColorflowError, OSError):
            if self.photo is not opened:  # its folder has gone
                return None
            raise
        if self.photo is not opened:
            return None
        before, self.colourings = self.colourings, made
        if before:
            shutil.rmtree(before[0].path.parent, ignore_errors=True)
        return made

    def forget_photo(self) -> None:
        """Delete all that was made of the open photo, if there is one."""
        before, self.photo, self.colourings = self.photo, None, ()
        if before:
            shutil.rmtree(before.folder, ignore_errors=True)

    def close(self) -> None:
        """Delete everything."""
        self.photo, self.colourings = None, ()
        shutil.rmtree(self._folder, ignore_errors=True)


def _colourise(
    opened: OpenPhoto, colorizer: PhotoColorizer, wish: Wish, report: Callable[[float, str], None]
) -> list[Colouring]:
    report(0, "Reading the photo")
    photo = read_photo(opened.upload)
    report(_READ, "Imagining its colours")
    draws = colorizer.draw(photo, wish.n, wish.temperature, wish.seed, diverse=wish.diverse)
    lightness = lightness_of(photo.pixels)
    folder = Path(tempfile.mkdtemp(dir=opened.folder))
    suffix = ".jpg" if photo.metadata.format == "JPEG" else ".png"
    made = []
    for index, (seed, ab) in enumerate(zip(draws.seeds, draws.ab, strict=True)):
        report(_DRAWN + (1 - _DRAWN) * index / wish.n, f"Painting {index + 1} of {wish.n}")
        rgb = render(lightness, ab)  # one at a time: eight of 12 megapixels are 288 MB
        small = _preview_of(rgb, photo.alpha)
        made.append(
            Colouring(
                seed=seed,
                path=_write(folder / f"{opened.upload.stem}_s{seed}{suffix}", rgb, photo),
                preview=_write(folder / f"{seed}.png", small.pixels, small),
            )
        )
    return made


def _write(path: Path, rgb: np.ndarray, like: Photo) -> Path:
    write_image(path, rgb, like)
    return path


def _preview_of(pixels: np.ndarray, alpha: np.ndarray | None) -> Photo:
    """The picture with no side longer than PREVIEW_SIDE, without metadata."""
    return Photo(
        pixels=_reduced(pixels), alpha=None if alpha is None else _reduced(alpha), source="preview"
    )


def _reduced(pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), reducing_gap=3)
    return np.array(image)


def _as_rgb(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def _grey(pixels: np.ndarray) -> np.ndarray:
    """The lightness of a picture without its colours, uint8 (H, W, 3)."""
    return render(lightness_of(pixels), np.zeros((2, 1, 1), np.float32))
