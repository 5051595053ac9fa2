"""Times what computes with one thread, and what it would take with those of the libraries.

    python -m benchmarks.threads                the machine as it is
    python -m benchmarks.threads --beside 2     beside two processes that compute without end

PyTorch and OpenBLAS take as many threads as there are cores, unless they are told otherwise.
Coloring and rendering tell them (`colorflow.device`); the other rows leave that out. Enlarging
does as the caller says. Do not set OMP_NUM_THREADS or OPENBLAS_NUM_THREADS.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import cv2
import torch
from skimage import data

from benchmarks.measuring import print_machine, print_table, side_by_side, spread
from benchmarks.photos import gray_photo, size_of
from colorflow import device
from colorflow.colorizer import Colorizer
from colorflow.enlarge.enlarger import Enlarger
from colorflow.limits import DETAIL_TEMPERATURE
from colorflow.photo import photo_from_image

_SIDE = 256
"""Pixels of the picture that is enlarged."""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--beside", type=int, default=0, help="processes that compute without end")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--megapixels", type=float, default=1)
    parser.add_argument("--weights", type=Path, help="weights file (default: the shipped one)")
    parser.add_argument("--enlarge-weights", type=Path, help="likewise, of enlarging")
    options = parser.parse_args()
    print_machine()
    cores = torch.get_num_threads()
    width, height = size_of(options.megapixels)
    photo = photo_from_image(gray_photo(width, height))
    square = photo_from_image(cv2.resize(data.astronaut(), (_SIDE, _SIDE)))
    colorizer, enlarger = Colorizer.load(options.weights), Enlarger.load(options.enlarge_weights)
    made = colorizer.colorize(photo, 4)

    def color() -> None:
        colorizer.colorize(photo, 4)

    def render() -> None:
        for coloring in made:
            coloring.render()

    def enlarge(temperature: float) -> Callable[[], object]:
        return lambda: enlarger.lightness(square, 2, temperature, 0)

    work = {
        f"four colorings of {options.megapixels:g} MP": color,
        "rendering them": render,
        f"enlarging {_SIDE} x {_SIDE}, the mean": enlarge(0.0),
        f"enlarging {_SIDE} x {_SIDE}, a sample": enlarge(DETAIL_TEMPERATURE),
    }
    steps = {}
    for name, step in work.items():
        one, all_of_them = (
            (_callers(1), nullcontext) if "enlarg" in name else (nullcontext, _unbounded)
        )
        steps[f"{name} | one"] = _within(one, step)
        steps[f"{name} | {cores}"] = _within(all_of_them, step)
    with _busy(options.beside):
        timings = side_by_side(steps, options.repetitions)
    print_table(
        (f"beside {options.beside} busy processes", "threads", "seconds", "processor seconds"),
        [(*name.split(" | "), spread(own.wall), spread(own.busy)) for name, own in timings.items()],
    )


Context = Callable[[], AbstractContextManager[None]]


def _within(context: Context, step: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with context():
            step()

    return run


@contextmanager
def _unbounded() -> Iterator[None]:
    """Coloring and rendering with the libraries' own numbers of threads."""
    own, openblas = device._set_own_threads, device._openblas
    device._set_own_threads = lambda _: None
    device._openblas = lambda: None
    try:
        yield
    finally:
        device._set_own_threads, device._openblas = own, openblas


def _callers(number: int) -> Context:
    """PyTorch's number of threads as a caller sets it."""

    @contextmanager
    def context() -> Iterator[None]:
        before = torch.get_num_threads()
        torch.set_num_threads(number)
        yield
        torch.set_num_threads(before)

    return context


@contextmanager
def _busy(number: int) -> Iterator[None]:
    """Processes that compute without end, meanwhile."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


if __name__ == "__main__":
    main()
