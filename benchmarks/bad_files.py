"""Has damaged and hostile pictures read: none may crash, hang, fill memory, or show what it had.

    python -m benchmarks.bad_files damaged                 20,000 inputs, seed 0
    python -m benchmarks.bad_files damaged --inputs 200000 --seed 7 --finds finds
    python -m benchmarks.bad_files hostile                 every kind of `benchmarks.hostile_kinds`

Damaged: two processes have each file of `benchmarks.damaged_files` read, each time in a new child
with limits, see `colorflow.photo.isolated`. The GNU C library fills the memory of each of the two
with different bytes before it is used, so that pixels which were never decoded differ. A file that
is neither read nor refused with a sentence, or that the two read differently, is a find; it is
saved with its reason. The same seed gives the same inputs.

Hostile: the command colors each file. Prints what becomes of it, the seconds, and the most memory
of all processes together, both beyond what a tiny photo takes (Linux).

Exits with 1 if there is a find, or a file ends the command otherwise than by one sentence.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from benchmarks.damaged_files import corpus, damaged
from benchmarks.hostile_kinds import kinds
from benchmarks.measuring import print_machine, print_table, watched
from colorflow.errors import PhotoError, PhotoTooLargeError
from colorflow.photo import read_photo, read_statements, start_reader

_LONGEST_REASON = 60
MAX_PIXELS = 16_000_000
"""Limit of a picture's size, as given to the reader."""
POISON = (0x55, 0xAA)
"""Byte that fills the memory, by process."""

READ, REFUSED, TOO_LARGE, BROKE, FIND = "read", "refused", "too large", "broke its child", "find"


def outcome_of(path: Path) -> tuple[str, str]:
    """Read a file; returns the status, and the digest of its pixels or why it was refused."""
    try:
        photo = read_photo(path, max_pixels=MAX_PIXELS, isolated=True)
        assert photo.kind, "it has a kind"
        read_statements(path, isolated=True)
    except PhotoError as error:
        if not str(error).startswith(f"{path}: ") or "\n" in str(error):
            return FIND, f"the message does not name the file, or is of several lines: {error!r}"
        if "broke on it" in error.reason:
            return BROKE, error.reason
        return (TOO_LARGE if isinstance(error, PhotoTooLargeError) else REFUSED), error.reason
    except BaseException as error:
        return FIND, repr(error)
    digest = hashlib.sha256(repr(photo.metadata).encode())
    for pixels in (photo.pixels, photo.pixels16, photo.alpha):
        digest.update(b"" if pixels is None else np.ascontiguousarray(pixels))
    return READ, digest.hexdigest()


def main() -> None:
    """Runs a campaign, prints its table, and exits with 1 if a file did harm."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    campaigns = parser.add_subparsers(dest="campaign", required=True)
    damaging = campaigns.add_parser("damaged")
    damaging.add_argument("--inputs", type=int, default=20_000)
    damaging.add_argument("--seed", type=int, default=0)
    damaging.add_argument("--finds", type=Path, default=Path("finds"), help="folder for them")
    campaigns.add_parser("hostile")
    options = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        run = read_damaged if options.campaign == "damaged" else read_hostile
        sys.exit(run(Path(folder), options))


def read_damaged(folder: Path, options: argparse.Namespace) -> bool:
    """Reads damaged files, and prints a row for each format; whether there are finds."""
    rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    slowest: defaultdict[str, float] = defaultdict(float)
    began = time.perf_counter()
    with Readers(folder) as readers:
        for number, (name, content) in enumerate(_damaged_inputs(options.inputs, options.seed)):
            status, reason, seconds = readers.outcome_of(content)
            for row in (name.split()[0], "all"):
                rows[row][status] += 1
                slowest[row] = max(slowest[row], seconds)
            if status == FIND:
                _save(options.finds, f"{number}-{name.replace(' ', '-')}", content, reason)
    rows["all"] = rows.pop("all")  # the last one
    statuses = (READ, REFUSED, TOO_LARGE, BROKE, FIND)
    cells = []
    for name, counts in rows.items():
        numbers = (counts.total(), *(counts[status] for status in statuses))
        cells.append((name, *map(str, numbers), f"{slowest[name]:.1f}"))
    print_table(("format", "inputs", *statuses, "slowest, s"), cells)
    minutes = (time.perf_counter() - began) / 60
    print(f"\n{options.inputs} inputs, seed {options.seed}, {minutes:.1f} minutes")
    return bool(rows["all"][FIND])


def _damaged_inputs(inputs: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Format and content of each damaged file."""
    files = corpus()
    names, contents = list(files), list(files.values())
    for number in range(inputs):
        name = names[number % len(names)]
        yield name, damaged(files[name], contents, random.Random(f"{seed} {number}"))


class Readers:
    """Two processes whose children have different bytes in their memory before it is used."""

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / f"input-{poison:x}" for poison in POISON]
        self._workers = [ProcessPoolExecutor(1, get_context("spawn")) for _ in POISON]
        for worker, poison in zip(self._workers, POISON, strict=True):
            tunables = f"glibc.malloc.tcache_count=0:glibc.malloc.perturb={poison}"
            with mock.patch.dict(os.environ, GLIBC_TUNABLES=tunables, PYTHONMALLOC="malloc"):
                worker.submit(start_reader).result()  # every allocation is filled, however small

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.shutdown()

    def outcome_of(self, content: bytes) -> tuple[str, str, float]:
        """Status, reason and seconds of a file; a find if the processes disagree."""
        began = time.perf_counter()
        for path in self._paths:
            path.write_bytes(content)
        both = [
            worker.submit(outcome_of, path)
            for worker, path in zip(self._workers, self._paths, strict=True)
        ]
        first, second = (one.result() for one in both)
        seconds = time.perf_counter() - began
        if first != second and FIND not in (first[0], second[0]):
            return FIND, f"two reads differ: {first}, {second}", seconds
        return (*min(first, second, key=lambda outcome: outcome[0] != FIND), seconds)


def _save(folder: Path, name: str, content: bytes, reason: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    (folder / f"{name}.txt").write_text(reason + "\n")
    print(f"find {name}: {reason}", file=sys.stderr)


def read_hostile(folder: Path, _: argparse.Namespace) -> bool:
    """Colors hostile files, and prints a row for each; whether one did harm."""
    print_table(("file", "kB", "outcome", "s", "MB"), [])
    harm = False
    for name, size, result in results_of(kinds(), folder):
        outcome = " ".join(result.outcome.split())[:_LONGEST_REASON]
        mark = "**harm**: " if result.is_bad else ""
        numbers = f"{result.seconds:.1f} | {result.megabytes:.0f}"
        print(f"| {name} | {size / 1000:.0f} | {mark}{outcome} | {numbers} |", flush=True)
        harm |= result.is_bad
    return harm


@dataclass(slots=True)
class Result:
    """What became of a file that the command was given."""

    outcome: str
    is_bad: bool
    seconds: float
    megabytes: float


def results_of(
    made: dict[str, Callable[[], bytes]], folder: Path
) -> Iterator[tuple[str, int, Result]]:
    """Name, bytes, and what became of each file."""
    plain = folder / "plain.png"
    Image.effect_noise((8, 8), 50).save(plain)
    usual = by_command(plain)
    for name, make in made.items():
        path = folder / name
        path.write_bytes(make())
        result = by_command(path)
        result.seconds = max(0.0, result.seconds - usual.seconds)
        result.megabytes = max(0.0, result.megabytes - usual.megabytes)
        yield name, path.stat().st_size, result
        path.unlink()


def by_command(path: Path) -> Result:
    """Colors a file with the command; its seconds and memory are those of the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "colorflow.cli", "colorize", str(path), "-o", folder, "-n", "1",
            "--workers", "1", "--report", str(report),
        ]  # fmt: skip
        with watched(os.getpid()) as peak:
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - began
        is_bad = "Traceback" in done.stderr or done.returncode not in (0, 1) or not report.exists()
        reason = done.stderr.strip()[-_LONGEST_REASON:]
        if not is_bad:
            (photo,) = json.loads(report.read_text())["files"]
            reason = photo["reason"] or photo["status"]
            is_bad = "worker" in reason  # it ended with the file
    return Result(reason, is_bad, seconds, peak())


if __name__ == "__main__":
    main()
