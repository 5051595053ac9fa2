"""Makes photos of picture files, open or not, and of pictures in memory: Pillow images and arrays.

Of several pages or frames only the first is used; a remark says so. Gray and RGB of 16 bits keep
them in PNG, TIFF, gray JPEG 2000 and binary PNM; other files are read with 8 bits.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin

from colorflow.errors import UnreadablePhotoError
from colorflow.files import digest_of_open
from colorflow.photo.exif import DAMAGE
from colorflow.photo.formats import DEFAULT_MAX_PIXELS, Allow, open_file, open_image, photo_errors
from colorflow.photo.isolated import IS_POSSIBLE, file_of, read_header_in_child, read_photo_in_child
from colorflow.photo.metadata import exif_of, metadata_of, orientation_of, profile_of, stated_in
from colorflow.photo.photo import TRANSPOSED, Header, Photo, pixels_and_alpha, upright
from colorflow.photo.sixteen_bits import apply_profile, samples16_of, to_8_bits


class Tensor(Protocol):
    """Of PyTorch, which this module does not import: (H, W), or with channels first."""

    def cpu(self) -> Any:
        """In the memory of the processor."""

    def detach(self) -> Any:
        """Without gradient; a file has a method of this name, too."""


Picture = str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | NDArray[Any] | Photo | Tensor
"""One picture: a file's path, its content or the open file, a Pillow image, an array, a photo, or a
tensor (1, H, W), (3, H, W), (4, H, W) or (H, W) of what an array may have."""

_ARRAYS = (
    "an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8, uint16, bool, floats in [0, 1], "
    "or whole numbers from 0 to 255"
)
_ROUNDING = 1e-3
"""How far floats may lie outside [0, 1]; they are clipped."""
_FIRST_OF_SEVERAL = "the file holds several pictures (pages or frames); the first was taken"


def read_photo(
    path: str | os.PathLike[str],
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    isolated: bool = False,
    page: int | None = None,
) -> Photo:
    """Read a picture file as one upright sRGB photo.

    Formats: JPEG, PNG, TIFF, WebP, GIF, JPEG 2000, AVIF, HEIC, BMP and PNM.

    Args:
        path: the file; its suffix does not matter.
        max_pixels: width times height that is refused when exceeded, before anything is decoded.
        isolated: whether to read it in a process of its own, with limits of memory and time. Use
            it for files of people whom you do not know: a file can be made so that a decoder
            crashes, hangs, or takes all memory of the process that reads it. The first such file
            of a process takes about half a second more. Only on Linux; elsewhere it is ignored.
        page: of a TIFF file, counted from 1, see `find.read_pages`. None for the first one, with a
            remark if there are others; files of other formats ignore it.

    Raises:
        UnreadablePhotoError: missing, empty, incomplete, damaged, not a picture, or of a kind that
            is not read.
        PhotoTooLargeError: more pixels than `max_pixels`, than memory holds, or, isolated, than
            the limits allow.
    """
    source = os.fspath(path)
    with open_file(source) as file:
        return _reader(isolated=isolated)(file, source, max_pixels, page=page)


def count_pixels(
    path: str | os.PathLike[str],
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    isolated: bool = False,
) -> int:
    """Read width times height of a picture file from its header.

    Args:
        path: the file.
        max_pixels: width times height that is refused when exceeded.
        isolated: as of `read_photo`.

    Raises:
        UnreadablePhotoError: missing, empty, not a picture, or its header is damaged.
        PhotoTooLargeError: more pixels than `max_pixels`, or as of `read_photo`.
    """
    return read_header(path, max_pixels=max_pixels, isolated=isolated).pixels


def read_header(
    path: str | os.PathLike[str],
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    isolated: bool = False,
) -> Header:
    """Read what a picture file says before its pixels; otherwise as `count_pixels`."""
    source = os.fspath(path)
    with open_file(source) as file:
        read = read_header_in_child if isolated and IS_POSSIBLE else read_open_header
        return read(file, source, max_pixels)


def read_open_header(
    file: IO[bytes], source: str, max_pixels: int, allow: Allow | None = None
) -> Header:
    """As `read_header`, of an open file; otherwise as `read_open`."""
    with photo_errors(source):
        image = open_image(file, source, max_pixels, allow)
        return Header(image.width * image.height, stated_in(image, exif_of(image)))


def read_open(
    file: IO[bytes],
    source: str,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    allow: Allow | None = None,
    page: int | None = None,
) -> Photo:
    """As `read_photo`, from an open file.

    Args:
        file: the file.
        source: its name in messages.
        max_pixels: as of `read_photo`.
        allow: see `formats.Allow`.
        page: as of `read_photo`.
    """
    with photo_errors(source):
        image = open_image(file, source, max_pixels, allow, page)
        photo = _photo_of(image, source)
        if page is None and _holds_several(image):
            photo = replace(photo, remarks=(*photo.remarks, _FIRST_OF_SEVERAL))
        return photo


def read_picture(
    picture: Picture, *, isolated: bool = False, page: int | None = None
) -> tuple[Photo, str | None]:
    """Make a photo of a picture of any kind.

    Args:
        picture: a path, or the content of a file as bytes or as a file object, which is read from
            its beginning and may be a stream; otherwise as in `photo_from_image`. A photo is
            returned as it is.
        isolated: as of `read_photo`, for a path and the content of a file.
        page: as of `read_photo`, for a path.

    Returns:
        The photo, and the digest of the content that it was read from, see `files.digest_of`; None
        instead where there is no file.

    Raises:
        ValueError: of another type, or as in `photo_from_image`.
        PhotoError: as in `read_photo`, or a file is changed while it is read.
    """
    if isinstance(picture, Photo):
        return picture, None
    if isinstance(picture, Image.Image | np.ndarray):
        return photo_from_image(picture), None
    if hasattr(picture, "cpu"):
        array = np.asarray(picture.cpu().detach())
        return photo_from_image(np.moveaxis(array, 0, -1) if array.ndim == 3 else array), None
    if isinstance(picture, str | os.PathLike):
        source = os.fspath(picture)
        with open_file(source) as file:
            before = os.fstat(file.fileno())
            found = _photo_and_digest(file, source, isolated=isolated, page=page)
            after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            reason = "the file was changed while it was read; try again when it is complete"
            raise UnreadablePhotoError(source, reason)
        return found
    if isinstance(picture, bytes):
        return _of_content(picture, "<bytes>", isolated=isolated)
    if hasattr(picture, "read"):
        return _of_open(picture, isolated=isolated)
    raise ValueError(
        "picture: expected a path, bytes, an open file, a Pillow image, an array or a Photo, "
        f"got {type(picture).__name__}"
    )


def _of_open(file: IO[bytes], *, isolated: bool) -> tuple[Photo, str]:
    name = getattr(file, "name", None)
    source = name if isinstance(name, str) else "<file>"
    try:
        if file.seekable():
            file.seek(0)  # who has just written it need not rewind
        data = file.read()
    except (OSError, ValueError) as error:  # ValueError: closed, or text that is no UTF-8
        raise UnreadablePhotoError(source, f"the file cannot be read ({error})") from error
    if not isinstance(data, bytes):
        raise ValueError("picture: expected a file that is open in binary mode, got one of text")
    return _of_content(data, source, isolated=isolated)


def _of_content(data: bytes, source: str, *, isolated: bool) -> tuple[Photo, str]:
    if not data:
        raise UnreadablePhotoError(source, "the file is empty")
    with file_of(data) if isolated and IS_POSSIBLE else io.BytesIO(data) as file:
        return _photo_and_digest(file, source, isolated=isolated)


def _photo_and_digest(
    file: IO[bytes], source: str, *, isolated: bool, page: int | None = None
) -> tuple[Photo, str]:
    photo = _reader(isolated=isolated)(file, source, DEFAULT_MAX_PIXELS, page=page)
    file.seek(0)
    return photo, digest_of_open(file)


def _reader(*, isolated: bool) -> Callable[..., Photo]:
    return read_photo_in_child if isolated and IS_POSSIBLE else read_open


def photo_from_image(image: Image.Image | np.ndarray, source: str = "<image>") -> Photo:
    """Make a photo of a picture in memory, which is copied.

    Args:
        image: a Pillow image of any mode, whose EXIF orientation and profile are applied as for a
            file; or an array (H, W), (H, W, 1), (H, W, 3) or, with alpha last, (H, W, 4), sRGB, of
            uint8, uint16 (65535 is white), bool, floats in [0, 1], or other whole numbers from 0 to
            255.
            Arrays of uint16 and Pillow's modes I and I;16, in which 65535 is white, keep their 16
            bits in `Photo.pixels16`; mode F is an array of floats.
        source: name of the picture in messages.

    Raises:
        ValueError: another type or shape, an empty picture, NaN, or values out of range.
        UnreadablePhotoError: a Pillow image whose file is damaged or incomplete.
    """
    if isinstance(image, Image.Image):
        if 0 in image.size:
            raise ValueError(f"image: expected at least one pixel, got a size of {image.size}")
        with photo_errors(source):
            image.load()
            if image.mode != "F":
                return _photo_of(image, source)
        image = np.asarray(image)
    if not isinstance(image, np.ndarray):
        raise ValueError(f"image: expected a Pillow image or {_ARRAYS}, got {type(image).__name__}")
    return _from_array(image, source)


def _photo_of(image: Image.Image, source: str) -> Photo:
    """Make a photo of an image; to be called within `photo_errors`.

    Args:
        image: from one of the readers, or made in memory and then not of mode ``F``.
        source: for messages.
    """
    may_be_deep = not isinstance(image, JpegImagePlugin.JpegImageFile)
    samples = samples16_of(image) if may_be_deep else None
    exif = exif_of(image)
    orientation = orientation_of(image, exif)  # PNG may say it behind the pixels
    pixels, alpha = samples or pixels_and_alpha(image)
    del samples  # a large photo has no room for what is not needed any more
    if not isinstance(image, TiffImagePlugin.TiffImageFile):  # which Pillow has turned, in memory
        pixels = upright(pixels, orientation)
        alpha = None if alpha is None else upright(alpha, orientation)
    pixels16 = None
    if pixels.dtype == np.uint16:
        icc = profile_of(image)
        pixels16 = apply_profile(pixels, icc) if icc else pixels
        pixels = to_8_bits(pixels16)
    size = (pixels.shape[1], pixels.shape[0])
    metadata = metadata_of(image, exif, size, turned=orientation in TRANSPOSED)
    return Photo(pixels=pixels, pixels16=pixels16, alpha=alpha, metadata=metadata, source=source)


def _holds_several(image: ImageFile.ImageFile) -> bool:
    """Whether more pages or frames follow the one that was read."""
    try:
        return bool(getattr(image, "is_animated", False))
    except DAMAGE:  # GIF's reader looks for a second frame here
        return False


def _from_array(array: np.ndarray, source: str) -> Photo:
    shape = array.shape
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))) or 0 in shape:
        raise ValueError(f"image: expected {_ARRAYS}, got shape {shape}")
    if len(shape) == 3 and shape[2] == 4:
        alpha = np.ascontiguousarray(_to_uint8(array[..., 3]))
    else:
        alpha = None
    colors = array if len(shape) == 2 else array[..., 0] if shape[2] == 1 else array[..., :3]
    pixels16 = np.array(colors, order="C") if array.dtype == np.uint16 else None
    return Photo(pixels=_to_uint8(colors), pixels16=pixels16, alpha=alpha, source=source)


def _to_uint8(array: np.ndarray) -> np.ndarray:
    """Copy to a contiguous array in [0, 255]."""
    if array.dtype == np.uint8:
        return np.array(array, order="C")
    if array.dtype == np.bool_:
        return np.where(array, np.uint8(255), np.uint8(0))
    if array.dtype == np.uint16:
        return to_8_bits(array)
    low, high = (array.min(), array.max()) if array.dtype.kind in "iuf" else (None, None)
    if low is None or high is None:
        raise ValueError(f"image: expected {_ARRAYS}, got {array.dtype}")
    if array.dtype.kind != "f":
        if low < 0 or high > 255:
            raise ValueError(f"image: expected whole numbers from 0 to 255, got {low} to {high}")
        return array.astype(np.uint8, order="C")
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # NaN fails too
        raise ValueError(f"image: expected floats in [0, 1], got {low:g} to {high:g}")
    return np.asarray(np.rint(np.clip(array, 0, 1) * 255), dtype=np.uint8)
