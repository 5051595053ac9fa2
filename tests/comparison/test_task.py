"""The task: chroma on the grid, noise, and a density in CIELAB units."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from colorflow.comparison.task import (
    ChromaTask,
    bits_per_dim,
    density_of,
    means,
    noisy_means,
)
from colorflow.flows import Bijection, Composition, Flatten
from colorflow.model.condition import Condition
from colorflow.model.density import FIRST_ROWS
from colorflow.training.pack import Pack
from colorflow.zoo import ARCHITECTURES, Architecture


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch(pack_folder: Path) -> tuple[torch.Tensor, Condition]:
    pack = Pack(pack_folder)
    return pack.batch(pack.rows("train"), ChromaTask.maps)


def test_the_means_are_those_of_4x4_pixels() -> None:
    ab = torch.randn(3, 2, 64, 64, generator=generator())
    expected = ab.double().numpy().reshape(3, 2, 16, 4, 16, 4).mean((3, 5))
    assert np.abs(means(ab).numpy() - expected).max() < 1e-6


def test_the_noise_has_std_1_and_comes_from_the_generator() -> None:
    ab = torch.full((100, 2, 64, 64), 30.0)
    x = noisy_means(ab, generator())
    assert float(x.mean()) == pytest.approx(30, abs=4 / math.sqrt(x.numel()))
    assert float(x.std()) == pytest.approx(1, abs=4 / math.sqrt(2 * x.numel()))
    assert torch.equal(x, noisy_means(ab, generator()))
    assert not torch.equal(x, noisy_means(ab, generator(1)))


def test_bits_per_dim() -> None:
    assert bits_per_dim(512 * math.log(2)) == pytest.approx(1.0)


def test_a_new_density_is_the_normal_one_of_the_data(
    batch: tuple[torch.Tensor, Condition],
) -> None:
    """Couplings start as the identity, so what is left is standardization, per CIELAB unit."""
    density = density_of(ARCHITECTURES["small"])
    x = noisy_means(batch[0], generator())
    with torch.no_grad():
        density.fit(x, batch[1])
        log_prob = density.eval().log_prob(x, batch[1])
    values = x.double().numpy()
    mean = values.mean((0, 2, 3), keepdims=True)
    std = values.std((0, 2, 3), ddof=1, keepdims=True)
    expected = stats.norm.logpdf(values, mean, std).sum((1, 2, 3))
    assert np.abs(log_prob.numpy() - expected).max() < 0.01


def test_samples_belong_to_their_photos(
    batch: tuple[torch.Tensor, Condition], randomize: Any
) -> None:
    """The latents of a photo's samples, given its own context, are those that were drawn."""
    density = randomize(density_of(ARCHITECTURES["small"]))
    condition = batch[1].map(lambda x: x[:3])
    with torch.no_grad():
        samples = density.sample(condition, 2, generator(5))
        assert samples.shape == (3, 2, 2, 16, 16)
        drawn = torch.randn(6, 512, generator=generator(5)).unflatten(0, (3, 2))
        context = density.context_of(condition)
        assert not torch.allclose(context[0], context[1], atol=1e-2)
        for index in range(2):
            z, _ = density.flow.bijection(samples[:, index], context)
            assert torch.allclose(z, drawn[:, index], atol=1e-4)


class Counting(Bijection):
    """The identity; remembers how it was called."""

    calls: list[tuple[int, bool]] = []  # noqa: RUF012

    def forward(self, x: Any, context: Any = None) -> Any:
        self.calls.append((len(x), self.training))
        return x, x.new_zeros(len(x))

    inverse = forward


def test_layers_with_a_start_of_their_own_see_training_data_first(
    batch: tuple[torch.Tensor, Condition],
) -> None:
    built = Architecture(
        name="", build=lambda shape, _: Composition([Counting(), Flatten(shape)]),
        source="", published="", reduced="",
    )  # fmt: skip
    density = density_of(built).eval()
    with torch.no_grad():
        density.fit(noisy_means(batch[0], generator()), batch[1])
    assert Counting.calls == [(min(FIRST_ROWS, len(batch[0])), True)]


def test_every_architecture_learns_from_the_same_numbers(
    batch: tuple[torch.Tensor, Condition],
) -> None:
    seen = []

    class Watch(torch.nn.Module):
        def forward(self, x: torch.Tensor, _: Condition) -> torch.Tensor:
            seen.append(x)
            return x.sum((1, 2, 3))

    for name in ("small", "smaller"):
        loss = ChromaTask(name).loss(Watch(), *batch, generator(3))
        assert torch.equal(loss, -seen[-1].sum((1, 2, 3)))
    assert torch.equal(*seen)
    assert ChromaTask("small").stream == ChromaTask("smaller").stream


def test_what_is_drawn_to_look_at(batch: tuple[torch.Tensor, Condition]) -> None:
    density = density_of(ARCHITECTURES["small"]).eval()
    with torch.no_grad():
        drawn = ChromaTask("small").draw(density, *batch, generator())
    assert drawn.shape == (len(batch[0]), 6, 2, 16, 16)
    assert not drawn[:, 0].any()
    assert torch.equal(drawn[:, 1], means(batch[0]))
