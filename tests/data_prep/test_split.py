"""Duplicates, near groups and the dev split, against brute force on random hashes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from colorflow.errors import PackError
from data_prep.split import (
    choose_dev,
    first_of_duplicates,
    near_any,
    near_groups,
    read_hashes,
)

Hashes = NDArray[np.uint64]


def families(seed: int, count: int = 60) -> Hashes:
    """Random hashes, each a few flipped bits from some other one or quite new."""
    rng = np.random.default_rng(seed)
    hashes = [int(rng.integers(0, 2**64, dtype=np.uint64))]
    while len(hashes) < count:
        value = hashes[rng.integers(len(hashes))]
        for bit in rng.choice(64, size=rng.integers(0, 9), replace=False):
            value ^= 1 << int(bit)
        new = int(rng.integers(0, 2**64, dtype=np.uint64))
        hashes.append(value if rng.random() < 0.7 else new)
    return rng.permutation(np.array(hashes, dtype=np.uint64))


def distances(hashes: Hashes, others: Hashes) -> NDArray[np.int64]:
    """Hamming distances by Python's integers."""
    return np.array([[(int(a) ^ int(b)).bit_count() for b in others] for a in hashes])


@pytest.mark.parametrize("seed", range(3))
def test_near_any_is_brute_force(seed: int) -> None:
    hashes = families(seed)
    expected = (distances(hashes[:40], hashes[40:]) <= 6).any(1)
    assert near_any(hashes[:40], hashes[40:]).tolist() == expected.tolist()
    assert expected.any()
    assert not expected.all()


@pytest.mark.parametrize("seed", range(3))
def test_first_of_duplicates_is_brute_force(seed: int) -> None:
    hashes = families(seed)
    near = distances(hashes, hashes) <= 2
    kept: list[int] = []
    expected = []
    for index in range(len(hashes)):
        original = next((other for other in kept if near[index, other]), index)
        expected.append(original)
        if original == index:
            kept.append(index)
    assert first_of_duplicates(hashes).tolist() == expected
    assert len(kept) < len(hashes)


def test_a_chain_of_duplicates_loses_no_photo_for_good() -> None:
    """0 ~ 1 ~ 2 but not 0 ~ 2: photo 2 stays, since the photo that it duplicates is dropped."""
    assert first_of_duplicates(np.array([0, 0b11, 0b1111], dtype=np.uint64)).tolist() == [0, 0, 2]


@pytest.mark.parametrize("seed", range(3))
def test_near_groups_are_connected_components(seed: int) -> None:
    hashes = families(seed)
    count, labels = connected_components(distances(hashes, hashes) <= 6)
    groups = near_groups(hashes, ~hashes)
    assert 1 < count < len(hashes)
    ours, theirs = groups[:, None] == groups, labels[:, None] == labels
    assert np.array_equal(ours, theirs)


def test_mirror_images_are_near() -> None:
    """Photo 2 is nearly the mirror image of photo 0."""
    hashes = np.array([0xFF, 0xFFFF_FFFF << 32, 0xABCD << 40], dtype=np.uint64)
    mirrored = np.array([(0xABCD << 40) + 0b11, 0xFFFF << 4, 0xFF ^ 0b111], dtype=np.uint64)
    groups = near_groups(hashes, mirrored)
    assert groups[0] == groups[2] != groups[1]
    for size in (1, 2):
        dev = choose_dev(hashes, mirrored, np.ones(3, bool), size)
        assert dev[0] == dev[2]


@pytest.mark.parametrize("seed", range(3))
def test_dev_never_parts_near_photos_and_reaches_its_size(seed: int) -> None:
    hashes = families(seed)
    eligible = np.random.default_rng(seed).random(len(hashes)) < 0.8
    dev = choose_dev(hashes, ~hashes, eligible, 12)
    near = distances(hashes, hashes) <= 6
    assert not near[np.ix_(dev, ~dev)].any()
    assert eligible[dev].all()

    _, labels = connected_components(near)
    sizes = [int((labels == label).sum()) for label in set(labels[dev].tolist())]
    room = sum(
        eligible[labels == label].sum() for label in set(labels) if eligible[labels == label].all()
    )
    assert min(12, room) <= dev.sum() < 12 + max(sizes)


def test_dev_depends_on_the_photos_alone_not_on_their_order() -> None:
    hashes = np.unique(families(3))
    eligible = np.ones(len(hashes), dtype=bool)
    order = np.random.default_rng(0).permutation(len(hashes))
    there, here = (
        choose_dev(hashes, ~hashes, eligible, 10),
        choose_dev(hashes[order], ~hashes[order], eligible, 10),
    )
    assert set(hashes[there].tolist()) == set(hashes[order][here].tolist())


# hash files


def test_hash_files_may_have_comments_blank_lines_and_capitals(tmp_path: Path) -> None:
    path = tmp_path / "hashes.txt"
    path.write_text("# hashes\n\n00ff\n  FFFFFFFFFFFFFFFF  \r\n0\n")
    assert read_hashes(path).tolist() == [255, 2**64 - 1, 0]
    assert read_hashes(path).dtype == np.uint64


@pytest.mark.parametrize("line", ["photo.jpg", "1" + 16 * "0", "-1"])
def test_a_line_that_is_no_hash_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "hashes.txt"
    path.write_text(f"ff\n{line}\n", encoding="utf-8")
    with pytest.raises(PackError, match="line 2 is not a 64-bit hexadecimal hash") as caught:
        read_hashes(path)
    assert str(path) in str(caught.value)
