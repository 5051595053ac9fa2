"""Photos to files: whole or not at all."""

from __future__ import annotations

import io
import os
import secrets
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin, TiffTags
from PIL.ExifTags import Base

from colorflow.errors import WritePhotoError
from colorflow.photo.metadata import EXIF_FAULTS, Metadata, tiff_description
from colorflow.photo.photo import Photo
from colorflow.photo.quiet import quiet_pillow

JPEG_QUALITY = 95
WEBP_QUALITY = 95
PNG_COMPRESS_LEVEL = 1
"""A quarter of the default level's time, for files a few per cent larger."""

_LARGEST_SIDE = {"JPEG": 65500, "WEBP": 16383}
"""Pixels a side that a format can hold (libjpeg's and WebP's limits)."""
_JPEG_EXIF_BYTES = 65533
"""A JPEG segment's limit; longer EXIF, possible in the other formats, is left out."""
_SRGB_PERCEPTUAL = b"\0"
"""Content of PNG's sRGB chunk."""
_TIFF_STRIP_ROWS = 64
_DEFLATE, _RGB, _ONE_PLANE, _HORIZONTAL, _INCH, _UNASSOCIATED_ALPHA = 8, 2, 1, 2, 2, 2
"""Values of TIFF fields (TIFF 6.0; Adobe's technical note of 2002 for deflate)."""

_ENCODING_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    RuntimeError,
    SystemError,
    MemoryError,
    struct.error,
)
"""What Pillow's writers raise."""


def write_image(path: str | os.PathLike[str], rgb: np.ndarray, like: Photo) -> None:
    """Write a picture with the metadata and transparency of the photo that it was made from.

    The suffix decides the format: .jpg, .jpeg, .jpe (quality 95, no chroma subsampling), .png
    (compression level 1), .webp (quality 95), .tif, .tiff (deflate). Pixels are sRGB and upright;
    no profile is embedded. EXIF (orientation 1, no thumbnail), resolution and, in PNG, texts are
    kept where the format has a place for them. Alpha is kept in PNG, WebP and TIFF; JPEG has none,
    so there the picture is laid on white.

    The file appears whole or not at all: an existing one is replaced only by a complete one.

    Args:
        path: the file to write; its folder exists.
        rgb: uint8 (H, W, 3), sRGB in [0, 255], of the photo's size.
        like: the photo that it was made from.

    Raises:
        ValueError: `rgb` is not such an array.
        WritePhotoError: unknown suffix, too large for the format, no folder, no permission, or no
            space. Nothing is left behind.
    """
    expected = (like.height, like.width, 3)
    if rgb.dtype != np.uint8 or rgb.shape != expected:
        raise ValueError(
            f"rgb: expected uint8 of shape {expected}, got {rgb.dtype} of shape {rgb.shape}"
        )
    target = Path(path)
    name = _FORMATS.get(target.suffix.lower())
    if name is None:
        raise WritePhotoError(
            target, f"cannot write '{target.suffix}' files; choose {', '.join(_FORMATS)}"
        )
    if max(like.width, like.height) > _LARGEST_SIDE.get(name, 2**31):
        raise WritePhotoError(
            target,
            f"{name} holds at most {_LARGEST_SIDE[name]} pixels a side, and the picture has "
            f"{like.width} x {like.height}; choose .png or .tif",
        )
    try:
        with quiet_pillow():
            data = _ENCODERS[name](rgb, like.alpha, like.metadata)
    except _ENCODING_FAULTS as error:
        raise WritePhotoError(target, f"the picture cannot be encoded ({error})") from error
    _replace(target, data)


def _replace(target: Path, data: bytes) -> None:
    """Write a file beside the target, onto the disk, and move it there."""
    temporary = target.with_name(f".colorflow-{secrets.token_hex(8)}.tmp")
    try:
        try:
            # Created here rather than by tempfile, whose files only the owner may read.
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except FileNotFoundError as error:
        raise WritePhotoError(target, "there is no such folder to write to") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise WritePhotoError(target, f"the file cannot be written ({reason})") from error


def _encode_jpeg(rgb: np.ndarray, alpha: np.ndarray | None, metadata: Metadata) -> bytes:
    options: dict[str, object] = {"quality": JPEG_QUALITY, "subsampling": 0}
    if metadata.exif and len(metadata.exif) <= _JPEG_EXIF_BYTES:
        options["exif"] = metadata.exif
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    if alpha is not None:
        opacity = alpha[..., None] / np.float32(255)
        rgb = np.rint(255 - (255 - rgb) * opacity).astype(np.uint8)
    return _saved(Image.fromarray(rgb), "JPEG", options)


def _encode_png(rgb: np.ndarray, alpha: np.ndarray | None, metadata: Metadata) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"sRGB", _SRGB_PERCEPTUAL)
    for keyword, text in metadata.text.items():
        chunks.add_text(keyword, text)
    options: dict[str, object] = {"compress_level": PNG_COMPRESS_LEVEL, "pnginfo": chunks}
    if metadata.exif:
        options["exif"] = metadata.exif
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    return _saved(_with_alpha(rgb, alpha), "PNG", options)


def _encode_webp(rgb: np.ndarray, alpha: np.ndarray | None, metadata: Metadata) -> bytes:
    options: dict[str, object] = {"quality": WEBP_QUALITY}
    if metadata.exif:
        options["exif"] = metadata.exif
    return _saved(_with_alpha(rgb, alpha), "WEBP", options)


def _encode_tiff(rgb: np.ndarray, alpha: np.ndarray | None, metadata: Metadata) -> bytes:
    """TIFF with deflate, put together here: Pillow's compressed TIFF cannot hold EXIF."""
    samples = rgb if alpha is None else np.dstack([rgb, alpha])
    height, width, channels = samples.shape
    steps = samples.copy()
    steps[:, 1:] -= samples[:, :-1]  # modulo 256: the horizontal predictor
    strips = [
        zlib.compress(steps[row : row + _TIFF_STRIP_ROWS].tobytes(), 1)
        for row in range(0, height, _TIFF_STRIP_ROWS)
    ]
    sizes = [len(strip) for strip in strips]
    fields: dict[int, object] = {
        **_tiff_description(metadata.exif),
        Base.ImageWidth: width,
        Base.ImageLength: height,
        Base.BitsPerSample: (8,) * channels,
        Base.Compression: _DEFLATE,
        Base.PhotometricInterpretation: _RGB,
        Base.StripOffsets: tuple(int(end) for end in np.cumsum([0, *sizes[:-1]])),
        Base.SamplesPerPixel: channels,
        Base.RowsPerStrip: _TIFF_STRIP_ROWS,
        Base.StripByteCounts: tuple(sizes),
        Base.PlanarConfiguration: _ONE_PLANE,
        Base.Predictor: _HORIZONTAL,
    }
    if alpha is not None:
        fields[Base.ExtraSamples] = _UNASSOCIATED_ALPHA
    if metadata.dpi:
        fields[Base.XResolution], fields[Base.YResolution] = metadata.dpi
        fields[Base.ResolutionUnit] = _INCH
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in fields.items():
        directory[tag] = value
    for tag in (Base.StripOffsets, Base.StripByteCounts):
        directory.tagtype[tag] = TiffTags.LONG
    buffer = io.BytesIO()
    directory.save(buffer)  # moves the strip offsets to behind itself
    return buffer.getvalue() + b"".join(strips)


def _tiff_description(exif: bytes | None) -> dict[int, object]:
    if exif is None:
        return {}
    source = Image.Exif()
    try:
        source.load(exif)
    except EXIF_FAULTS:
        return {}
    return tiff_description(source)


def _with_alpha(rgb: np.ndarray, alpha: np.ndarray | None) -> Image.Image:
    return Image.fromarray(rgb if alpha is None else np.dstack([rgb, alpha]))


def _saved(image: Image.Image, name: str, options: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_ENCODERS: dict[str, Callable[[np.ndarray, np.ndarray | None, Metadata], bytes]] = {
    "JPEG": _encode_jpeg,
    "PNG": _encode_png,
    "WEBP": _encode_webp,
    "TIFF": _encode_tiff,
}
