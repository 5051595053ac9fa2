"""Densities in the plane: the data sets, training, and the figure."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import toys
from benchmarks.toys import DATA, nats_of_test_points, train_toy
from colorflow.flows import Bijection
from colorflow.training import trainer
from colorflow.zoo import Architecture, nice


@pytest.fixture(scope="module", autouse=True)
def _small_zoo() -> Iterator[None]:
    """A small flow, and one that is not for the plane."""

    def refuses(*_: object) -> Bijection:
        raise ValueError("shape: expected more cells")

    small = Architecture(name="small", build=nice, reduced="")
    broken = Architecture(name="B", build=refuses, reduced="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toys, "ARCHITECTURES", {"small": small, "broken": broken})
        patch.setattr(toys, "TEST_POINTS", 1000)
        patch.setattr(trainer, "WARM_UP_STEPS", 5)
        patch.setattr(torch, "set_num_threads", lambda _: None)
        yield


def test_eight_gaussians_have_eight_centers() -> None:
    points = toys.eight_gaussians(20_000, np.random.default_rng(3))
    angle = np.arange(8) * np.pi / 4
    offsets = points[:, None] - 2.2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    nearest = np.argmin(np.hypot(*np.moveaxis(offsets, 2, 0)), 1)
    assert np.bincount(nearest) / 20_000 == pytest.approx(np.full(8, 1 / 8), abs=0.02)
    own = offsets[np.arange(20_000), nearest]
    assert own.std(0) == pytest.approx([0.2, 0.2], rel=0.05)


def test_training_tells_the_data_sets_apart() -> None:
    start, flow = (train_toy(toys.ARCHITECTURES["small"], steps=n, seed=0) for n in (1, 120))
    assert not flow.training
    for name in DATA:
        assert nats_of_test_points(flow, name, 0) < nats_of_test_points(start, name, 0) - 0.03
    points = toys._tensor(DATA["eight Gaussians"](2000, np.random.default_rng(3)))
    own, other = (
        float(flow(points, toys._context(name, 2000)).mean().detach())
        for name in ("eight Gaussians", "two moons")
    )
    assert own > other + 0.03


def test_all_are_trained_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = tmp_path / "toys.jpg"
    monkeypatch.setattr(sys, "argv", ["toys", "-o", str(figure), "--steps", "2", "--seed", "1"])
    toys.main()
    (item,) = json.loads((tmp_path / "toys.json").read_text())
    assert (item["key"], set(item["nats"])) == ("small", set(DATA))
    assert all(2 < value < 8 for value in item["nats"].values())
    assert item["command"].endswith(f"benchmarks.toys -o {figure} --steps 2 --seed 1")
    assert "broken: not for data in the plane, left out (shape:" in capsys.readouterr().out
    with Image.open(figure) as picture:
        assert picture.height > 2 * 100, "the truth and an architecture"
        assert np.asarray(picture).std() > 10
