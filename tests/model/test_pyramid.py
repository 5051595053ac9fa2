"""The chroma pyramid: density, round trip, samples, and what each level depends on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from colorflow.model.condition import Condition
from colorflow.model.level import Level
from colorflow.model.pyramid import ChromaPyramid
from tests.model import pyramids as made
from tests.model.conftest import random_condition, small_config


@pytest.fixture
def condition() -> Condition:
    return random_condition(made.BATCH)


LEVEL_KINDS = {
    "means": (True, True),
    "attention-details": (False, True),
    "convolution-details": (False, False),
}


@pytest.mark.parametrize("planes", [0, 3])
@pytest.mark.parametrize("kind", LEVEL_KINDS)
def test_level_density_is_that_of_the_jacobian(
    kind: str,
    planes: int,
    randomize: Callable[..., Level],
) -> None:
    """log N(z) + log |det dz/dx|, the Jacobian by autograd, sample by sample, in float64."""
    first, attention = LEVEL_KINDS[kind]
    config = dataclasses.replace(small_config().levels[0 if attention else 3], grid=4, couplings=5)
    level = randomize(Level(config, first=first, extra_planes=planes)).double()
    condition = made.double(random_condition(made.BATCH, planes=planes))
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(made.BATCH, level.channels, 4, 4, generator=generator, dtype=torch.float64)
    coarse = None if first else 20 * x[:, :2].flip(0)
    with torch.no_grad():
        log_prob = level(x, condition, coarse)
        photo = level.context.of_photo(condition)
        latent, ladj = level.encode(x, photo, coarse)
        back, back_ladj = level.decode(latent, photo, coarse)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-6)
    torch.testing.assert_close(back_ladj, -ladj, rtol=0, atol=1e-6)
    for i in range(2):
        rows = slice(i, i + 1)
        given = (photo[rows], None if coarse is None else coarse[rows])
        matrix = torch.autograd.functional.jacobian(
            lambda v, given=given: level.encode(v, *given)[0], x[rows], vectorize=True
        )
        own_cell = matrix.reshape(level.channels, 16, level.channels, 16).diagonal(0, 1, 3)
        assert (own_cell != 0).all()  # couplings take turns: every channel reaches every latent
        matrix = matrix.reshape(x[0].numel(), -1)
        expected = torch.linalg.slogdet(matrix).logabsdet.item()
        assert ladj[i].item() == pytest.approx(expected, abs=1e-7)
        normal = scipy.stats.norm.logpdf(latent[i].numpy()).sum()
        assert log_prob[i].item() == pytest.approx(normal + expected, abs=1e-7)


def test_several_latents_of_each_photo_come_in_order(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    latents = made.sample_latents(pyramid, 2 * made.BATCH)
    with torch.no_grad():
        together = pyramid.decode(latents, condition)
        for i in range(2 * made.BATCH):
            photo = slice(i // 2, i // 2 + 1)
            alone = pyramid.decode(
                [z[i : i + 1] for z in latents], condition.map(lambda x, photo=photo: x[photo])
            )
            torch.testing.assert_close(together[i], alone[0], rtol=0, atol=made.ROUND_TRIP_BUDGET)


@pytest.mark.parametrize("levels", range(1, made.LEVELS + 1))
def test_first_levels_alone_give_the_coarser_chroma(
    pyramid: ChromaPyramid, ab: Tensor, condition: Condition, levels: int
) -> None:
    """The oracle averages the unbounded chroma over blocks."""
    with torch.no_grad():
        coarse = pyramid.decode(pyramid.encode(ab, condition)[:levels], condition)
    side, limit = 4 * 2 ** (levels - 1), pyramid.config.chroma_limit
    u = made.unbounded(ab.double().numpy(), limit)
    means = u.reshape(made.BATCH, 2, side, 64 // side, side, 64 // side).mean((3, 5))
    np.testing.assert_allclose(
        coarse, limit * np.tanh(means / limit), rtol=0, atol=made.ROUND_TRIP_BUDGET
    )


def test_chroma_at_and_beyond_the_box_has_finite_density_and_gradient(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    ab = torch.full((made.BATCH, 2, 64, 64), 128.0)
    ab[1] *= -1
    ab[2] = 1e4
    ab.requires_grad_()
    log_prob = pyramid.log_prob(ab, condition)
    (gradient,) = torch.autograd.grad(log_prob.sum(), ab)
    assert log_prob.isfinite().all()
    assert gradient.isfinite().all()


def test_a_gain_multiplies_the_coarsest_chroma(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    latents = made.sample_latents(pyramid, made.BATCH)[:1]
    with torch.no_grad():
        plain, vivid = (pyramid.decode(latents, condition, gain) for gain in (1.0, 1.5))
    limit = pyramid.config.chroma_limit
    want = 1.5 * made.unbounded(plain.double().numpy(), limit)
    np.testing.assert_allclose(made.unbounded(vivid.double().numpy(), limit), want, rtol=1e-4)


@pytest.mark.parametrize("gain", [0.7, 1.3])
def test_latents_with_a_gain_are_those_that_it_decodes(
    pyramid: ChromaPyramid, ab: Tensor, condition: Condition, gain: float
) -> None:
    with torch.no_grad():
        back = pyramid.decode(pyramid.encode(ab, condition, gain), condition, gain)
        other = pyramid.decode(pyramid.encode(ab, condition), condition, gain)
    assert (back - ab).abs().max() < made.ROUND_TRIP_BUDGET
    assert (other - ab).abs().max() > 1


def test_temperatures_are_the_std_of_each_level(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    """Encoding a sample gives its latents back: coarse to fine, each with its own std."""
    schedule = [0.9, 0.5, 0.0, 0.25, 0.1]
    ab = made.sample(pyramid, condition, 8, schedule).flatten(0, 1)
    repeated = condition.map(lambda x: x.repeat_interleave(8, 0))
    with torch.no_grad():
        latents = pyramid.encode(ab, repeated)
    for latent, temperature in zip(latents, schedule, strict=True):
        assert latent.std().item() == pytest.approx(temperature, rel=0.1, abs=0.01)
        assert abs(latent.mean().item()) < 0.15 * temperature + 0.01


def test_samples_depend_on_lightness_and_features_of_their_photo_alone(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    before = made.sample(pyramid, condition, 2, [0.5] * made.LEVELS)

    def change(x: Tensor) -> Tensor:
        changed = x.clone()
        changed[1] = x[1].flip(-1)
        return changed

    lightness = dataclasses.replace(condition, lightness=change(condition.lightness))
    features = dataclasses.replace(
        condition, features={grid: change(x) for grid, x in condition.features.items()}
    )
    for changed in (lightness, features):
        after = made.sample(pyramid, changed, 2, [0.5] * made.LEVELS)
        difference = (after - before).abs().amax((1, 2, 3, 4))
        assert difference[1] > 1
        assert torch.equal(difference[[0, 2]], torch.zeros(2))
