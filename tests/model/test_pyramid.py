"""The chroma pyramid: exact density, round trip, samples, and what each level depends on."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from colorflow.flows import ChannelPermutation, KrigingUpdate
from colorflow.model.condition import Condition
from colorflow.model.level import Level
from colorflow.model.pyramid import ChromaPyramid
from tests.model.conftest import random_condition, small_config

BATCH = 3
LEVELS = 5
NUMBERS = [2 * 4**2, 6 * 4**2, 6 * 8**2, 6 * 16**2, 6 * 32**2]
ROUND_TRIP_BUDGET = 0.1
"""CIELAB units, in float32, of the largest error of a chroma value: 0.05 on one processor, 0.065 on
another."""


@pytest.fixture
def condition() -> Condition:
    return random_condition(BATCH)


def double(condition: Condition) -> Condition:
    return condition.map(lambda x: x.double())


def unbounded(ab: np.ndarray, limit: float) -> np.ndarray:
    return limit * np.arctanh(ab / limit)


def unbounded_model(pyramid: ChromaPyramid, ab: Tensor) -> Tensor:
    limit = pyramid.config.chroma_limit
    return limit * torch.atanh(ab / limit)


def split(u: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray], list[float]]:
    """An independent analysis: each level's numbers, its coarser means, and Haar's ladj.

    The Haar step as a 4x4 matrix on the 2x2 cells (rows: mean, horizontal, vertical, diagonal).
    """
    cell = np.array([[0.5, 0.5, 0.5, 0.5], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    parts, coarse, ladjs = [], [], []
    while u.shape[-1] > 4:
        size = u.shape[-1] // 2
        cells = u.reshape(len(u), 2, size, 2, size, 2).transpose(0, 1, 2, 4, 3, 5)
        z = cells.reshape(len(u), 2, size, size, 4) @ cell.T
        u = z[..., 0]
        parts.insert(0, np.concatenate([z[..., kind] for kind in (1, 2, 3)], 1))
        coarse.insert(0, u)
        ladjs.insert(0, 2 * size * size * np.linalg.slogdet(cell).logabsdet)
    return [u, *parts], coarse, ladjs


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
    condition = double(random_condition(BATCH, planes=planes))
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(BATCH, level.channels, 4, 4, generator=generator, dtype=torch.float64)
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


def test_permutations_pair_channels_anew(pyramid: ChromaPyramid) -> None:
    """Each half after a permutation has channels of both halves before it."""
    for level in pyramid.levels:
        found = [part for part in level.flow.modules() if isinstance(part, ChannelPermutation)]
        assert len(found) == 1
        half = level.channels // 2
        from_first = int((found[0].order[:half] < half).sum())
        assert from_first < half
        assert from_first > 0 or half == 1


def test_log_prob_is_the_sum_of_its_parts(
    pyramid: ChromaPyramid, ab: Tensor, condition: Condition
) -> None:
    """Levels on numbers from an independent Haar analysis, plus ladj of Haar and of the box."""
    pyramid, condition, ab = pyramid.double(), double(condition), ab.double()
    limit = pyramid.config.chroma_limit
    parts, coarse, haar_ladjs = split(unbounded(ab.numpy(), limit))
    given = [None, *(torch.from_numpy(c) for c in coarse)]
    with torch.no_grad():
        expected = [
            level(torch.from_numpy(x), condition, c)
            for level, x, c in zip(pyramid.levels, parts, given, strict=True)
        ]
        terms = pyramid.level_log_probs(ab, condition)
        total = pyramid.log_prob(ab, condition)
    bounded_ladj = -np.log(1 - (ab.numpy() / limit) ** 2).reshape(BATCH, -1).sum(1)
    for index, ladj in enumerate([0.0, *haar_ladjs]):
        expected[index] = expected[index] + ladj
    expected[-1] = expected[-1] + torch.from_numpy(bounded_ladj)
    for term, value in zip(terms, expected, strict=True):
        torch.testing.assert_close(term, value, rtol=0, atol=1e-7)
    torch.testing.assert_close(total, torch.stack(expected).sum(0), rtol=0, atol=1e-7)
    assert total.shape == (BATCH,)


def test_analyze_is_the_independent_analysis(pyramid: ChromaPyramid, ab: Tensor) -> None:
    expected, _, _ = split(unbounded(ab.double().numpy(), pyramid.config.chroma_limit))
    for part, value in zip(pyramid.analyze(ab.double()), expected, strict=True):
        np.testing.assert_allclose(part, value, rtol=0, atol=1e-10)


def test_a_new_pyramid_starts_as_the_analysis_itself(ab: Tensor, condition: Condition) -> None:
    """All couplings are the identity, so latents are the analysis, reordered by channel at most."""
    pyramid = ChromaPyramid(small_config()).eval()
    with torch.no_grad():
        latents = pyramid.encode(ab, condition)
    for latent, part in zip(latents, pyramid.analyze(ab), strict=True):
        torch.testing.assert_close(latent.sort(1).values, part.sort(1).values, rtol=1e-5, atol=1e-5)


def test_round_trip_in_float32(pyramid: ChromaPyramid, ab: Tensor, condition: Condition) -> None:
    with torch.no_grad():
        latents = pyramid.encode(ab, condition)
        back = pyramid.decode(latents, condition)
    assert [tuple(z.shape[1:]) for z in latents] == pyramid.latent_shapes()
    assert [z[0].numel() for z in latents] == NUMBERS
    assert (back - ab).abs().max() < ROUND_TRIP_BUDGET


def test_a_gain_multiplies_the_coarsest_chroma(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    latents = sample_latents(pyramid, BATCH)[:1]
    with torch.no_grad():
        plain, vivid = (pyramid.decode(latents, condition, gain) for gain in (1.0, 1.5))
    limit = pyramid.config.chroma_limit
    want = 1.5 * unbounded(plain.double().numpy(), limit)
    np.testing.assert_allclose(unbounded(vivid.double().numpy(), limit), want, rtol=1e-4)


def test_finer_levels_are_given_the_chroma_after_the_gain(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    latents = sample_latents(pyramid, BATCH)
    with torch.no_grad():
        u = 1.5 * unbounded_model(pyramid, pyramid.decode(latents[:1], condition))
        for level, z in zip(pyramid.levels[1:], latents[1:], strict=True):
            x, _ = level.decode(z, level.context.of_photo(condition), u)
            u = pyramid.haar.inverse(torch.cat([u, x], 1))[0]
        vivid = pyramid.decode(latents, condition, gain=1.5)
    torch.testing.assert_close(vivid, pyramid.bounded.inverse(u)[0], rtol=0, atol=1e-2)


@pytest.mark.parametrize("gain", [0.7, 1.3])
def test_latents_with_a_gain_are_those_that_it_decodes(
    pyramid: ChromaPyramid, ab: Tensor, condition: Condition, gain: float
) -> None:
    with torch.no_grad():
        back = pyramid.decode(pyramid.encode(ab, condition, gain), condition, gain)
        other = pyramid.decode(pyramid.encode(ab, condition), condition, gain)
    assert (back - ab).abs().max() < ROUND_TRIP_BUDGET
    assert (other - ab).abs().max() > 1


def test_samples_have_the_gain(pyramid: ChromaPyramid, condition: Condition) -> None:
    ones, generators = [1.0] * LEVELS, [torch.Generator().manual_seed(3) for _ in range(2)]
    with torch.no_grad():
        sample = pyramid.sample(condition, 2, ones, generators[0], gain=1.4).flatten(0, 1)
        latents = [
            torch.randn(2 * BATCH, *shape, generator=generators[1])
            for shape in pyramid.latent_shapes()
        ]
        torch.testing.assert_close(sample, pyramid.decode(latents, condition, 1.4))


def test_latents_of_decoded_latents(pyramid: ChromaPyramid, condition: Condition) -> None:
    pyramid, condition = pyramid.double(), double(condition)
    latents = [z.double() for z in sample_latents(pyramid, BATCH)]
    with torch.no_grad():
        back = pyramid.encode(pyramid.decode(latents, condition), condition)
    for latent, other in zip(latents, back, strict=True):
        torch.testing.assert_close(other, latent, rtol=0, atol=1e-7)


def test_several_latents_of_each_photo_come_in_order(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    latents = sample_latents(pyramid, 2 * BATCH)
    with torch.no_grad():
        together = pyramid.decode(latents, condition)
        for i in range(2 * BATCH):
            photo = slice(i // 2, i // 2 + 1)
            alone = pyramid.decode(
                [z[i : i + 1] for z in latents], condition.map(lambda x, photo=photo: x[photo])
            )
            torch.testing.assert_close(together[i], alone[0], rtol=0, atol=ROUND_TRIP_BUDGET)


@pytest.mark.parametrize("levels", range(1, LEVELS + 1))
def test_first_levels_alone_give_the_coarser_chroma(
    pyramid: ChromaPyramid, ab: Tensor, condition: Condition, levels: int
) -> None:
    """The oracle averages the unbounded chroma over blocks."""
    with torch.no_grad():
        coarse = pyramid.decode(pyramid.encode(ab, condition)[:levels], condition)
    side, limit = 4 * 2 ** (levels - 1), pyramid.config.chroma_limit
    u = unbounded(ab.double().numpy(), limit)
    means = u.reshape(BATCH, 2, side, 64 // side, side, 64 // side).mean((3, 5))
    np.testing.assert_allclose(
        coarse, limit * np.tanh(means / limit), rtol=0, atol=ROUND_TRIP_BUDGET
    )


def sample_latents(pyramid: ChromaPyramid, count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(count, *shape, generator=generator) for shape in pyramid.latent_shapes()]


def sample(
    pyramid: ChromaPyramid, condition: Condition, n: int, temperatures: list[float], seed: int = 0
) -> Tensor:
    with torch.no_grad():
        return pyramid.sample(condition, n, temperatures, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [0.0, 1.0, 3.0])
def test_samples_stay_in_the_box(
    pyramid: ChromaPyramid, condition: Condition, temperature: float
) -> None:
    ab = sample(pyramid, condition, 4, [temperature] * LEVELS)
    assert ab.shape == (BATCH, 4, 2, 64, 64)
    assert ab.dtype == torch.float32
    assert ab.isfinite().all()
    assert ab.abs().max() < pyramid.config.chroma_limit


def test_samples_repeat_by_generator(pyramid: ChromaPyramid, condition: Condition) -> None:
    schedule = [0.9, 0.5, 0.3, 0.1, 0.1]
    torch.manual_seed(1)
    first = sample(pyramid, condition, 2, schedule, seed=5)
    torch.manual_seed(2)  # the global source plays no part
    assert torch.equal(sample(pyramid, condition, 2, schedule, seed=5), first)
    other = sample(pyramid, condition, 2, schedule, seed=6)
    assert (other - first).abs().amax((2, 3, 4)).min() > 1
    assert (first[:, 0] - first[:, 1]).abs().amax((1, 2, 3)).min() > 1


def test_temperatures_are_the_std_of_each_level(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    """Encoding a sample gives its latents back: coarse to fine, each with its own std."""
    schedule = [0.9, 0.5, 0.0, 0.25, 0.1]
    ab = sample(pyramid, condition, 8, schedule).flatten(0, 1)
    repeated = condition.map(lambda x: x.repeat_interleave(8, 0))
    with torch.no_grad():
        latents = pyramid.encode(ab, repeated)
    for latent, temperature in zip(latents, schedule, strict=True):
        assert latent.std().item() == pytest.approx(temperature, rel=0.1, abs=0.01)
        assert abs(latent.mean().item()) < 0.15 * temperature + 0.01


def test_sample_of_temperature_zero_is_the_decoded_zero(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    """It also says that the n samples of a photo belong to that photo."""
    ab = sample(pyramid, condition, 2, [0.0] * LEVELS)
    zeros = [torch.zeros(1, *shape) for shape in pyramid.latent_shapes()]
    for i in range(BATCH):
        with torch.no_grad():
            alone = pyramid.decode(zeros, condition.map(lambda x, i=i: x[i : i + 1]))
        torch.testing.assert_close(ab[i], alone.expand(2, -1, -1, -1), rtol=0, atol=0.01)
    assert (ab[0] - ab[1]).abs().max() > 1


def test_samples_depend_on_lightness_and_features_of_their_photo_alone(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    before = sample(pyramid, condition, 2, [0.5] * LEVELS)

    def change(x: Tensor) -> Tensor:
        changed = x.clone()
        changed[1] = x[1].flip(-1)
        return changed

    lightness = dataclasses.replace(condition, lightness=change(condition.lightness))
    features = dataclasses.replace(
        condition, features={grid: change(x) for grid, x in condition.features.items()}
    )
    for changed in (lightness, features):
        after = sample(pyramid, changed, 2, [0.5] * LEVELS)
        difference = (after - before).abs().amax((1, 2, 3, 4))
        assert difference[1] > 1
        assert torch.equal(difference[[0, 2]], torch.zeros(2))


def test_photos_are_independent(pyramid: ChromaPyramid, ab: Tensor, condition: Condition) -> None:
    pyramid, condition, ab = pyramid.double(), double(condition), ab.double()
    with torch.no_grad():
        before = pyramid.log_prob(ab, condition)
        others = condition.map(lambda x: torch.cat([x[:1], 0.5 * x[1:].flip(0)]))
        after = pyramid.log_prob(torch.cat([ab[:1], -ab[1:]]), others)
        alone = pyramid.log_prob(ab[:1], condition.map(lambda x: x[:1]))
    assert after[0].item() == pytest.approx(before[0].item(), abs=1e-8)
    assert alone[0].item() == pytest.approx(before[0].item(), abs=1e-8)
    assert (after[1:] - before[1:]).abs().min() > 1


def test_every_level_depends_on_lightness_and_on_its_own_feature_maps(
    pyramid: ChromaPyramid, ab: Tensor, condition: Condition
) -> None:
    def terms(condition: Condition) -> Tensor:
        with torch.no_grad():
            return torch.stack(pyramid.level_log_probs(ab, condition))

    before = terms(condition)
    darker = dataclasses.replace(condition, lightness=0.5 * condition.lightness)
    assert (terms(darker) != before).all()
    for grid, x in condition.features.items():
        features = {**condition.features, grid: x.flip(-1)}
        changed = (terms(dataclasses.replace(condition, features=features)) != before).all(1)
        assert changed.tolist() == [grid in level.maps for level in pyramid.config.levels]


def test_a_level_depends_on_coarser_chroma_and_never_on_finer(
    pyramid: ChromaPyramid, ab: Tensor, condition: Condition
) -> None:
    """Changing the latents of one level leaves coarser terms alone and moves all finer ones."""
    pyramid, condition = pyramid.double(), double(condition)
    with torch.no_grad():
        latents = pyramid.encode(ab.double(), condition)
        before = torch.stack(pyramid.level_log_probs(ab.double(), condition))
        for index in range(LEVELS):
            changed = [z + 0.5 if i == index else z for i, z in enumerate(latents)]
            other = pyramid.decode(changed, condition)
            after = torch.stack(pyramid.level_log_probs(other, condition))
            difference = (after - before).abs().amin(1)
            assert (difference[:index] < 1e-6).all()
            assert difference[index] > 1e-2
            if index + 1 < LEVELS:
                assert difference[index + 1] > 1e-2


def test_gradient_reaches_every_parameter(
    pyramid: ChromaPyramid, ab: Tensor, condition: Condition
) -> None:
    pyramid.log_prob(ab, condition).mean().backward()
    for name, parameter in pyramid.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_chroma_at_and_beyond_the_box_has_finite_density_and_gradient(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    ab = torch.full((BATCH, 2, 64, 64), 128.0)
    ab[1] *= -1
    ab[2] = 1e4
    ab.requires_grad_()
    log_prob = pyramid.log_prob(ab, condition)
    (gradient,) = torch.autograd.grad(log_prob.sum(), ab)
    assert log_prob.isfinite().all()
    assert gradient.isfinite().all()


def test_dropout_in_training_alone(
    pyramid: ChromaPyramid, ab: Tensor, condition: Condition
) -> None:
    with torch.no_grad():
        assert torch.equal(pyramid.log_prob(ab, condition), pyramid.log_prob(ab, condition))
        pyramid.train()
        assert not torch.equal(pyramid.log_prob(ab, condition), pyramid.log_prob(ab, condition))


def test_fit_standardizes_a_levels_numbers(ab: Tensor, condition: Condition) -> None:
    pyramid = ChromaPyramid(small_config()).eval()
    for level, part in zip(pyramid.levels, pyramid.analyze(ab), strict=True):
        level.fit(part, condition)
    with torch.no_grad():
        latents = pyramid.encode(ab, condition)  # couplings are the identity
    for latent in latents:
        mean, std = latent.mean((0, 2, 3)), latent.std((0, 2, 3))
        torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-4)
        torch.testing.assert_close(std, torch.ones_like(std), rtol=0, atol=1e-4)


def test_extra_planes_change_density_and_samples(
    make_pyramid: Callable[..., ChromaPyramid],
    ab: Tensor,
) -> None:
    pyramid = make_pyramid(small_config(extra_planes=3))
    condition = random_condition(BATCH, planes=3)
    other = dataclasses.replace(condition, planes=condition.planes.flip(-1))
    with torch.no_grad():
        terms = torch.stack(pyramid.level_log_probs(ab, condition))
        other_terms = torch.stack(pyramid.level_log_probs(ab, other))
    assert (terms != other_terms).all()
    first, second = (sample(pyramid, c, 1, [0.5] * LEVELS) for c in (condition, other))
    assert (first - second).abs().max() > 1


# color hints: what pulls samples towards them


HINTS = ([(10, 20, 60.0, -45.0), (11, 20, 50.0, -40.0), (40, 50, -30.0, 70.0)], [], [(63, 0, 9, 9)])
"""Row, column and color of each photo's hints; the second photo has none."""


@pytest.fixture
def hinted() -> Condition:
    planes = torch.zeros(BATCH, 3, 64, 64)
    for photo, hints in zip(planes, HINTS, strict=True):
        for row, column, a, b in hints:
            photo[:, row, column] = torch.tensor([1.0, a, b])
    return dataclasses.replace(random_condition(BATCH), planes=planes)


@pytest.fixture
def listening(make_pyramid: Callable[..., ChromaPyramid]) -> ChromaPyramid:
    """A pyramid that takes hints, with settings other than the default ones."""
    config = small_config(extra_planes=3)
    return make_pyramid(
        dataclasses.replace(config, hint_reach=2.0, hint_likeness=20.0, hint_looseness=0.3)
    )


def without_pull(pyramid: ChromaPyramid) -> ChromaPyramid:
    """The same pyramid, hints in its contexts alone."""
    other = copy.deepcopy(pyramid)
    other.pull = KrigingUpdate(1.0, 1.0, 1e12)
    return other


def dense_pull(pyramid: ChromaPyramid, lightness: np.ndarray, hints: list[Any]) -> np.ndarray:
    """K_xc (K_cc + r I)^-1 on the 64x64 grid, by the configuration's numbers, (4096, n)."""
    config = pyramid.config
    rows, columns = np.mgrid[:64, :64] / config.hint_reach
    cells = lightness.reshape(64, 2, 64, 2).mean((1, 3)) / config.hint_likeness
    points = np.stack([rows, columns, cells]).reshape(3, -1)
    known = points[:, [row * 64 + column for row, column, *_ in hints]]
    to_known = np.exp(-((points[:, :, None] - known[:, None]) ** 2).sum(0) / 2)
    between = np.exp(-((known[:, :, None] - known[:, None]) ** 2).sum(0) / 2)
    return to_known @ np.linalg.inv(between + config.hint_looseness * np.eye(len(hints)))


def test_log_prob_with_hints_is_the_sum_of_its_parts(
    listening: ChromaPyramid, ab: Tensor, hinted: Condition
) -> None:
    """The pull undone by dense algebra, the levels on what is left, and all log-determinants."""
    pyramid, condition, ab = listening.double(), double(hinted), ab.double()
    limit = pyramid.config.chroma_limit
    u = unbounded(ab.numpy(), limit)
    pull_ladj = np.zeros(BATCH)
    for i, hints in enumerate(HINTS):
        if hints:
            gain = dense_pull(pyramid, condition.lightness[i, 0].numpy(), hints)
            indices = [row * 64 + column for row, column, *_ in hints]
            values = unbounded(np.array([color for *_, a, b in hints for color in (a, b)]), limit)
            values = values.reshape(-1, 2).T
            # What sampling does is y = x + G (h - x_c); at the indices that is solved for x_c.
            contraction = np.eye(len(hints)) - gain[indices]
            y = u[i].reshape(2, -1)
            before = np.linalg.solve(contraction, (y[:, indices] - values @ gain[indices].T).T).T
            u[i] = (y - (values - before) @ gain.T).reshape(u[i].shape)
            pull_ladj[i] = -2 * np.linalg.slogdet(contraction).logabsdet
    assert pull_ladj[0] > pull_ladj[2] > 2
    parts, coarse, haar_ladjs = split(u)
    given = [None, *(torch.from_numpy(c) for c in coarse)]
    with torch.no_grad():
        expected = [
            level(torch.from_numpy(x), condition, c)
            for level, x, c in zip(pyramid.levels, parts, given, strict=True)
        ]
        terms = pyramid.level_log_probs(ab, condition)
    bounded_ladj = -np.log(1 - (ab.numpy() / limit) ** 2).reshape(BATCH, -1).sum(1)
    for index, ladj in enumerate([0.0, *haar_ladjs]):
        expected[index] = expected[index] + ladj
    expected[-1] = expected[-1] + torch.from_numpy(bounded_ladj + pull_ladj)
    for term, value in zip(terms, expected, strict=True):
        torch.testing.assert_close(term, value, rtol=0, atol=1e-6)
    torch.testing.assert_close(pyramid.log_prob(ab, condition), torch.stack(terms).sum(0))


def test_round_trip_with_hints(listening: ChromaPyramid, ab: Tensor, hinted: Condition) -> None:
    with torch.no_grad():
        back = listening.decode(listening.encode(ab, hinted), hinted)
        assert (back - ab).abs().max() < ROUND_TRIP_BUDGET
        pyramid, condition = listening.double(), double(hinted)
        latents = [z.double() for z in sample_latents(pyramid, BATCH)]
        again = pyramid.encode(pyramid.decode(latents, condition), condition)
    for latent, other in zip(latents, again, strict=True):
        torch.testing.assert_close(other, latent, rtol=0, atol=1e-6)


def test_samples_are_pulled_to_the_hints_and_no_others_are(
    listening: ChromaPyramid, hinted: Condition
) -> None:
    """What they miss a hint by, in the unbounded chroma, is left by its share, r / (1 + r)."""
    pulled = sample(listening, hinted, 4, [1.0] * LEVELS)
    free = sample(without_pull(listening), hinted, 4, [1.0] * LEVELS)
    torch.testing.assert_close(pulled[1], free[1], rtol=0, atol=1e-3)
    limit, looseness = listening.config.chroma_limit, listening.config.hint_looseness
    for photo, (row, column, *color) in ((0, HINTS[0][2]), (2, HINTS[2][0])):
        hint = unbounded(np.array(color), limit)
        missed, left = (
            hint - unbounded(ab[photo, :, :, row, column].double().numpy(), limit)
            for ab in (free, pulled)
        )
        assert np.abs(missed).max() > 20
        np.testing.assert_allclose(left, missed * looseness / (1 + looseness), rtol=0, atol=0.02)
    moved = (pulled - free).abs().amax((1, 2))
    assert moved[0, 10, 20] > 5
    assert moved[0, 30:35, 5:10].max() < 1e-3, "far from every hint"


def test_several_samples_are_pulled_by_the_hints_of_their_photo(
    listening: ChromaPyramid, hinted: Condition
) -> None:
    latents = sample_latents(listening, 2 * BATCH)
    with torch.no_grad():
        together = listening.decode(latents, hinted)
        for i in range(2 * BATCH):
            photo = hinted.map(lambda x, i=i: x[i // 2 : i // 2 + 1])
            alone = listening.decode([z[i : i + 1] for z in latents], photo)
            torch.testing.assert_close(together[i], alone[0], rtol=0, atol=ROUND_TRIP_BUDGET)


def test_coarse_latents_alone_are_not_pulled(listening: ChromaPyramid, hinted: Condition) -> None:
    latents, other = sample_latents(listening, BATCH), without_pull(listening)
    with torch.no_grad():
        for count in range(1, LEVELS):
            coarse = listening.decode(latents[:count], hinted)
            assert torch.equal(coarse, other.decode(latents[:count], hinted))
        assert not torch.allclose(
            listening.decode(latents, hinted), other.decode(latents, hinted), atol=1
        )


def test_colors_that_meet_their_hints_are_left_as_they_are(
    listening: ChromaPyramid, ab: Tensor
) -> None:
    """Their latents are those without the pull, and their density the contraction's share more."""
    mask = torch.zeros(BATCH, 1, 64, 64)
    mask[:2, :, 5::9, 7::13] = 1
    condition = dataclasses.replace(random_condition(BATCH), planes=torch.cat([mask, mask * ab], 1))
    other = without_pull(listening)
    with torch.no_grad():
        for latent, free in zip(
            listening.encode(ab, condition), other.encode(ab, condition), strict=True
        ):
            assert torch.equal(latent, free)
        gained = listening.log_prob(ab, condition)
        gained -= other.log_prob(ab, condition)
        gained += other.pull(ab, other._hints(condition))[1]
    each = -2 * np.log(listening.config.hint_looseness / (1 + listening.config.hint_looseness))
    assert gained[2].abs() < 0.02
    count = int(mask[0].sum())
    assert (gained[:2] > 0.9 * count * each).all()


def test_planes_that_are_no_hints_do_not_pull(
    make_pyramid: Callable[..., ChromaPyramid],
) -> None:
    pyramid = make_pyramid(small_config(extra_planes=2))
    condition, latents = random_condition(BATCH, planes=2), sample_latents(pyramid, BATCH)
    with torch.no_grad():
        ab = pyramid.decode(latents, condition)
        assert torch.equal(ab, without_pull(pyramid).decode(latents, condition))


@pytest.mark.parametrize(
    "shape",
    [(2, 2, 64, 64), (3, 2, 32, 32), (3, 3, 64, 64), (3, 64, 64)],
    ids=["batch", "grid", "channels", "dimensions"],
)
def test_refuses_ab_of_another_shape(
    pyramid: ChromaPyramid, condition: Condition, shape: tuple[int, ...]
) -> None:
    for function in (pyramid.log_prob, pyramid.encode):
        with pytest.raises(ValueError, match=r"ab: expected .*got \("):
            function(torch.zeros(shape), condition)


@pytest.mark.parametrize("temperatures", [[], [1.0] * 4, [1.0] * 6])
def test_refuses_temperatures_of_other_levels(
    pyramid: ChromaPyramid, condition: Condition, temperatures: list[float]
) -> None:
    with pytest.raises(ValueError, match="temperatures: expected 5"):
        pyramid.sample(condition, 1, temperatures)


@pytest.mark.parametrize("n", [0, -1])
def test_refuses_no_samples(pyramid: ChromaPyramid, condition: Condition, n: int) -> None:
    with pytest.raises(ValueError, match="n: expected at least 1"):
        pyramid.sample(condition, n, [1.0] * LEVELS)


@pytest.mark.parametrize("count", [BATCH + 1, BATCH - 1, 1])
def test_refuses_latents_that_do_not_share_out_among_photos(
    pyramid: ChromaPyramid, condition: Condition, count: int
) -> None:
    with pytest.raises(ValueError, match=f"latents: expected a multiple of 3 photos, got {count}"):
        pyramid.decode(sample_latents(pyramid, count), condition)


def test_refuses_latents_of_no_level_or_of_too_many(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    latents = sample_latents(pyramid, BATCH)
    for wrong in ([], [*latents, latents[-1]]):
        with pytest.raises(ValueError, match="latents: expected those of 1 to 5 levels"):
            pyramid.decode(wrong, condition)
