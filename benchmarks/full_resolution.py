"""Times the full-resolution path, and measures the error of upsampled chroma.

    python -m benchmarks.full_resolution                   seconds and peak memory at 12 megapixels
    python -m benchmarks.full_resolution --megapixels 50
    python -m benchmarks.full_resolution --quality         error of ab against simpler methods

The photos are those that scikit-image ships.
"""

from __future__ import annotations

import argparse
import math
import time
import tracemalloc
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data
from skimage.color import rgb2lab

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import GRID_SIZE, resize_by_area, square_lightness, to_grid
from colorflow.color.upsample import upsample_ab

REPEATS = 3  # the fastest counts


def main() -> None:
    """Prints one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--quality", action="store_true")
    options = parser.parse_args()
    if options.quality:
        print_quality()
    else:
        print_timings(options.megapixels)


def print_timings(megapixels: float) -> None:
    """Prints seconds and memory of each step for a 4:3 photo of this size."""
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    width = round(height * 4 / 3)
    photo = cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_CUBIC)
    lightness = lightness_of(photo)
    ab = to_grid(photo)
    white_sky = lightness.copy()
    white_sky[: height // 3] = 100
    steps: dict[str, Callable[[], object]] = {
        "lightness of a gray photo": lambda: lightness_of(photo[..., 1]),
        "lightness of a color photo": lambda: lightness_of(photo),
        "square_lightness": lambda: square_lightness(photo),
        "to_grid": lambda: to_grid(photo),
        "render, gray": lambda: render(lightness, 0 * ab),
        "render, the photo's own chroma": lambda: render(lightness, ab),
        "render, twice its chroma": lambda: render(lightness, 2 * ab),
        "render, a third is pure white": lambda: render(white_sky, ab),
    }
    print(f"{width}x{height}, fastest of {REPEATS}; memory includes the result")
    print(f"{'':32}{'seconds':>8}{'peak MB':>9}")
    for name, step in steps.items():
        print(f"{name:32}{_seconds(step):8.2f}{_peak_megabytes(step):9.0f}")


def print_quality() -> None:
    """Prints the root mean square error of ab by photo and method."""
    photos: dict[str, NDArray[np.uint8]] = {
        "astronaut": data.astronaut(),
        "chelsea": data.chelsea(),
        "coffee": data.coffee(),
        "hubble": data.hubble_deep_field(),
        "motorcycle": data.stereo_motorcycle()[0],
        "retina": data.retina(),
        "rocket": data.rocket(),
    }
    print(f"{'':12}{'':12}" + "".join(f"{name:>14}" for name in METHODS))
    for name, photo in photos.items():
        lab = rgb2lab(photo).astype(np.float32)
        lightness, ab = np.ascontiguousarray(lab[..., 0]), np.moveaxis(lab[..., 1:], -1, 0)
        grid = to_grid(photo)
        errors = [
            np.sqrt(np.mean((method(grid, lightness) - ab) ** 2)) for method in METHODS.values()
        ]
        size = f"{photo.shape[1]}x{photo.shape[0]}"
        print(f"{name:12}{size:12}" + "".join(f"{error:14.2f}" for error in errors))


def bilinear(grid: NDArray[np.float32], lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Upsamples without guidance."""
    return _stretch(grid, lightness.shape, cv2.INTER_LINEAR)


def bicubic(grid: NDArray[np.float32], lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Upsamples without guidance."""
    return _stretch(grid, lightness.shape, cv2.INTER_CUBIC)


def half_slope(grid: NDArray[np.float32], lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bicubic, plus the detail of lightness times half of a 5x5 guided filter's slope."""

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return cv2.blur(values, (5, 5))

    low = resize_by_area(lightness, GRID_SIZE, GRID_SIZE)
    variance = mean(low * low) - mean(low) ** 2
    slopes = [(mean(ab * low) - mean(ab) * mean(low)) / (variance + 4) for ab in grid]
    detail = lightness - _stretch(low[None], lightness.shape, cv2.INTER_CUBIC)
    return bicubic(grid, lightness) + detail * bilinear(np.stack(slopes), lightness) / 2


METHODS = {
    "bilinear": bilinear,
    "bicubic": bicubic,
    "half slope": half_slope,
    "upsample_ab": upsample_ab,
}


def _stretch(
    planes: NDArray[np.float32], shape: tuple[int, ...], interpolation: int
) -> NDArray[np.float32]:
    size = (shape[1], shape[0])
    return np.stack([cv2.resize(plane, size, interpolation=interpolation) for plane in planes])


def _seconds(step: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return min(times)


def _peak_megabytes(step: Callable[[], object]) -> float:
    tracemalloc.start()
    step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


if __name__ == "__main__":
    main()
