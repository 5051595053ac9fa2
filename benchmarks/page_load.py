"""Several programs send photos to the page at the same time (Linux).

    python -m benchmarks.page_load --clients 5 --uploads 4

Every client has its own address, which the page takes from the header of a local proxy. It uploads
its photos and requests one coloring of each of them at once through the HTTP interface: the first
picture that somebody gets. When it is there, it requests all colorings of that photo in full
size. An answer belongs to the photo with the same lightness, because colorizing keeps the
lightness. The photos are different gray crops of scikit-image's pictures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gradio_client import Client, handle_file
from gradio_client.client import Job
from gradio_client.utils import QueueError
from numpy.typing import NDArray

from benchmarks.measuring import (
    forget_peak,
    gray_photo,
    memory,
    print_machine,
    print_table,
    save_gray,
    spread,
)
from benchmarks.page_server import page_server
from colorflow.color.full_resolution import lightness_of
from colorflow.photo import read_photo

_MOST_SECONDS = 600
"""Limit for the start of the server, and for each answer."""
_PAUSE_SECONDS = 1.0
"""Pause before a client that got "busy" asks again."""
SIZE = (1200, 900)
"""Width and height of photos, in pixels."""
_SAME = 1.0
"""Upper bound of the mean difference of L* that comes from rounding to bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOutcome:
    """Result of a run."""

    answered: int
    busy: int
    """Number of "busy" answers; the clients asked again after a second."""
    mixed_up: int
    """Answers with a picture that has the lightness of another photo."""
    first_seconds: list[float]
    """Seconds from request to the first coloring, including upload and download."""
    seconds: list[float]
    """The same to the answer in full size, from the request of the first on."""
    start_megabytes: float
    """Memory of the server before the run, with the model loaded."""
    peak_megabytes: float


def load(
    folder: Path,
    *,
    clients: int,
    uploads: int,
    colorings: int = 4,
    size: tuple[int, int] = SIZE,
    weights: Path | None = None,
) -> LoadOutcome:
    """Starts a server and sends it the requests of all clients.

    Args:
        folder: an empty folder.
        clients: number of clients.
        uploads: photos of each client.
        colorings: colorings of each photo.
        size: width and height of each photo, in pixels.
        weights: weights file; None for the shipped one.

    Raises:
        AssertionError: if the server does not start.
    """
    photos = _make_photos(folder, clients * uploads, size)
    (folder / "answers").mkdir()
    with page_server(folder, weights) as (address, process):
        forget_peak(process.pid)  # of loading
        start = memory("VmHWM", process.pid)
        programs = [
            Client(
                address,
                verbose=False,
                download_files=folder / "answers",
                httpx_kwargs={"timeout": _MOST_SECONDS},
                ssl_verify=False,  # every request would load the system's certificates
                headers={"X-Forwarded-For": f"10.0.{number // 250}.{1 + number % 250}"},
            )
            for number in range(clients)
        ]
        with ThreadPoolExecutor(len(photos)) as threads:
            asked = [
                threads.submit(_ask, programs[number % clients], photo, colorings)
                for number, photo in enumerate(photos)
            ]
            answers = [one.result() for one in asked]
        peak = memory("VmHWM", process.pid)
    known = [lightness_of(read_photo(photo).pixels) for photo in photos]
    told = [(number, answer) for number, answer in enumerate(answers) if answer is not None]
    return LoadOutcome(
        answered=len(told),
        busy=sum(one.busy for one in answers if one),
        mixed_up=sum(
            len(one.files) != colorings
            or any(_closest(file, known) != index for file in [one.first, *one.files])
            for index, one in told
        ),
        first_seconds=[one.first_seconds for _, one in told],
        seconds=[one.seconds for _, one in told],
        start_megabytes=start,
        peak_megabytes=peak,
    )


def _make_photos(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    photos = [folder / f"photo-{number:03}.png" for number in range(count)]
    for number, photo in enumerate(photos):
        save_gray(photo, gray_photo(*size, number))
    return photos


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    first: str
    first_seconds: float
    files: list[str]
    seconds: float
    busy: int


def _ask(program: Client, photo: Path, colorings: int) -> _Answer | None:
    """The first coloring and then all; None if one of them does not come."""
    started = time.perf_counter()
    try:
        (first,), busy = _colorings(program, photo, n=1)
        first_seconds = time.perf_counter() - started
        files, busy_again = _colorings(program, photo, n=colorings)
    except Exception as error:  # counts as a missing answer
        print(f"{photo.name}: {type(error).__name__}: {error}", file=sys.stderr)
        return None
    return _Answer(
        first=first,
        first_seconds=first_seconds,
        files=files,
        seconds=time.perf_counter() - started,
        busy=busy + busy_again,
    )


def _colorings(program: Client, photo: Path, **options: Any) -> tuple[list[str], int]:
    """The files, requested until the page is not busy, and how often it was."""
    for busy in range(_MOST_SECONDS):
        job: Job = program.submit(handle_file(photo), api_name="/colorize", **options)
        try:
            files, _ = job.result(_MOST_SECONDS)
        except QueueError:
            time.sleep(_PAUSE_SECONDS)
        else:
            return files, busy
    raise TimeoutError("the page was busy all the time")


def _closest(file: str, known: Sequence[NDArray[np.float32]]) -> int | None:
    """Index of the photo that has the lightness of a picture; None if none has."""
    lightness = lightness_of(read_photo(file).pixels)
    distances = [
        float(np.abs(lightness - own).mean()) if own.shape == lightness.shape else np.inf
        for own in known
    ]
    closest = int(np.argmin(distances))
    return closest if distances[closest] < _SAME else None


def main() -> None:
    """Runs once and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=5)
    parser.add_argument("--uploads", type=int, default=4, help="photos of each client")
    parser.add_argument("--colorings", type=int, default=4, help="colorings of each photo")
    options = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        outcome = load(Path(folder), **vars(options))
    asked = options.clients * options.uploads
    print(f"Photos of {SIZE[0]} x {SIZE[1]} pixels, {options.colorings} colorings of each.\n")
    head = ("asked", "answered", "busy", "mixed up", "first picture, s", "all in full size, s")
    counts = map(str, (asked, outcome.answered, outcome.busy, outcome.mixed_up))
    times = (spread(one or [0.0], 1) for one in (outcome.first_seconds, outcome.seconds))
    megabytes = (outcome.start_megabytes, outcome.peak_megabytes - outcome.start_megabytes)
    head += ("memory at start, MB", "peak above")
    print_table(head, [(*counts, *times, *(f"{x:.0f}" for x in megabytes))])


if __name__ == "__main__":
    main()
