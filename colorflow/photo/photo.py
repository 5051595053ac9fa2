"""The picture that the rest of colorflow works with, and pixels of the modes of Pillow's images."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageChops, ImageCms, JpegImagePlugin

from colorflow.photo.kind import Kind, kind_of
from colorflow.photo.metadata import Metadata, profile_of, upright_exif
from colorflow.photo.sixteen_bits import to_8_bits

_PROFILE_FAULTS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)
_GRAY = ("1", "L", "LA", "La")
TRANSPOSED = (5, 6, 7, 8)
"""Orientations that exchange width and height."""
_LATTICE = 9
"""Samples per side of the RGB cube at which a profile is tried."""
_STRIP_PIXELS = 1 << 21
"""Pixels that are converted at once, so that a large picture needs no copies of itself."""

Conversion = Callable[[Image.Image], Image.Image]


class Header(NamedTuple):
    """What a picture file says before its pixels."""

    pixels: int
    """Width times height."""
    stated: str
    """As of `Metadata`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photo:
    """An upright picture in sRGB with the metadata of its file.

    Raises:
        ValueError: if the arrays are not what the fields below say.
    """

    pixels: np.ndarray
    """uint8 in [0, 255]: (H, W) for a gray file, (H, W, 3) sRGB otherwise; contiguous."""
    alpha: np.ndarray | None = None
    """uint8 (H, W), 0 transparent to 255 opaque; None where the file has no transparency."""
    pixels16: np.ndarray | None = None
    """The same picture with 16 bits: uint16 in [0, 65535] of the shape of `pixels`, or None."""
    metadata: Metadata = field(default_factory=Metadata)
    """What the file says beside its pixels."""
    source: str = "<image>"
    """The file's path, or ``<image>`` for a picture from memory; used in messages."""
    remarks: tuple[str, ...] = ()
    """What the user should know about how the file was read, such as that pages are left out."""

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        gray_or_rgb = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
        if self.pixels.dtype != np.uint8 or not gray_or_rgb or 0 in shape:
            raise ValueError(
                "pixels: expected uint8 of shape (H, W) or (H, W, 3) with at least one pixel, "
                f"got {self.pixels.dtype} of shape {shape}"
            )
        for name, array, dtype, expected in (
            ("alpha", self.alpha, np.uint8, shape[:2]),
            ("pixels16", self.pixels16, np.uint16, shape),
        ):
            if array is not None and (array.dtype != dtype or array.shape != expected):
                raise ValueError(
                    f"{name}: expected {np.dtype(dtype)} of shape {expected}, "
                    f"got {array.dtype} of shape {array.shape}"
                )

    @property
    def bits(self) -> Literal[8, 16]:
        """Bits per channel."""
        return 8 if self.pixels16 is None else 16

    @property
    def full_depth(self) -> np.ndarray:
        """The pixels at the depth of the file: uint16 if `bits` is 16, otherwise uint8."""
        return self.pixels if self.pixels16 is None else self.pixels16

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    def with_pixels(self, pixels: np.ndarray, alpha: np.ndarray | None) -> Photo:
        """A photo of another content, and perhaps size, with the metadata of this one.

        Args:
            pixels: uint8 or uint16, (H, W) or (H, W, 3).
            alpha: uint8 (H, W), or None.
        """
        height, width = pixels.shape[:2]
        exif, of_16_bits = self.metadata.exif, pixels.dtype == np.uint16
        return replace(
            self,
            pixels=to_8_bits(pixels) if of_16_bits else pixels,
            pixels16=pixels if of_16_bits else None,
            alpha=alpha,
            metadata=replace(self.metadata, exif=upright_exif(exif, width, height)),
        )

    def enlarged(self, pixels: np.ndarray) -> Photo:
        """The same photo with more pixels; its transparency is interpolated.

        Args:
            pixels: uint8 or uint16, (sH, sW) or (sH, sW, 3).
        """
        alpha, (height, width) = self.alpha, pixels.shape[:2]
        if alpha is not None:
            alpha = np.asarray(cv2.resize(alpha, (width, height)), np.uint8)
        return self.with_pixels(pixels, alpha)

    @property
    def kind(self) -> Kind:
        """Gray, tinted or colored.

        It is measured at each use, in 20 to 50 milliseconds at any size, so that reading a photo
        does not pay for it.
        """
        return kind_of(self.pixels, self.alpha)


def pixels_and_alpha(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Convert a loaded image of 8 bits per channel to gray or sRGB.

    An embedded profile is applied (relative colorimetric, black point compensation). A profile that
    is damaged or made for another color space is ignored; the pixels then count as sRGB.

    Args:
        image: of any mode of 8 bits or fewer, loaded.

    Returns:
        Pixels, uint8 (H, W) or (H, W, 3), and alpha, uint8 (H, W) or None. New arrays, not turned.
    """
    has_alpha = image.has_transparency_data
    is_gray = image.mode in _GRAY
    keeps_mode = image.mode in ("CMYK", "LAB") and not has_alpha
    mode = "L" if is_gray else image.mode if keeps_mode else "RGB"
    to_srgb = _to_srgb(mode, profile_of(image))
    is_jpeg_ink = isinstance(image, JpegImagePlugin.JpegImageFile) and mode == "CMYK"
    is_inverted = is_jpeg_ink and "adobe" not in image.info
    shape = image.height, image.width
    pixels: np.ndarray = np.empty(shape if is_gray else (*shape, 3), np.uint8)
    alpha: np.ndarray | None = np.empty(shape, np.uint8) if has_alpha else None
    for rows, strip in row_blocks(image):
        if alpha is not None:
            strip = strip.convert("LA" if is_gray else "RGBA")
            alpha[rows] = strip.getchannel("A")
        if is_inverted:  # Adobe's files hold 255 minus ink; Pillow takes every file for Adobe's
            strip = ImageChops.invert(strip)
        pixels[rows] = to_srgb(strip if strip.mode == mode else strip.convert(mode))
    return pixels, alpha


def row_blocks(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield the rows of a loaded image in blocks: which rows, and the image of them."""
    height = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, height):
        bottom = min(top + height, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn pixels (H, W, ...) by an EXIF orientation, 1 to 8; contiguous."""
    if orientation in TRANSPOSED:
        pixels = pixels.swapaxes(0, 1)
    down = -1 if orientation in (3, 4, 7, 8) else 1
    across = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(pixels[::down, ::across])


def _to_srgb(mode: str, icc: bytes | None) -> Conversion:
    """The conversion of images of mode L, RGB, CMYK or LAB to gray or sRGB."""
    if mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return partial(_applied, _transform(lab, mode))
    through = profile_conversion(mode, icc) if icc else None
    if through is not None:
        return through
    return (lambda image: image.convert("RGB")) if mode == "CMYK" else (lambda image: image)


def profile_conversion(mode: str, icc: bytes) -> Conversion | None:
    """The conversion of L, RGB or CMYK by a profile to sRGB; None where the profile is useless."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = str(profile.profile.xcolor_space).strip()
        if mode == "L":
            return _gray_conversion(profile, space)
        if space != mode:  # ICC.1 7.2.6 and Pillow have the same names
            return None
        transform = _transform(profile, mode)
        if mode == "RGB" and _changes_nothing(transform):
            return None
        _applied(transform, Image.new(mode, (1, 1)))
        return partial(_applied, transform)
    except _PROFILE_FAULTS:
        return None


def _gray_conversion(profile: ImageCms.ImageCmsProfile, space: str) -> Conversion | None:
    """Gray tones through a gray profile, or through an RGB profile as neutral colors.

    (littlecms refuses a gray picture with an RGB profile, which scanners do write.) Neutral stays
    neutral, so a table of 256 tones does.
    """
    if space not in ("GRAY", "RGB"):
        return None
    tones = Image.frombytes("L", (256, 1), bytes(range(256)))
    mode = "L" if space == "GRAY" else "RGB"
    exact = _transform(profile, mode, ImageCms.Flags.NOOPTIMIZE)  # or dark tones are interpolated
    srgb = np.asarray(_applied(exact, tones.convert(mode)))
    table = np.rint(srgb.reshape(256, 3).mean(axis=1)).astype(int).tolist()
    return lambda image: image.point(table)


def _transform(
    profile: ImageCms.ImageCmsProfile, mode: str, flags: ImageCms.Flags = ImageCms.Flags.NONE
) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=flags | ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _applied(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # None only when done in place
    return converted


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether the profile is sRGB under another name; rounding alone must not change pixels."""
    levels = np.linspace(0, 255, _LATTICE).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    before = cube.reshape(_LATTICE, -1, 3)
    after = np.asarray(_applied(transform, Image.fromarray(before)))
    return bool(np.abs(after.astype(int) - before).max() <= 1)
