"""Densities in the plane: the data sets, training, and the figure."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from benchmarks import toys
from benchmarks.toys import (
    CELLS,
    DATA,
    LIMIT,
    density_on_grid,
    eight_gaussians,
    nats_of_test_points,
    train_toy,
)
from colorflow.flows import (
    Affine,
    Bijection,
    ChannelPartition,
    Composition,
    ConvolutionNetwork,
    Coupling,
    Flatten,
    Flow,
)
from colorflow.training import schedule
from colorflow.zoo import Architecture

COUNT = 20_000


def coupling(shape: tuple[int, int, int], context_channels: int) -> Bijection:
    """Affine couplings of the two channels, in turn."""
    steps = [
        Coupling(
            ChannelPartition(shape[0], keep_first=keep_first),
            ConvolutionNetwork(1, context_channels, 8, 2),
            Affine(1.0, 3.0),
        )
        for keep_first in (True, False)
    ]
    return Composition([*steps, Flatten(shape)])


@pytest.fixture(scope="module", autouse=True)
def _small_zoo() -> Iterator[None]:
    """Two small flows, and none for images."""
    small = [
        Architecture(name=key, build=coupling, reduced="", images=False)
        for key in ("small", "flat")
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toys, "ARCHITECTURES", {one.name: one for one in small})
        patch.setattr(schedule, "WARM_UP_STEPS", 5)
        patch.setattr(torch, "set_num_threads", lambda _: None)
        yield


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_eight_gaussians_have_eight_centers() -> None:
    points = eight_gaussians(COUNT, rng())
    angle = np.arange(8) * np.pi / 4
    centers = 2.2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    offsets = points[:, None] - centers
    nearest = np.argmin(np.hypot(offsets[..., 0], offsets[..., 1]), 1)
    assert np.bincount(nearest) / COUNT == pytest.approx(np.full(8, 1 / 8), abs=0.02)
    own = offsets[np.arange(COUNT), nearest]
    assert own.std(0) == pytest.approx([0.2, 0.2], rel=0.05)


class Shift(Bijection):
    """Standard normal around (1, -1)."""

    def forward(self, x: Any, context: Any = None) -> Any:
        return x - x.new_tensor([1.0, -1.0]).reshape(2, 1, 1), x.new_zeros(len(x))

    inverse = forward


def shifted() -> Flow:
    return Flow(Composition([Shift(), Flatten((2, 1, 1))]), (2,))


def test_the_density_has_its_axes_right_and_integrates_to_one() -> None:
    density = density_on_grid(shifted(), "pinwheel")
    row, column = np.unravel_index(density.argmax(), density.shape)
    center = CELLS / 2 - 0.5
    cell = 2 * LIMIT / CELLS
    assert (column - center) * cell == pytest.approx(1, abs=cell)
    assert (row - center) * cell == pytest.approx(-1, abs=cell)
    inside = np.prod([np.diff(stats.norm.cdf([-LIMIT, LIMIT], m))[0] for m in (1, -1)])
    assert density.sum() * cell**2 == pytest.approx(inside, rel=1e-3)


def test_training_tells_the_data_sets_apart() -> None:
    flow = train_toy(toys.ARCHITECTURES["small"], steps=80, seed=0)
    start = train_toy(toys.ARCHITECTURES["small"], steps=1, seed=0)
    for name in DATA:
        assert nats_of_test_points(flow, name, 0) < nats_of_test_points(start, name, 0) - 0.03
    points = toys._tensor(DATA["eight Gaussians"](2000, rng()))
    own, other = (
        float(flow(points, toys._context(name, 2000)).mean().detach())
        for name in ("eight Gaussians", "two moons")
    )
    assert own > other + 0.03
    assert not flow.training


def test_all_are_trained_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(*_: object) -> Bijection:
        raise ValueError("shape: expected more cells")

    broken = Architecture(name="B", build=refuses, reduced="")
    monkeypatch.setitem(toys.ARCHITECTURES, "broken", broken)
    monkeypatch.setattr(toys, "TEST_POINTS", 200)
    figure = tmp_path / "toys.jpg"
    monkeypatch.setattr(sys, "argv", ["toys", "-o", str(figure), "--steps", "2", "--seed", "1"])
    toys.main()
    results = json.loads((tmp_path / "toys.json").read_text())
    assert [item["key"] for item in results] == ["small", "flat"]
    for item in results:
        assert set(item["nats"]) == set(DATA)
        assert all(2 < value < 8 for value in item["nats"].values())
        assert item["command"].endswith(f"benchmarks.toys -o {figure} --steps 2 --seed 1")
    assert "broken: not for data in the plane, left out (shape:" in capsys.readouterr().out
    with Image.open(figure) as picture:
        assert picture.format == "JPEG"
        assert picture.height > 3 * 100, "the truth and two architectures"
        assert np.asarray(picture).std() > 10
