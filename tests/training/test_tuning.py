"""Energy score, interval factors, statistics of colors."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.errors import PackError
from colorflow.training.pixels import PixelPack
from colorflow.training.tuning import (
    TrainingColors,
    calibrate,
    energy_score,
    training_colors,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def brute_force(samples: np.ndarray, truth: np.ndarray) -> list[float]:
    """Every pair by itself, in double precision; norms are root mean squares."""
    scores = []
    for photo, target in zip(samples.astype(float), truth.astype(float), strict=True):
        n = len(photo)
        to_truth = [np.sqrt(np.mean((sample - target) ** 2)) for sample in photo]
        pairs = [
            np.sqrt(np.mean((photo[i] - photo[j]) ** 2))
            for i in range(n)
            for j in range(n)
            if i != j
        ]
        scores.append(np.mean(to_truth) - np.mean(pairs) / 2)
    return scores


@pytest.mark.parametrize("sizes", [(3, 2, 1), (2, 8, 2, 8, 8), (2, 40, 2, 4, 4)])
def test_energy_score_is_brute_force(sizes: tuple[int, ...]) -> None:
    samples = 20 * torch.randn(sizes, generator=generator())
    truth = 5 + 20 * torch.randn((sizes[0], *sizes[2:]), generator=generator(1))
    scores = energy_score(samples, truth)
    assert scores.shape == (sizes[0],)
    assert np.allclose(scores.numpy(), brute_force(samples.numpy(), truth.numpy()), atol=1e-3)


def expected_score(mean: float, std: float, n: int = 8, count: int = 40_000) -> float:
    """Mean score of n samples of N(mean, std^2) against a truth of N(0, 1), one number each."""
    samples = mean + std * torch.randn(count, n, 1, generator=generator())
    return float(energy_score(samples, torch.randn(count, 1, generator=generator(1))).mean())


def test_the_energy_score_is_proper() -> None:
    """No other distribution of samples scores better than that of the truth."""
    right = expected_score(0, 1)
    for mean, std in [(0, 0), (0, 0.6), (0, 1.6), (0.5, 1), (-0.5, 0.8)]:
        assert expected_score(mean, std) > right + 0.01, (mean, std)


# interval factors


class NormalPack:
    """Photos of 8x8 standard normal numbers in a and b, each with its mean as the condition."""

    def __init__(self, photos: int) -> None:
        self.mean = 30 * torch.randn(photos, 2, 8, 8, generator=generator(1))
        self.truth = self.mean + torch.randn(photos, 2, 8, 8, generator=generator(2))
        self.asked: list[dict[str, Any]] = []
        self.read: list[int] = []

    def rows(self, split: str, *, variant: str, larger_than: int) -> np.ndarray:
        self.asked.append({"split": split, "variant": variant, "larger_than": larger_than})
        return np.arange(len(self.truth))

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        self.read += rows.tolist()
        return self.truth[rows], self.mean[rows]


class NormalModel:
    """Knows the mean, and believes in a std of its own."""

    levels = (None, None)

    def __init__(self, std: float) -> None:
        self.std = std

    def sample(self, mean: Tensor, n: int, temperatures: Any, generator: Any) -> Tensor:
        assert list(temperatures) == [1.0, 1.0]
        noise = torch.randn(len(mean), n, *mean.shape[1:], generator=generator)
        return mean[:, None] + self.std * noise


@pytest.mark.parametrize("std", [0.5, 1.0, 2.0])
def test_factors_make_up_for_a_std_that_is_wrong(std: float) -> None:
    """Intervals of normal samples are as wide as their std: the factor is 1 / std."""
    pack, said = NormalPack(200), list[str]()
    factors = calibrate(NormalModel(std), pack, say=said.append)  # type: ignore[arg-type]
    assert factors == pytest.approx({0.5: 1 / std, 0.9: 1 / std}, rel=0.05)
    assert pack.asked == [{"split": "dev", "variant": "whole", "larger_than": 128}]
    assert sorted(pack.read) == list(range(200))
    assert [line.split(":")[0] for line in said] == [
        "central 50% interval at std 1",
        "central 90% interval at std 1",
    ]


def test_training_colors_are_those_of_the_files(pack_folder: Path) -> None:
    with (pack_folder / "photos.csv").open(encoding="utf-8") as file:
        photos = list(csv.DictReader(file))
    train = np.array([photo["split"] == "train" for photo in photos])
    large = np.array([int(photo["short_side"]) > 128 for photo in photos])
    chroma = np.array([float(photo["mean_chroma"]) for photo in photos])
    chosen = np.load(pack_folder / "ab.npy")[train & large]
    assert len(chosen) == 9

    found = training_colors(PixelPack(pack_folder))
    assert found.mean_ab == pytest.approx(chosen.astype(float).mean((0, 2, 3)), rel=1e-5)
    assert found.blow_up_chroma == pytest.approx(np.quantile(chroma[train], 0.999), rel=1e-12)


def test_a_pack_without_large_photos_is_refused(own_pack: Path) -> None:
    text = (own_pack / "photos.csv").read_text()
    (own_pack / "photos.csv").write_text(text.replace(",200,", ",100,"))
    with pytest.raises(PackError, match="no large photo among train"):
        training_colors(PixelPack(own_pack))


def test_the_header_of_a_weights_file() -> None:
    colors = TrainingColors(mean_ab=(1.0, -2.0), blow_up_chroma=70.0)
    assert TrainingColors.from_dict(json.loads(json.dumps(dataclasses.asdict(colors)))) == colors
    assert TrainingColors.from_dict({"mean_ab": [1.0, -2.0], "largest_chroma": 70.0}) == colors
