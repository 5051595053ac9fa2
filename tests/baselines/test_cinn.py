"""The cINN of 2019 on the whole grid: statistics, context, noise and size."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from colorflow.baselines import BASELINES
from colorflow.baselines.cinn import CONTEXT, SHAPE, CinnTask, original_cinn
from colorflow.model.condition import Condition
from colorflow.model.density import ConditionalDensity
from colorflow.training.pack import Pack
from colorflow.training.targets import with_noise
from tests.small_baselines import small_cinn

MEGABYTES = 1e6


@pytest.fixture
def batch(pack_folder: Path) -> tuple[Tensor, Condition]:
    pack = Pack(pack_folder)
    return pack.batch(pack.rows("train")[:8], CinnTask.maps)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def original() -> ConditionalDensity:
    """The shipped architecture, untrained. Read it only."""
    return original_cinn().eval()


@pytest.mark.parametrize("name", BASELINES)
def test_the_weights_file_will_be_below_10_megabytes(
    name: str, original: ConditionalDensity
) -> None:
    module = original if name == "cinn2019" else BASELINES[name].build()
    count = sum(x.numel() for x in module.state_dict().values())
    assert 1 * MEGABYTES < 2 * count < 10 * MEGABYTES


def fitted(batch: tuple[Tensor, Condition], randomize: Callable) -> ConditionalDensity:
    """A small one with random parameters, and the statistics of the batch."""
    density = randomize(small_cinn(), gain=0.3)
    with torch.no_grad():
        CinnTask().fit(density, *batch, generator(4))
    return density.eval()


def test_the_density_is_that_of_standardized_noisy_colors_per_cielab_unit(
    batch: tuple[Tensor, Condition],
) -> None:
    """The shipped architecture, on 64x64; what follows the standardization has tests of its own."""
    density = original_cinn()
    ab, condition = batch[0][:3], batch[1].map(lambda x: x[:3])
    with torch.no_grad():
        CinnTask().fit(density, ab, condition, generator(4))
        loss = CinnTask().loss(density.eval(), ab, condition, generator(4))
        values = with_noise(ab, generator(4))
        std, mean = torch.std_mean(values.double(), (0, 2, 3), keepdim=True)
        assert std.min() > 5
        _, bijection = density.flow.bijection.bijections
        x = ((values - mean) / std).float()
        z, ladj = bijection(x, density.context_of(condition))
    assert z.shape == (3, 8192)
    assert SHAPE == (2, 64, 64)
    expected = -stats.norm.logpdf(z.double().numpy()).sum(1) - ladj.double().numpy()
    expected += 64 * 64 * std.log().sum().item()
    np.testing.assert_allclose(loss, expected, rtol=0, atol=0.1)


def test_statistics_of_the_features_are_taken(
    batch: tuple[Tensor, Condition], randomize: Callable
) -> None:
    density = fitted(batch, randomize)
    for side, x in batch[1].features.items():
        found = density.context.standardize[str(side)].mean.flatten()
        torch.testing.assert_close(found, x.mean((0, 2, 3)), rtol=0, atol=1e-4)


def test_round_trip_in_float64(batch: tuple[Tensor, Condition], randomize: Callable) -> None:
    density = fitted(batch, randomize).double()
    ab, condition = batch[0].double(), batch[1].map(lambda x: x.double())
    with torch.no_grad():
        context = density.context_of(condition)
        assert context.shape == (8, 2, 64, 64)
        z, ladj = density.flow.bijection(ab, context)
        back, back_ladj = density.flow.bijection.inverse(z, context)
    assert z.shape == (8, 8192)
    torch.testing.assert_close(back, ab, rtol=0, atol=1e-8)
    torch.testing.assert_close(back_ladj, -ladj, rtol=0, atol=1e-8)
    assert ladj.abs().min() > 100


def test_samples_in_cielab_units_belong_to_their_photos(
    batch: tuple[Tensor, Condition], randomize: Callable
) -> None:
    density = fitted(batch, randomize)
    condition = batch[1].map(lambda x: x[:2])
    with torch.no_grad():
        samples = density.sample(condition, 3, generator(5), temperature=0.5)
        assert samples.shape == (2, 3, 2, 64, 64)
        context = density.context_of(condition)
        assert not torch.allclose(context[0], context[1], atol=1e-2)
        drawn = 0.5 * torch.randn(6, 8192, generator=generator(5)).unflatten(0, (2, 3))
        for index in range(3):
            z, _ = density.flow.bijection(samples[:, index], context)
            torch.testing.assert_close(z, drawn[:, index], rtol=0, atol=1e-3)


@pytest.mark.parametrize("part", ["lightness", "8", "16", "32"])
def test_the_density_depends_on_lightness_and_features(
    part: str, batch: tuple[Tensor, Condition], randomize: Callable
) -> None:
    density = fitted(batch, randomize)
    ab, condition = batch
    changed = Condition(
        lightness=condition.lightness.flip(-1) if part == "lightness" else condition.lightness,
        features={
            side: x.roll(1, 0) if part == str(side) else x for side, x in condition.features.items()
        },
    )
    with torch.no_grad():
        before, after = density.log_prob(ab, condition), density.log_prob(ab, changed)
    assert ((after - before).abs() > 1e-2).all()


def test_the_context_is_trained_and_sees_its_maps() -> None:
    density = small_cinn()
    names = [name for name, p in density.named_parameters() if p.requires_grad]
    assert {"context.squeeze.weight", "to_grid.0.weight"} <= set(names)
    assert CinnTask.maps == CONTEXT.maps == (8, 16, 32)


def test_the_noise_has_std_1_and_comes_from_the_generator() -> None:
    ab = torch.full((20, 2, 64, 64), 30.0)
    x = with_noise(ab, generator())
    assert float(x.mean()) == pytest.approx(30, abs=4 / math.sqrt(x.numel()))
    assert float(x.std()) == pytest.approx(1, abs=4 / math.sqrt(2 * x.numel()))
    assert torch.equal(x, with_noise(ab, generator()))
    assert not torch.equal(x, with_noise(ab, generator(1)))


def test_the_loss_is_that_of_noisy_colors_in_nats(batch: tuple[Tensor, Condition]) -> None:
    seen: list[Tensor] = []

    class Watch(torch.nn.Module):
        def forward(self, x: Tensor, _: Condition) -> Tensor:
            seen.append(x)
            return x.sum((1, 2, 3))

    loss = CinnTask().loss(Watch(), *batch, generator(3))
    assert torch.equal(seen[0], with_noise(batch[0], generator(3)))
    assert torch.equal(loss, -seen[0].sum((1, 2, 3)))
    assert CinnTask.unit == "nats a photo"


def test_what_is_drawn_to_look_at(batch: tuple[Tensor, Condition], randomize: Any) -> None:
    density = fitted(batch, randomize)
    with torch.no_grad():
        drawn = CinnTask().draw(density, *batch, generator(2))
        samples = density.sample(batch[1], 4, generator(2))
    assert drawn.shape == (8, 6, 2, 64, 64)
    assert not drawn[:, 0].any()
    assert torch.equal(drawn[:, 1], batch[0])
    assert torch.equal(drawn[:, 2:], samples)
