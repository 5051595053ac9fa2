"""First pass: checks whether photos are usable, and hashes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_all_start_methods, get_context, parent_process
from multiprocessing.context import BaseContext
from pathlib import Path
from threading import Thread

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorflow.color.grid import to_grid
from colorflow.errors import PhotoError
from colorflow.photo import Kind, read_photo

MIN_SHORT_SIDE = 48
"""Photos smaller than this, in pixels, hold no chroma to learn on a 64x64 grid."""

PALE_CHROMA = 8.0
"""A photo of one hue with a mean chroma above this, in CIELAB units, is a toned print; below it is
mostly a color photo of fog, snow or a gray cat, whose paleness is worth learning."""

LEAST_SIDE_OF_SQUARES = 224
"""Short side, in pixels, of photos that squares are taken of, also after they are reduced."""

LEAST_SHARPNESS = 0.65
"""Photos below this were enlarged, are out of focus, or lost their details to compression."""

_BORDER_RANGE = 12
"""Largest range of the 8-bit values in one row of a uniform border; JPEG adds some noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """One candidate photo.

    Attributes:
        path: the file.
        problem: why it cannot be used (``corrupt: ...``, ``gray``, ``tinted``,
            ``too small``, ``blurred``), or None.
        short_side: shorter side in pixels.
        hash: 64-bit difference hash.
        mirrored_hash: hash of the mirror image.
        mean_chroma: mean chroma on the 64x64 grid, CIELAB units.
    """

    path: Path
    problem: str | None
    short_side: int = 0
    hash: int = 0
    mirrored_hash: int = 0
    mean_chroma: float = 0.0


def scan(
    paths: Iterable[Path], workers: int, *, for_squares: bool = False, masks: Path | None = None
) -> Iterator[Scanned]:
    """Scans photos in so many processes, 0 for this one; yields in the order of `paths`."""
    scan_photo = partial(scan_one, for_squares=for_squares, masks=masks)
    if workers == 0:
        yield from map(scan_photo, paths)
        return
    with workers_of_this_process(workers) as pool:
        yield from pool.map(scan_photo, paths, chunksize=64)


def workers_of_this_process(workers: int) -> ProcessPoolExecutor:
    """A pool of workers that end with this process, also if it is killed."""
    return ProcessPoolExecutor(workers, fresh_processes(), _end_with_parent)


def _end_with_parent() -> None:
    def wait() -> None:
        parent = parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def fresh_processes() -> BaseContext:
    """Starts worker processes without what this one has loaded.

    A fork of a process with threads of other libraries may crash.
    """
    methods = get_all_start_methods()
    context = get_context("forkserver" if "forkserver" in methods else "spawn")
    context.set_forkserver_preload([__name__])
    return context


def scan_one(path: Path, *, for_squares: bool = False, masks: Path | None = None) -> Scanned:
    """Reads one photo and decides whether it is usable.

    Args:
        path: the file.
        for_squares: whether the photo must be large and sharp.
        masks: folder of masks of old prints, which may be gray, toned and soft.
    """
    try:
        photo = read_photo(path, isolated=True)
    except PhotoError as error:
        return Scanned(path=path, problem=f"corrupt: {error.reason}")
    pixels = without_borders(photo.pixels)
    short_side = min(pixels.shape[:2])
    if short_side < (LEAST_SIDE_OF_SQUARES if for_squares else MIN_SHORT_SIDE):
        return Scanned(path=path, problem="too small", short_side=short_side)
    is_print = mask_file(masks, path) is not None
    if for_squares and not is_print and sharpness(reduced(pixels)) < LEAST_SHARPNESS:
        return Scanned(path=path, problem="blurred", short_side=short_side)
    ab = to_grid(pixels)
    mean_chroma = float(np.hypot(ab[0], ab[1]).mean())
    kind = photo.kind
    is_toned = kind is Kind.TINTED and mean_chroma > PALE_CHROMA
    if not is_print and (kind is Kind.GRAY or is_toned):
        return Scanned(path=path, problem=str(kind), short_side=short_side)
    return Scanned(
        path=path,
        problem=None,
        short_side=short_side,
        hash=_hash(pixels),
        mirrored_hash=_hash(pixels[:, ::-1]),
        mean_chroma=mean_chroma,
    )


def mask_file(masks: Path | None, path: Path) -> Path | None:
    """The mask of a photo DIR/NAME.jpg, MASKS/DIR/NAME.png, if there is one."""
    file = masks / path.parent.name / f"{path.stem}.png" if masks else None
    return file if file and file.exists() else None


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) pixels of a photo as packs hold them, without uniform borders.

    Raises:
        PhotoError: if it cannot be read.
    """
    return without_borders(read_photo(path, isolated=True).pixels)


def reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photo reduced by area averaging as far as its short side stays large enough for squares.

    This takes most of the JPEG compression, of the camera's interpolation, and of blur away, so
    that a flow does not learn them.
    """
    factor = 1 + min(pixels.shape[:2]) // (2 * LEAST_SIDE_OF_SQUARES)
    if factor == 1:
        return pixels
    size = (pixels.shape[1] // factor, pixels.shape[0] // factor)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def sharpness(pixels: NDArray[np.uint8]) -> float:
    """Contrast between neighbors, as a share of that at half the resolution.

    Args:
        pixels: (H, W) or (H, W, 3).

    Returns:
        0.7 to 1 for sharp photos of any subject, 0.6 and less for blurred and enlarged ones, 0 for
        one without contrast.
    """
    gray = pixels if pixels.ndim == 2 else pixels[..., 1]
    fine = gray.astype(np.float32)
    coarse = cv2.resize(fine, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    contrasts = [
        float(np.diff(image, axis=0).std() + np.diff(image, axis=1).std())
        for image in (fine, np.asarray(coarse, np.float32))
    ]
    return contrasts[0] / contrasts[1] if contrasts[1] else 0.0


def without_borders(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crops uniform borders, such as letterboxes and mounts.

    Rows and columns of one color at the edges are cropped. A picture of one color, or one that
    would become too small, stays unchanged.

    Args:
        pixels: (H, W) or (H, W, 3) uint8.
    """
    kept = []
    for axis in (1, 0):
        # In color, OpenCV reduces an axis in a quarter of NumPy's time.
        low, high = (
            np.asarray(cv2.reduce(pixels, axis, how), int)
            for how in (cv2.REDUCE_MIN, cv2.REDUCE_MAX)
        )
        spans = (high - low).reshape(pixels.shape[1 - axis], -1).max(1)
        lines = np.flatnonzero(spans > _BORDER_RANGE)
        if len(lines) == 0 or lines[-1] - lines[0] + 1 < MIN_SHORT_SIDE:
            return pixels
        kept.append(slice(lines[0], lines[-1] + 1))
    return np.ascontiguousarray(pixels[tuple(kept)])


def _hash(pixels: NDArray[np.uint8]) -> int:
    return int(str(imagehash.dhash(Image.fromarray(pixels))), 16)
