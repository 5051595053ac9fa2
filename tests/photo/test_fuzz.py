"""Damaged pictures of every format: a short form of `benchmarks/bad_files.py`, and its finds."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from benchmarks.bad_files import FIND, READ, REFUSED, Readers
from benchmarks.damaged_files import corpus, damaged
from colorflow.errors import PhotoTooLargeError
from colorflow.photo import read_photo

INPUTS = 80


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return corpus()


def test_damaged_files_are_read_or_refused_and_show_nothing_of_the_memory(
    files: dict[str, bytes], readers: Readers
) -> None:
    rng = random.Random(0)
    statuses = []
    for name in list(files) * (INPUTS // len(files)):
        content = damaged(files[name], list(files.values()), rng)
        status, reason, _ = readers.outcome_of(content)
        assert status != FIND, f"{name}: {reason}"
        statuses.append(status)
    assert min(statuses.count(READ), statuses.count(REFUSED)) > INPUTS / 10


# Finds


def test_a_gif_beyond_pillows_own_limit(files: dict[str, bytes], tmp_path: Path) -> None:
    content = bytearray(files["GIF"])
    frame = content.index(b"\x2c\0\0\0\0")
    struct.pack_into("<HH", content, frame + 5, 40_000, 40_000)
    (tmp_path / "p.gif").write_bytes(content)
    with pytest.raises(PhotoTooLargeError, match="make it smaller"):
        read_photo(tmp_path / "p.gif", max_pixels=10**12)
