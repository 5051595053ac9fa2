"""Feeds damaged pictures of every format to the reader: it must not crash, hang or leak memory.

    python -m benchmarks.fuzz_decode                              20,000 inputs, seed 0
    python -m benchmarks.fuzz_decode --inputs 200000 --seed 7 --finds finds
    python -m benchmarks.fuzz_decode --files PICTURES             every file below a folder instead

Two processes with a memory limit read each file of `benchmarks.damaged_files`; a process that dies
or takes too long is replaced. The GNU C library fills their memory with different bytes before it
is used, so that pixels which were never decoded differ. A file that is neither read nor refused
with a sentence, or that the two processes read differently, is a find; it is saved with its reason.
The same seed gives the same inputs. Prints a table; exits with 1 if there are finds.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from benchmarks.damaged_files import corpus, damaged
from colorflow.errors import PhotoError, PhotoTooLargeError
from colorflow.photo import read_photo, read_provenance

SECONDS = 10
"""Limit for one input."""
MAX_PIXELS = 16_000_000
"""Limit of a picture's size, as given to the reader."""
MEMORY = 1 << 30
"""Bytes that a process may allocate after its imports: 64 per pixel."""
START = 10
"""Additional seconds for the first input of a process, for its imports."""
POISON = (0x55, 0xAA)
"""Byte that fills the memory, by process."""

READ, REFUSED, TOO_LARGE, FIND = "read", "refused", "too large", "find"


def outcome_of(path: Path) -> tuple[str, str]:
    """Read a file; returns the status, and the digest of its pixels or why it was refused."""
    try:
        photo = read_photo(path, max_pixels=MAX_PIXELS)
        assert photo.kind, "it has a kind"
        read_provenance(path)
    except PhotoError as error:
        if not str(error).startswith(f"{path}: ") or "\n" in str(error):
            return FIND, f"the message does not name the file, or is of several lines: {error!r}"
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
        starts = readers.starts
    minutes = (time.perf_counter() - began) / 60
    _print_table(rows)
    total = sum(row.counts.total() for row in rows.values())
    print(f"\n{total} inputs, {origin}, {minutes:.1f} minutes, ", end="")
    print(f"{starts} starts of the two reading processes, Pillow {Image.__version__}")
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
    """Two processes whose memory holds different bytes before it is used."""

    def __init__(self, folder: Path) -> None:
        self._workers = [Worker(folder / f"input-{poison:x}", poison) for poison in POISON]

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    @property
    def starts(self) -> int:
        """Number of times that a process was started."""
        return sum(worker.starts for worker in self._workers)

    def outcome_of(self, content: bytes) -> tuple[str, str, float]:
        """Status, reason and seconds of a file; a find if the processes disagree."""
        first, second = (worker.outcome_of(content) for worker in self._workers)
        seconds = max(first[2], second[2])
        if first[:2] != second[:2] and FIND not in (first[0], second[0]):
            return FIND, f"two reads differ: {first[:2]}, {second[:2]}", seconds
        return (*min(first, second, key=lambda outcome: outcome[0] != FIND)[:2], seconds)


class Worker:
    """A process that reads files; it is started again after it has died or was ended."""

    def __init__(self, path: Path, poison: int) -> None:
        self._path = path
        self._poison = poison
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self.starts = 0

    def outcome_of(self, content: bytes) -> tuple[str, str, float]:
        """Status, reason and seconds of a file; a find if the process does not answer."""
        allowance = SECONDS
        if self._process is None:
            allowance += START
            self._start()
        assert self._process is not None
        assert self._pipe is not None
        try:
            self._pipe.send_bytes(content)
            if self._pipe.poll(allowance):
                status, reason, seconds = self._pipe.recv()
                return status, reason, seconds
            verdict = f"no answer within {SECONDS} s"
        except (EOFError, OSError):
            self._process.join(SECONDS)
            verdict = f"the process died with {self._process.exitcode}"
        self.end()
        return FIND, verdict, float(SECONDS)

    def _start(self) -> None:
        """Start the process with every allocation filled, however small."""
        self.starts += 1
        tunables = f"glibc.malloc.tcache_count=0:glibc.malloc.perturb={self._poison}"
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs, self._path))
        with mock.patch.dict(os.environ, GLIBC_TUNABLES=tunables, PYTHONMALLOC="malloc"):
            self._process.start()
        theirs.close()

    def end(self) -> None:
        """End the process."""
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None


def _serve(pipe: Connection, path: Path) -> None:
    """Read files from the pipe until it is closed."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with contextlib.suppress(EOFError):
        while True:
            path.write_bytes(pipe.recv_bytes())
            start = time.perf_counter()
            pipe.send((*outcome_of(path), time.perf_counter() - start))


def _save(folder: Path, name: str, content: bytes, reason: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    (folder / f"{name}.txt").write_text(reason + "\n")
    print(f"find {name}: {reason}", file=sys.stderr)


def _print_table(rows: dict[str, Row]) -> None:
    statuses = (READ, REFUSED, TOO_LARGE, FIND)
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
