"""What a finder of damage is shown."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import scipy.ndimage
from numpy.typing import NDArray

from colorflow.repair.network import EVIDENCE, EVIDENCE_REACH, evidence

STEPS = [(1, 0), (3, 1), (3, 2), (1, 1), (2, 3), (1, 3), (0, 1), (-1, 3), (-2, 3), (-1, 1)]
STEPS += [(-3, 2), (-3, 1)]
"""Columns and rows between the samples of a line."""
LINES = slice(8, 12)


def noise(seed: int, shape: tuple[int, int] = (96, 128), std: float = 12.0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return np.clip(50 + std * rng.standard_normal(shape), 0, 100).astype(np.float32)


def lines_at(x: NDArray[np.float32], row: int, column: int) -> list[float]:
    """Lighter and darker lines through a pixel, in L* units and in stds, sample by sample."""
    found = [0.0] * 4
    for across, down in STEPS:
        count = 32 if 0 in (across, down) else 16 if abs(across) == down else 8
        length = float(np.hypot(across, down))
        to = [int(np.rint(5 * part / length)) for part in (-down, across)]
        start = [int(np.rint((count - 1) / 2 * part)) for part in (across, down)]

        def samples(
            aside: int, start=start, to=to, count=count, across=across, down=down
        ) -> NDArray[np.float64]:
            n = np.arange(count)
            columns = column - start[0] + aside * to[0] + across * n
            rows = row - start[1] + aside * to[1] + down * n
            inside = np.clip(rows, 0, x.shape[0] - 1), np.clip(columns, 0, x.shape[1] - 1)
            return x[inside].astype(np.float64)

        own, one, other = samples(0), samples(1).mean(), samples(-1).mean()
        lighter, darker = own.mean() - max(one, other), min(one, other) - own.mean()
        std = own.std() + 3
        values = (lighter / 25, darker / 25, lighter / std / 3, darker / std / 3)
        found = [max(pair) for pair in zip(found, values, strict=True)]
    return found


def test_lines_are_the_means_along_them_and_beside_them() -> None:
    """Sample by sample, at the edges too, where blocks of columns meet, and at half the size."""
    x = noise(0, (96, 1100))
    planes = evidence(x)
    assert planes.shape == (EVIDENCE, 96, 1100)
    assert planes.dtype == np.float32
    rng = np.random.default_rng(1)
    places = [(0, 0), (95, 1099), *((row, 511 + row % 3) for row in range(0, 96, 8))]
    places += [(int(row), int(column)) for row, column in rng.integers((96, 1100), size=(20, 2))]
    halved = scipy.ndimage.uniform_filter(x, 2, origin=-1)[::2, ::2]
    for row, column in places:
        np.testing.assert_allclose(planes[LINES, row, column], lines_at(x, row, column), atol=1e-4)
        np.testing.assert_allclose(
            planes[12:, row, column], lines_at(halved, row // 2, column // 2), atol=1e-4
        )


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_a_line_stands_out_from_grass_in_which_no_pixel_does(degrees: int) -> None:
    x = noise(degrees)
    x = cv2.GaussianBlur(x, (0, 0), 0.8) * 2 - 50  # grass is smoother than noise
    way = 60 * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    middle = np.array([64, 48])
    ends = [tuple(map(int, np.rint(middle + sign * way))) for sign in (-1, 1)]
    is_line = cv2.line(np.zeros(x.shape, np.uint8), ends[0], ends[1], 1, 3) > 0
    drawn = np.where(is_line, x + 18, x).astype(np.float32)
    lighter, thin = evidence(drawn)[8], evidence(drawn)[1]
    inner = np.zeros_like(is_line)
    inner[12:-12, 12:-12] = True
    beside = inner & ~cv2.dilate(is_line.astype(np.uint8), np.ones((9, 9))).astype(bool)

    def told(plane: NDArray[np.float32]) -> float:
        """Share of the line above nearly all of what is beside it."""
        return float((plane[is_line & inner] > np.quantile(plane[beside], 0.99)).mean())

    assert told(lighter) > 0.6
    assert told(lighter) > told(thin) + 0.3


def test_an_outline_is_no_line() -> None:
    x = np.full((64, 64), 20, np.float32)
    x[:, 30:] = 80
    assert np.abs(evidence(x)[LINES]).max() < 0.05
    assert np.abs(evidence(100 - x)[8:]).max() < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_evidence_reaches_no_farther_than_is_said(seed: int) -> None:
    """What is farther away changes nothing; what strips hand on is enough."""
    rng = np.random.default_rng(seed)
    x = noise(seed, (160, 160))
    y = x.copy()
    row, column = rng.integers(160, size=2)
    y[row, column] = 100 - y[row, column] + 30
    changed = np.argwhere((evidence(x) != evidence(y)).any(0))
    assert len(changed)
    assert np.abs(changed - [row, column]).max() <= EVIDENCE_REACH
    assert EVIDENCE_REACH % 2 == 0
