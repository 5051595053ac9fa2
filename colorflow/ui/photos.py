"""An uploaded photo: small previews for the page, and colorings in full size for the download."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.errors import ColorflowError
from colorflow.photo import (
    Kind,
    Photo,
    Preparation,
    Provenance,
    count_pixels,
    read_photo,
    write_image,
)
from colorflow.ui.access import FILE_ROUTE
from colorflow.ui.limits import MemoryBudget

PREVIEW_SIDE = 1024
"""Longest side of a preview, in pixels."""
THUMBNAIL_SIDE = 160
"""Longest side of a picture in the strip of several photos, in pixels."""
_LEAST_PIXELS = 4_000_000
"""That any file takes of the budget: as much memory as a child that reads a small one may have."""
NO_CHROMA = np.zeros((2, 1, 1), np.float32)
"""Chroma of a photo without colors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedPhoto:
    """An uploaded photo that could be read, and its previews."""

    path: Path
    """The file as it was sent, under its own name in the photo's folder."""
    budget: MemoryBudget
    """Is held whenever the photo is worked on in full size."""
    folder: Path
    """For everything that is made of the photo."""
    cost: int
    """What it takes of the budget, in pixels."""
    kind: Kind
    width: int
    height: int
    preview: Path
    thumbnail: Path
    gray: Path
    """A preview of the lightness alone; the same as `preview` unless the photo has colors."""
    suffix: str
    """Of a coloring in full size: .jpg for a JPEG, otherwise .png."""

    @property
    def preview_scale(self) -> float:
        """Pixels of the preview for each of the photo, on a side."""
        return min(1.0, PREVIEW_SIDE / max(self.width, self.height))

    @contextmanager
    def read(self, scale: int = 1) -> Iterator[Photo]:
        """Read the file again, and hold room for its pixels.

        Args:
            scale: how many times larger each side of what is made of it is.

        Raises:
            ColorflowError: the file cannot be read any more, or there is no room.
        """
        most = max(self.cost, scale**2 * self.width * self.height)
        with opened(self.path, self.budget, most) as photo:
            yield photo

    def write_coloring(self, ab: NDArray[np.float32], path: Path, provenance: Provenance) -> None:
        """Write a coloring in the photo's own size, with the photo's metadata.

        Args:
            ab: CIELAB (2, h, w), on a small grid.
            path: of the new file.
            provenance: how the coloring was made.

        Raises:
            ColorflowError: the photo cannot be read any more, or the file not written.
        """
        with self.read() as photo:
            rgb = render(LightnessRows(photo.full_depth), ab, bits=photo.bits)
            self.budget.disk.check()
            write_image(path, rgb, photo, provenance=provenance)


@contextmanager
def opened(path: Path, budget: MemoryBudget, pixels: int = 0) -> Iterator[Photo]:
    """Read a photo, and hold room for its pixels.

    Args:
        path: the file.
        budget: is reserved for the photo within the context.
        pixels: of what is made of it, if these are more.

    Raises:
        ColorflowError: it cannot be read, or there is no room.
    """
    with ExitStack() as held:
        with budget.slots.aside():  # a process of its own reads the file
            own = count_pixels(path, max_pixels=budget.pixels, isolated=True)
            held.enter_context(budget.reserve(max(own, pixels, _LEAST_PIXELS)))
            photo = read_photo(path, max_pixels=budget.pixels, isolated=True)
        yield photo


def open_photo(upload: Path, parent: Path, budget: MemoryBudget) -> UploadedPhoto:
    """Read an upload and write its previews.

    Args:
        upload: the file. The photo's folder gets a link to it, which stays when Gradio deletes its
            uploads.
        parent: folder in which the photo gets its own.
        budget: is reserved while the photo is read.

    Raises:
        ColorflowError: the upload cannot be read, a preview not written, or there is no room.
    """
    with opened(upload, budget) as photo:
        cost = photo.width * photo.height
        folder = new_folder(parent, "photo-")
        path = new_folder(folder, "upload-") / upload.name
        with storing():
            link_or_copy(upload, path)
        suffix = ".jpg" if photo.metadata.format == "JPEG" else ".png"
        return _with_previews(photo, path, folder, budget, folder=folder, cost=cost, suffix=suffix)


def prepared_photo(
    photo: Photo, of: UploadedPhoto, preparation: Preparation | None = None
) -> UploadedPhoto:
    """Write what was made of an upload, and its previews, into a new folder in that of the upload.

    Args:
        photo: is written without loss; a coloring of it is written as one of the upload.
        of: the upload, whose budget is held by the caller.
        preparation: what was repaired; the file and all that is made of it state it.

    Raises:
        ColorflowError: it cannot be written.
    """
    own = new_folder(of.folder, "prepared-")
    path = own / f"{of.path.stem}.png"
    of.budget.disk.check()
    write_image(path, photo.full_depth, photo, preparation=preparation)
    cost = photo.width * photo.height
    return _with_previews(
        photo, path, own, of.budget, folder=of.folder, cost=cost, suffix=of.suffix
    )


def _with_previews(
    photo: Photo,
    path: Path,
    previews: Path,
    budget: MemoryBudget,
    *,
    folder: Path,
    cost: int,
    suffix: str,
) -> UploadedPhoto:
    small = reduced(photo)
    tiny = reduced(small, THUMBNAIL_SIDE)
    preview = write_preview(previews / "preview.png", _as_rgb(small.pixels), small)
    kind = photo.kind
    has_colors = kind is Kind.COLORED
    return UploadedPhoto(
        path=path,
        budget=budget,
        folder=folder,
        cost=cost,
        kind=kind,
        width=photo.width,
        height=photo.height,
        preview=preview,
        thumbnail=write_preview(previews / "thumbnail.png", _as_rgb(tiny.pixels), tiny),
        gray=write_colored(previews / "gray", NO_CHROMA, small) if has_colors else preview,
        suffix=suffix,
    )


def reduced(photo: Photo, side: int = PREVIEW_SIDE) -> Photo:
    """The photo with no side longer than `side` pixels, without metadata."""
    alpha = None if photo.alpha is None else _reduced(photo.alpha, side)
    return Photo(pixels=_reduced(photo.pixels, side), alpha=alpha, source=photo.source)


def write_preview(path: Path, rgb: NDArray[np.uint8], like: Photo) -> Path:
    """Write a small picture with the transparency of the photo that it shows."""
    write_image(path, rgb, like)
    return path


def write_colored(path: Path, ab: NDArray[np.float32], small: Photo) -> Path:
    """Write a small photo in other colors: a PNG if it has transparency, otherwise a JPEG.

    Args:
        path: of the file, without the suffix.
        ab: CIELAB (2, h, w).
        small: the photo.

    Returns:
        The file. Writing a JPEG takes a tenth of the time.
    """
    file = path.with_name(f"{path.name}{'.jpg' if small.alpha is None else '.png'}")
    return write_preview(file, render(LightnessRows(small.pixels), ab), small)


def file_url(path: Path) -> str:
    """URL of a file in the page's folder, relative to the page."""
    return f"{FILE_ROUTE}{quote(path.as_posix())}"


@contextmanager
def storing() -> Iterator[None]:
    """Turn an `OSError` of writing into a sentence for the visitor.

    Raises:
        ColorflowError: in the place of the `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise ColorflowError(f"Nothing can be stored on the server ({error.strerror}).") from error


def new_folder(parent: Path, prefix: str) -> Path:
    """Make a folder with a name that no other has.

    Raises:
        ColorflowError: it cannot be made.
    """
    with storing():
        return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), reducing_gap=3)
    return np.array(image)


def _as_rgb(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
