"""Shared by the benchmarks: photos to work on, description of the machine, memory, tables."""

from __future__ import annotations

import math
import os
import platform
import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from colorflow.limits import QUALITY

SEED = 0
GRAIN = 4.0
"""Std of the noise, in steps of 255. It gives JPEG data the size of a real photo's."""
_INTERVAL = 0.02
"""Seconds between two looks at the memory."""


def size_of(megapixels: float) -> tuple[int, int]:
    """Width and height of a 4:3 photo, in pixels."""
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    return round(height * 4 / 3), height


def gray_photo(width: int, height: int, number: int = 0) -> NDArray[np.uint8]:
    """A different gray photo for each number: an enlarged, perhaps mirrored crop with grain."""
    rng = np.random.default_rng(number)
    whole = (skimage.data.coffee, skimage.data.astronaut, skimage.data.chelsea, skimage.data.rocket)
    picture = cv2.cvtColor(whole[number % len(whole)](), cv2.COLOR_RGB2GRAY)
    rows = round(picture.shape[0] * rng.uniform(0.7, 1))
    columns = min(picture.shape[1], round(rows * width / height))
    top = rng.integers(picture.shape[0] - rows + 1)
    left = rng.integers(picture.shape[1] - columns + 1)
    crop = picture[top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    photo = cv2.resize(crop, (width, height), interpolation=cv2.INTER_CUBIC)
    for strip in np.array_split(photo, max(1, photo.size >> 20)):  # one strip in floats
        noise = GRAIN * rng.standard_normal(strip.shape, dtype=np.float32)
        strip[:] = np.clip(strip + noise, 0, 255)
    return photo


def save_gray(path: Path, photo: NDArray[np.uint8]) -> None:
    """Writes a gray file: JPEG of quality 95, or TIFF without compression."""
    options = {} if path.suffix == ".tif" else {"quality": QUALITY}
    Image.fromarray(photo).save(path, **options)


def codec_only(source: Path, colors: Image.Image, target: Path) -> None:
    """Decodes the gray file, and encodes colors of its size with the settings of results."""
    with Image.open(source) as gray:
        gray.load()
    colors.save(target, "JPEG", quality=QUALITY, subsampling=0)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and range as the text of a table's cell."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def print_machine() -> None:
    """Prints the date, machine, seed and versions of the numbers below it."""
    import torch

    from colorflow.evaluation.report import hardware

    names = ("torch", "numpy", "pillow", "opencv-python-headless")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{date.today()}, {hardware()}, {torch.get_num_threads()} torch threads, load {load:.1f} "
        f"at the start; seed {SEED}; Python {platform.python_version()}, {versions}\n"
    )


def memory(name: str, process: int | str = "self") -> float:
    """Memory of a process in MB: VmRSS is the current value, VmHWM the peak (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def forget_peak(process: int | str = "self") -> None:
    """Resets the peak VmHWM of a process (Linux)."""
    Path(f"/proc/{process}/clear_refs").write_text("5")


def family_of(process: int) -> dict[int, int]:
    """Resident bytes of a process and of all below it, by their numbers (Linux)."""
    parents, sizes = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, *rest = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if state != "Z":
            parents[int(folder.name)] = int(parent)
            sizes[int(folder.name)] = int(rest[19]) * os.sysconf("SC_PAGE_SIZE")
    found = {process} & sizes.keys()
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return {one: sizes[one] for one in found}


@contextmanager
def watched(process: int) -> Iterator[Callable[[], float]]:
    """Yields a function that tells how much memory a process's family took more, in MB (Linux)."""
    start = sum(family_of(process).values())
    most, ended = start, threading.Event()

    def look() -> None:
        nonlocal most
        while not ended.wait(_INTERVAL):
            most = max(most, sum(family_of(process).values()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: (most - start) / 1e6
    finally:
        ended.set()
        thread.join()
