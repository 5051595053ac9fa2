"""What the compared densities learn: grid, noise, units, and the photos that samples belong to."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from colorflow.evaluation.baselines.cinn import SHAPE, cinn_objective, original_cinn
from colorflow.evaluation.densities import (
    FIRST_ROWS,
    ConditionalDensity,
    DensityObjective,
    bits_per_dim,
)
from colorflow.evaluation.zoo import train as zoo
from colorflow.flows import Bijection, Composition, Flatten
from colorflow.model.condition import Condition
from colorflow.training.pack import Pack
from colorflow.zoo import Architecture
from tests.evaluation.conftest import generator
from tests.evaluation.small_baselines import small_cinn
from tests.evaluation.zoo.conftest import coupling

Batch = tuple[Tensor, Condition]


@pytest.fixture
def batch(pack_folder: Path) -> Batch:
    pack = Pack(pack_folder)
    return pack.batch(pack.rows("train")[:8], (8, 16, 32))


def architecture(build: Callable[..., Bijection]) -> Architecture:
    return Architecture(name="", build=build, source="", published="", reduced="")


def small_density() -> ConditionalDensity:
    """Couplings on the zoo's grid, with its context network."""
    return zoo.density_of(architecture(coupling))


def zoo_objective() -> DensityObjective:
    return DensityObjective("small", zoo.GRID, zoo.CONTEXT.maps)


BOTH = pytest.mark.parametrize(
    ("build", "objective"), [(small_density, zoo_objective()), (small_cinn, cinn_objective())]
)


def test_targets_are_means_of_cells_with_noise_of_std_1() -> None:
    ab = 10 * torch.randn(20, 2, 64, 64, generator=generator())
    expected = ab.double().numpy().reshape(20, 2, 16, 4, 16, 4).mean((3, 5))
    assert np.abs(zoo_objective().means(ab).numpy() - expected).max() < 1e-5
    assert torch.equal(cinn_objective().means(ab), ab)
    for objective in (zoo_objective(), cinn_objective()):
        noise = objective.target(ab, generator()) - objective.means(ab)
        assert float(noise.mean()) == pytest.approx(0, abs=4 / math.sqrt(noise.numel()))
        assert float(noise.std()) == pytest.approx(1, abs=4 / math.sqrt(2 * noise.numel()))
        assert torch.equal(objective.target(ab, generator()), objective.target(ab, generator()))
        assert not torch.equal(
            objective.target(ab, generator()), objective.target(ab, generator(1))
        )


@BOTH
def test_the_loss_is_that_of_the_target_in_nats(
    build: Any, objective: DensityObjective, batch: Batch
) -> None:
    seen: list[Tensor] = []

    class Watch(nn.Module):
        def forward(self, x: Tensor, _: Condition) -> Tensor:
            seen.append(x)
            return x.sum((1, 2, 3))

    loss = objective.loss(Watch(), *batch, generator(3))
    assert torch.equal(seen[0], objective.target(batch[0], generator(3)))
    assert torch.equal(loss, -seen[0].sum((1, 2, 3)))
    assert (objective.unit, objective.stream) == ("nats a photo", 0), "the same for all"


@BOTH
def test_samples_belong_to_their_photos(
    build: Callable[[], ConditionalDensity],
    objective: DensityObjective,
    batch: Batch,
    randomize: Any,
) -> None:
    """Given a photo's own context, the latents of its samples are those that were sampled."""
    density = randomize(build(), gain=0.3)
    with torch.no_grad():
        objective.fit(density, *batch, generator(4))
        condition = batch[1].map(lambda x: x[:2])
        samples = density.eval().sample(condition, 3, generator(5), temperature=0.5)
        assert samples.shape == (2, 3, 2, objective.grid, objective.grid)
        sampled = 0.5 * torch.randn(6, samples[0, 0].numel(), generator=generator(5))
        context = density.context_of(condition)
        assert not torch.allclose(context[0], context[1], atol=1e-2)
        for index in range(3):
            z, _ = density.flow.bijection(samples[:, index], context)
            own = sampled.unflatten(0, (2, 3))[:, index]
            torch.testing.assert_close(z, own, rtol=0, atol=1e-3)


@BOTH
def test_the_preview_is_gray_truth_and_samples(
    build: Callable[[], ConditionalDensity], objective: DensityObjective, batch: Batch
) -> None:
    density = build().eval()
    with torch.no_grad():
        shown = objective.preview(density, *batch, generator(2))
        samples = density.sample(batch[1], 4, generator(2))
    assert shown.shape == (8, 6, 2, objective.grid, objective.grid)
    assert not shown[:, 0].any()
    assert torch.equal(shown[:, 1], objective.means(batch[0]))
    assert torch.equal(shown[:, 2:], samples)


@pytest.mark.parametrize(
    ("density", "objective"),
    [(small_density, zoo_objective()), (original_cinn, cinn_objective())],
)
def test_the_density_is_that_of_standardized_targets_per_cielab_unit(
    density: Callable[[], ConditionalDensity], objective: DensityObjective, batch: Batch
) -> None:
    """The architectures as they are; what follows the standardization has tests of its own."""
    module = density()
    ab, condition = batch[0][:3], batch[1].map(lambda x: x[:3])
    with torch.no_grad():
        objective.fit(module, ab, condition, generator(4))
        loss = objective.loss(module.eval(), ab, condition, generator(4))
        values = objective.target(ab, generator(4))
        std, mean = torch.std_mean(values.double(), (0, 2, 3), keepdim=True)
        assert std.min() > 5
        _, bijection = module.flow.bijection.bijections
        x = ((values - mean) / std).float()
        z, ladj = bijection(x, module.context_of(condition))
    expected = -stats.norm.logpdf(z.double().numpy()).sum(1) - ladj.double().numpy()
    expected += objective.grid**2 * std.log().sum().item()
    np.testing.assert_allclose(loss, expected, rtol=0, atol=0.1)


class Counting(Bijection):
    """The identity; remembers how it was called."""

    calls: list[tuple[int, bool]] = []  # noqa: RUF012

    def forward(self, x: Any, context: Any = None) -> Any:
        self.calls.append((len(x), self.training))
        return x, x.new_zeros(len(x))

    inverse = forward


def test_layers_with_a_start_of_their_own_see_training_data_first(batch: Batch) -> None:
    build = architecture(lambda shape, _: Composition([Counting(), Flatten(shape)]))
    with torch.no_grad():
        zoo_objective().fit(zoo.density_of(build).eval(), *batch, generator())
    assert Counting.calls == [(min(FIRST_ROWS, len(batch[0])), True)]


def test_bits_per_dim() -> None:
    assert bits_per_dim(512 * math.log(2), 512) == pytest.approx(1.0)


# the cINN of 2019


def test_the_cinn_is_exactly_invertible_on_the_whole_grid(batch: Batch, randomize: Any) -> None:
    density = randomize(small_cinn(), gain=0.3)
    with torch.no_grad():
        cinn_objective().fit(density, *batch, generator(4))
        density.eval().double()
        ab, condition = batch[0].double(), batch[1].map(lambda x: x.double())
        context = density.context_of(condition)
        assert context.shape == (8, *SHAPE)
        z, ladj = density.flow.bijection(ab, context)
        back, back_ladj = density.flow.bijection.inverse(z, context)
    assert z.shape == (8, 8192)
    torch.testing.assert_close(back, ab, rtol=0, atol=1e-8)
    torch.testing.assert_close(back_ladj, -ladj, rtol=0, atol=1e-8)
    assert ladj.abs().min() > 100


@pytest.mark.parametrize("part", ["lightness", "8", "16", "32"])
def test_the_cinn_depends_on_lightness_and_features(
    part: str, batch: Batch, randomize: Any
) -> None:
    density = randomize(small_cinn(), gain=0.3)
    ab, condition = batch
    changed = Condition(
        lightness=condition.lightness.flip(-1) if part == "lightness" else condition.lightness,
        features={
            side: x.roll(1, 0) if part == str(side) else x for side, x in condition.features.items()
        },
    )
    with torch.no_grad():
        cinn_objective().fit(density, *batch, generator(4))
        before, after = (density.eval().log_prob(ab, one) for one in (condition, changed))
    assert ((after - before).abs() > 1e-2).all()
