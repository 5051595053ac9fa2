"""Duplicates, excluded photos, and the split into train and dev, all by 64-bit hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colorflow.errors import PackError

NEAR_BITS = 6
"""Photos whose hashes differ in at most this many bits are near-duplicates: they stay on one side
of the split. Photos near an excluded hash are dropped."""
DUPLICATE_BITS = 2
"""Photos whose hashes differ in at most this many bits are duplicates."""


def read_hashes(path: Path) -> NDArray[np.uint64]:
    """Reads 64-bit hashes, one hexadecimal number a line; blank lines and ``#`` lines are skipped.

    Raises:
        PackError: if the file cannot be read or a line is not a hash.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PackError(f"{path}: cannot read the hashes to exclude ({error})") from error
    hashes = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            value = int(text, 16)
        except ValueError:
            value = -1
        if not 0 <= value < 2**64:
            raise PackError(f"{path}: line {number} is not a 64-bit hexadecimal hash: {text!r}")
        hashes.append(value)
    return np.array(hashes, dtype=np.uint64)


def near_any(hashes: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """For each hash, whether one of `others` is within `NEAR_BITS`."""
    if len(others) == 0:
        return np.zeros(len(hashes), dtype=bool)
    return np.array([bool((bits_apart(others, h) <= NEAR_BITS).any()) for h in hashes], dtype=bool)


def first_of_duplicates(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each hash, the index of the first kept photo that it duplicates, or its own index."""
    first = np.arange(len(hashes))
    for index in range(1, len(hashes)):
        same = np.flatnonzero(bits_apart(hashes[:index], hashes[index]) <= DUPLICATE_BITS)
        kept = same[first[same] == same]
        if len(kept):
            first[index] = kept[0]
    return first


def near_groups(hashes: NDArray[np.uint64], mirrored: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Connected components of "within `NEAR_BITS`": a group number for each hash.

    Args:
        hashes: (N,) 64-bit hashes.
        mirrored: (N,) hashes of the mirror images, which link photos too.
    """
    parent = list(range(len(hashes)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for index in range(1, len(hashes)):
        upright, turned = (bits_apart(hashes[:index], own[index]) for own in (hashes, mirrored))
        for other in np.flatnonzero((upright <= NEAR_BITS) | (turned <= NEAR_BITS)):
            parent[root(index)] = root(int(other))
    return np.array([root(node) for node in range(len(hashes))], dtype=np.int64)


def choose_dev(
    hashes: NDArray[np.uint64],
    mirrored: NDArray[np.uint64],
    eligible: NDArray[np.bool_],
    size: int,
) -> NDArray[np.bool_]:
    """Chooses the dev split.

    A group of near-duplicates, mirrored ones included, goes to one side as a whole. Groups are
    taken in the order of a digest of their content, so the choice depends on the photos only, not
    on names, order or a seed.

    Args:
        hashes: (N,) 64-bit hashes.
        mirrored: (N,) hashes of the mirror images.
        eligible: (N,) whether dev may hold each photo; a group with another photo stays in train.
        size: dev gets whole groups until it holds at least this many photos.
    """
    groups = near_groups(hashes, mirrored)
    members: dict[int, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(int(group), []).append(index)

    def digest(indices: list[int]) -> bytes:
        smallest = min(int(hashes[i]) for i in indices)
        return hashlib.sha256(smallest.to_bytes(8, "big")).digest()

    dev = np.zeros(len(hashes), dtype=bool)
    for indices in sorted(members.values(), key=digest):
        if dev.sum() >= size:
            break
        if eligible[indices].all():
            dev[indices] = True
    return dev


def bits_apart(hashes: NDArray[np.uint64], other: np.uint64) -> NDArray[np.uint8]:
    """Number of bits in which each of some 64-bit hashes differs from another one."""
    return np.bitwise_count(hashes ^ other)
