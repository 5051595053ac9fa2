"""An uploaded photo: read, kept small for the page, and painted at full size for the download."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorflow.color.full_resolution import lightness_of, render
from colorflow.errors import ColorflowError
from colorflow.photo import (
    Kind,
    Photo,
    Provenance,
    count_pixels,
    read_photo,
    write_image,
)
from colorflow.ui.limits import MemoryBudget

PREVIEW_SIDE = 1024
"""Longest side of what the page shows, in pixels."""
THUMBNAIL_SIDE = 160
"""The same in a strip of several photos."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPhoto:
    """An uploaded photo that could be read."""

    upload: Path
    """The file as it came, under its own name in our folder."""
    budget: MemoryBudget
    """For all that is done with it at full size."""
    folder: Path
    """Ours, for all that is made of it."""
    kind: Kind
    width: int
    height: int
    preview: Path
    """As it came, small."""
    thumbnail: Path
    """As it came, very small."""
    gray: Path
    """Its lightness, small: what the colorings are compared with."""
    suffix: str
    """Of its colorings in full size: .jpg for a JPEG, otherwise .png."""

    @contextmanager
    def read(self) -> Iterator[Photo]:
        """Read the upload, which is done again for each coloring, and hold room for it.

        Raises:
            ColorflowError: that is no longer possible, or there is no room.
        """
        with self.budget.reserve(self.width * self.height):
            yield read_photo(self.upload, max_pixels=self.budget.pixels)


def open_photo(upload: Path, parent: Path, budget: MemoryBudget) -> OpenPhoto:
    """Read a photo.

    Args:
        upload: the file; the photo's folder gets a name for it, so that it is there as long as the
            folder, whatever becomes of uploads.
        parent: folder in which the photo gets its own.
        budget: is reserved for the photo while it is read.

    Raises:
        ColorflowError: it cannot be read, or its preview not written, or there is no room.
    """
    with budget.reserve(count_pixels(upload, max_pixels=budget.pixels)):
        return _opened(read_photo(upload, max_pixels=budget.pixels), upload, parent, budget)


def _opened(photo: Photo, upload: Path, parent: Path, budget: MemoryBudget) -> OpenPhoto:
    folder = new_folder(parent, "photo-")
    small = reduced(photo)
    tiny = reduced(small, THUMBNAIL_SIDE)
    return OpenPhoto(
        upload=kept(upload, folder),
        budget=budget,
        folder=folder,
        kind=photo.kind,
        width=photo.width,
        height=photo.height,
        preview=write(folder / "preview.png", _as_rgb(small.pixels), small),
        thumbnail=write(folder / "thumbnail.png", _as_rgb(tiny.pixels), tiny),
        gray=write(folder / "gray.png", _gray(small.pixels), small),
        suffix=".jpg" if photo.metadata.format == "JPEG" else ".png",
    )


def paint(photo: OpenPhoto, ab: NDArray[np.float32], path: Path, provenance: Provenance) -> None:
    """Write a coloring in the photo's own size, with its metadata.

    Args:
        photo: which.
        ab: CIELAB (2, h, w), on a small grid.
        path: of the result.
        provenance: what the colors were generated from.

    Raises:
        ColorflowError: the photo cannot be read again, or the result not written.
    """
    with photo.read() as original:
        rgb = render(lightness_of(original.full_depth), ab, bits=original.bits)
        write_image(path, rgb, original, provenance=provenance)


def reduced(photo: Photo, side: int = PREVIEW_SIDE) -> Photo:
    """The photo with no side longer than that many pixels, without metadata."""
    alpha = None if photo.alpha is None else _reduced(photo.alpha, side)
    return Photo(pixels=_reduced(photo.pixels, side), alpha=alpha, source=photo.source)


def write(path: Path, rgb: np.ndarray, like: Photo) -> Path:
    """Write a small picture with the transparency of the photo that it was made from."""
    write_image(path, rgb, like)
    return path


def new_folder(parent: Path, prefix: str) -> Path:
    """Make a folder of a name that no other has.

    Raises:
        ColorflowError: it cannot be made.
    """
    try:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except OSError as error:
        raise ColorflowError(f"Nothing can be stored on the server ({error.strerror}).") from error


def kept(upload: Path, folder: Path) -> Path:
    """Give a file another name in a new folder inside `folder`, without a copy where possible.

    Raises:
        ColorflowError: it cannot be stored there.
    """
    own = new_folder(folder, "upload-") / upload.name
    try:
        try:
            os.link(upload, own)
        except OSError:  # not every file system has hard links
            shutil.copyfile(upload, own)
    except OSError as error:
        raise ColorflowError(f"Nothing can be stored on the server ({error.strerror}).") from error
    return own


def _reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), reducing_gap=3)
    return np.array(image)


def _as_rgb(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def _gray(pixels: np.ndarray) -> np.ndarray:
    """The lightness of a picture without its colors, uint8 (H, W, 3)."""
    return render(lightness_of(pixels), np.zeros((2, 1, 1), np.float32))
