"""Feeds damaged pictures of every format to the reader: it must not crash, hang or leak memory.

    python -m benchmarks.fuzz_decode                              20,000 inputs, seed 0
    python -m benchmarks.fuzz_decode --inputs 200000 --seed 7 --finds finds
    python -m benchmarks.fuzz_decode --files PICTURES             every file below a folder instead

Two processes have each file of `benchmarks.damaged_files` read, each time in a new child with
limits, see `colorflow.photo.isolated`. The GNU C library fills the memory of each of the two with
different bytes before it is used, so that pixels which were never decoded differ. A file that is
neither read nor refused with a sentence, or that the two read differently, is a find; it is saved
with its reason. The same seed gives the same inputs. Prints a table; exits with 1 if there are
finds.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from benchmarks.damaged_files import corpus, damaged
from colorflow.errors import PhotoError, PhotoTooLargeError
from colorflow.photo import read_photo, read_provenance, start_reader

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
        read_provenance(path, isolated=True)
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
    """Run, print the table, and exit with 1 if there are finds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finds", type=Path, default=Path("fuzz-finds"), help="folder for them")
    parser.add_argument("--files", type=Path, help="read the files below this folder instead")
    options = parser.parse_args()
    if options.files:
        inputs, origin = _files_below(options.files), str(options.files)
    else:
        inputs, origin = _damaged_inputs(options.inputs, options.seed), f"seed {options.seed}"
    rows: defaultdict[str, Row] = defaultdict(lambda: Row(Counter(), 0.0))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Readers(Path(folder)) as readers:
        for number, (kind, name, content) in enumerate(inputs):
            status, reason, seconds = readers.outcome_of(content)
            row = rows[kind]
            row.counts[status] += 1
            row.slowest = max(row.slowest, seconds)
            if status == FIND:
                _save(options.finds, f"{number}-{name.replace(' ', '-')}", content, reason)
    minutes = (time.perf_counter() - began) / 60
    _print_table(rows)
    total = sum(row.counts.total() for row in rows.values())
    print(f"\n{total} inputs, {origin}, {minutes:.1f} minutes, Pillow {Image.__version__}")
    sys.exit(any(row.counts[FIND] for row in rows.values()))


def _damaged_inputs(inputs: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Format, name, and content of each damaged file."""
    files = corpus()
    names, contents = list(files), list(files.values())
    for number in range(inputs):
        name = names[number % len(names)]
        content = damaged(files[name], contents, random.Random(f"{seed} {number}"))
        yield name.split()[0], name, content


def _files_below(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Suffix, name, and content of each file below a folder."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield path.suffix.lower() or "no suffix", path.name, path.read_bytes()


@dataclass(slots=True)
class Row:
    """Results of the inputs of one format or suffix."""

    counts: Counter[str]
    slowest: float


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


def _print_table(rows: dict[str, Row]) -> None:
    statuses = (READ, REFUSED, TOO_LARGE, BROKE, FIND)
    print("| format | inputs | " + " | ".join(statuses) + " | slowest, s |")
    print("|---|" + "---:|" * (len(statuses) + 2))
    total = Row(Counter(), max(row.slowest for row in rows.values()))
    for row in rows.values():
        total.counts.update(row.counts)
    for name, row in [*rows.items(), ("all", total)]:
        cells = [row.counts.total(), *(row.counts[status] for status in statuses)]
        print(f"| {name} | " + " | ".join(map(str, cells)) + f" | {row.slowest:.1f} |")


if __name__ == "__main__":
    main()
