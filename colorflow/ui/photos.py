"""Photos as files: uploads, zips of them, what is made of them, and small pictures."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorflow.batch.archive import Unpacked, archive_kind, unpack
from colorflow.color.full_resolution import LightnessRows, render
from colorflow.errors import ColorflowError, PhotoError
from colorflow.files import digest_of
from colorflow.photo import Kind, Photo, count_pixels, read_photo, write_image
from colorflow.recipe import NOTHING_DONE
from colorflow.scan import Frame, find_frames, is_doubtful, looks_like_bed
from colorflow.ui.limits import MemoryBudget, UploadSpace

PREVIEW_SIDE = 1024
"""Longest side of a preview, in pixels."""
THUMBNAIL_SIDE = 160
"""Longest side of a picture in the strip of the album, in pixels."""
_LEAST_PIXELS = 4_000_000
"""That any file takes of the budget: as much memory as a child that reads a small one may have."""
FAILURES = (ColorflowError, MemoryError)
"""What a visitor is told; anything else is a fault of the program."""
_HEAD = 512
"""Bytes from which the kind of an archive is known."""
NO_CHROMA = np.zeros((2, 1, 1), np.float32)
"""Chroma of a photo without colors."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhotoFile:
    """A photo that could be read: its file in full size, and small pictures of it.

    Args:
        path: of the file in full size.
        kind: whether it has colors.
        width: in pixels.
        height: likewise.
        preview: of at most `PREVIEW_SIDE` pixels on a side.
        thumbnail: of at most `THUMBNAIL_SIDE`.
        gray: a preview of the lightness alone; `preview` unless the photo has colors.
        suffix: of its colorings in full size: .jpg for a JPEG, otherwise .png.
        digest: of the upload that it is made of, see `colorflow.files.digest_of`.
    """

    path: Path
    kind: Kind
    width: int
    height: int
    preview: Path
    thumbnail: Path
    gray: Path
    suffix: str
    digest: str

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def folder(self) -> Path:
        """Of the previews, and of what else is made of it."""
        return self.preview.parent


@dataclass(frozen=True, slots=True)
class Origin:
    """A file as it came, which is the same however often it is uploaded or unpacked.

    Args:
        source: the file or archive that was uploaded.
        name: of the file, with its folders in the upload.
        path: of the file here.
    """

    source: Path
    name: str
    path: Path = field(compare=False)


@contextmanager
def opened(
    path: Path, budget: MemoryBudget, pixels: int = 0, *, for_long: bool = False
) -> Iterator[Photo]:
    """Read a photo in a child with limits, and hold room for its pixels.

    Args:
        path: the file.
        budget: is reserved for the photo within the context.
        pixels: of what is made of it, if these are more.
        for_long: whether the context takes minutes, and its queue bounds how many there are.

    Raises:
        ColorflowError: it cannot be read, or there is no room.
    """
    own = count_pixels(path, max_pixels=budget.pixels, isolated=True)
    with budget.reserve(max(own, pixels, _LEAST_PIXELS)):
        photo = read_photo(path, max_pixels=budget.pixels, isolated=True)
        with nullcontext() if for_long else budget.computing:
            yield photo


def open_photo(
    upload: Path, name: str, parent: Path, budget: MemoryBudget
) -> tuple[PhotoFile, list[Frame], bool]:
    """Read an upload, write its previews into a new folder, and look for prints in it.

    Args:
        upload: the file; the folder gets a link to it, which stays when Gradio deletes uploads.
        name: of the link.
        parent: where the folder is made.
        budget: is reserved while the photo is read.

    Returns:
        The file, the prints in it as `colorflow restore` finds them, and whether a person is to
        say where a print is: none is found on what looks like a bed, or one that may be no print.

    Raises:
        ColorflowError: the upload cannot be read, a preview not written, or there is no room.
    """
    with opened(upload, budget) as photo:
        folder = new_folder(parent, "photo-")
        path = new_folder(folder, "upload-") / name
        link_or_copy(upload, path)
        suffix = ".jpg" if photo.metadata.format == "JPEG" else ".png"
        with disk_errors_told():
            file = _described(photo, path, folder, suffix, digest_of(path))
        frames = find_frames(photo)
        return file, frames, is_doubtful(photo, frames) if frames else looks_like_bed(photo)


def again(photo: PhotoFile, name: str, parent: Path) -> PhotoFile:
    """The same photo in a new folder of its own, under another name.

    Raises:
        ColorflowError: it has gone, or nothing can be stored.
    """
    folder = new_folder(parent, "photo-")
    path = new_folder(folder, "upload-") / name
    small = photo.preview, photo.thumbnail, photo.gray
    preview, thumbnail, gray = (folder / one.name for one in small)
    link_or_copy(photo.path, path)
    for source in dict.fromkeys(small):
        link_or_copy(source, folder / source.name)
    return replace(photo, path=path, preview=preview, thumbnail=thumbnail, gray=gray)


def made_photo(photo: Photo, of: PhotoFile, budget: MemoryBudget) -> PhotoFile:
    """Write what was made of an upload, without loss, and its previews into a folder in its own.

    Args:
        photo: the pixels, for which the caller holds the budget.
        of: the upload; colorings are written as those of the upload would be.
        budget: its disk must have room.

    Raises:
        ColorflowError: it cannot be written.
    """
    folder = new_folder(of.folder, "made-")
    path = folder / f"{of.path.stem}.png"
    budget.disk.check()
    # What the upload's file says is said again.
    write_image(path, photo.full_depth, photo, statement=NOTHING_DONE)
    return _described(photo, path, folder, of.suffix, of.digest)


def _described(photo: Photo, path: Path, folder: Path, suffix: str, digest: str) -> PhotoFile:
    small = reduced(photo)
    tiny = reduced(small, THUMBNAIL_SIDE)
    preview = write_preview(folder / "preview.png", as_rgb(small.pixels), small)
    has_colors = photo.kind is Kind.COLORED
    return PhotoFile(
        path=path,
        kind=photo.kind,
        width=photo.width,
        height=photo.height,
        preview=preview,
        thumbnail=write_preview(folder / "thumbnail.png", as_rgb(tiny.pixels), tiny),
        gray=write_colored(folder / "gray", NO_CHROMA, small) if has_colors else preview,
        suffix=suffix,
        digest=digest,
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


def as_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) -> (H, W, 3)."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def unpack_photos(
    archive: Path, parent: Path, most: int, space: UploadSpace
) -> tuple[Path, Unpacked]:
    """Unpack a zip archive of photos into a new folder.

    Args:
        archive: the upload.
        parent: where the folder is made.
        most: number of files.
        space: its largest upload bounds all files together, too.

    Returns:
        The folder, and what came out.

    Raises:
        ColorflowError: there is too much, the archive is refused, or nothing can be stored.
    """
    space.budget.disk.check()  # a zip grows when it is unpacked
    folder, size = new_folder(parent, "album-") / "photos", space.megabytes * 2**20
    with disk_errors_told():
        unpacked = unpack(archive, folder, most_bytes=size, most_files=most)
    return folder, unpacked


def kind_of_archive(upload: Path) -> str | None:
    """The kind of an archive, such as "zip"; None for what is no archive.

    Raises:
        ColorflowError: the file has gone.
    """
    if upload.suffix.lower() == ".zip":
        return "zip"
    with disk_errors_told(), open(upload, "rb") as file:
        return archive_kind(file.read(_HEAD))


def sentence(error: ColorflowError | MemoryError) -> str:
    """What a visitor is told of an error; it names a file without the server's folders."""
    if isinstance(error, PhotoError):
        return f"{Path(error.source).name}: {error.reason}."
    if isinstance(error, MemoryError):
        return "There is not enough memory; choose a smaller photo."
    return str(error)


@contextmanager
def disk_errors_told() -> Iterator[None]:
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
        ColorflowError: it cannot be made, or the parent has gone with its photo or desk.
    """
    name = f"{prefix}{secrets.token_hex(8)}-"  # not to be guessed
    with disk_errors_told():
        return Path(tempfile.mkdtemp(prefix=name, dir=parent))


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no hard links.

    Raises:
        ColorflowError: the file has gone, or nothing can be stored.
    """
    try:
        os.link(source, target)
    except OSError:
        with disk_errors_told():
            shutil.copyfile(source, target)


def _reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), reducing_gap=3)
    return np.array(image)
