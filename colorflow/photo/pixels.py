"""Pillow's many modes to grey or sRGB pixels of 8 bits, and alpha."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageChops, ImageCms, JpegImagePlugin

_COLOUR_SPACES = {"RGB": "RGB", "CMYK": "CMYK"}
"""Colour space that a profile must be made for (ICC.1 7.2.6), by Pillow's mode."""
_PROFILE_FAULTS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)
_LATTICE = 9
"""Samples a side of the RGB cube that tell whether a profile changes anything."""


def pixels_and_alpha(
    image: Image.Image, turn: Image.Transpose | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Grey or sRGB pixels of a loaded image of 8 bits a channel.

    An embedded profile is applied (relative colorimetric, black point compensation). One that is
    damaged or made for another colour space is ignored, and the pixels count as sRGB.

    Args:
        image: of any mode of 8 bits or fewer, loaded.
        turn: what makes it upright; None where it is.

    Returns:
        Pixels, uint8 (H, W) or (H, W, 3), and alpha, uint8 (H, W) or None. New arrays.
    """
    base, alpha = _split_alpha(image)
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.mode == "CMYK":
        base = _as_ink(base, adobe="adobe" in image.info)
    if base.mode == "LAB":
        flat = _lab_to_srgb(base)
    else:
        if base.mode not in ("L", "RGB", "CMYK"):
            base = base.convert("L" if base.mode == "1" else "RGB")
        icc = image.info.get("icc_profile")
        flat = through_profile_at_8_bits(base, icc) if isinstance(icc, bytes) and icc else base
        if flat.mode == "CMYK":
            flat = flat.convert("RGB")
    if turn is not None:
        flat = flat.transpose(turn)
        alpha = alpha.transpose(turn) if alpha is not None else None
    return np.array(flat), None if alpha is None else np.array(alpha)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The image without transparency, and its alpha channel if it has any."""
    if not image.has_transparency_data:
        return image, None
    grey = image.mode in ("1", "L", "LA", "La")
    both = image.convert("LA" if grey else "RGBA")
    return both.convert("L" if grey else "RGB"), both.getchannel("A")


def _as_ink(image: Image.Image, *, adobe: bool) -> Image.Image:
    """CMYK of a JPEG file with 255 as full ink.

    Adobe's files hold 255 minus ink, and Pillow turns every file around as if it were one of them;
    a file without Adobe's marker is turned back.
    """
    return image if adobe else ImageChops.invert(image)


def through_profile_at_8_bits(image: Image.Image, icc: bytes) -> Image.Image:
    """An L, RGB or CMYK image through its profile to sRGB; as it is where the profile is no use."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = str(profile.profile.xcolor_space).strip()
        if image.mode == "L":
            return _grey_through_profile(image, profile, space)
        if space != _COLOUR_SPACES[image.mode]:
            return image
        transform = _transform(profile, image.mode)
        if image.mode == "RGB" and _changes_nothing(transform):
            return image
        return _applied(transform, image)
    except _PROFILE_FAULTS:
        return image


def _grey_through_profile(
    image: Image.Image, profile: ImageCms.ImageCmsProfile, space: str
) -> Image.Image:
    """Grey tones through a grey profile, or through an RGB profile as neutral colours.

    (littlecms refuses a grey picture with an RGB profile, which scanners do write.) Neutral stays
    neutral, so a table of 256 tones does.
    """
    if space not in ("GRAY", "RGB"):
        return image
    tones = Image.frombytes("L", (256, 1), bytes(range(256)))
    mode = "L" if space == "GRAY" else "RGB"
    exact = _transform(profile, mode, ImageCms.Flags.NOOPTIMIZE)  # or dark tones are interpolated
    srgb = np.asarray(_applied(exact, tones.convert(mode)))
    table = np.rint(srgb.reshape(256, 3).mean(axis=1)).astype(int)
    return image.point(table.tolist())


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
    """Whether the profile is sRGB under any name: rounding alone must not touch the pixels."""
    levels = np.linspace(0, 255, _LATTICE).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    before = cube.reshape(_LATTICE, -1, 3)
    after = np.asarray(_applied(transform, Image.fromarray(before)))
    return bool(np.abs(after.astype(int) - before).max() <= 1)


def _lab_to_srgb(image: Image.Image) -> Image.Image:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    return _applied(_transform(lab, "LAB"), image)
