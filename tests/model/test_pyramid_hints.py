"""The pyramid with hints: its density, what pulls samples towards hints, coarse chroma made fine.

The second photo has no hints, so that what holds without them is seen, too.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.flows import KrigingUpdate
from colorflow.model.condition import Condition
from colorflow.model.pyramid import ChromaPyramid
from tests.model import pyramids as made
from tests.model.conftest import random_condition, small_config

HINTS = ([(10, 20, 60.0, -45.0), (11, 20, 50.0, -40.0), (40, 50, -30.0, 70.0)], [], [(63, 0, 9, 9)])
"""Row, column and color of each photo's hints; the second photo has none."""


@pytest.fixture
def hinted() -> Condition:
    planes = torch.zeros(made.BATCH, 3, 64, 64)
    for photo, hints in zip(planes, HINTS, strict=True):
        for row, column, a, b in hints:
            photo[:, row, column] = torch.tensor([1.0, a, b])
    return dataclasses.replace(random_condition(made.BATCH), planes=planes)


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
    pyramid, condition, ab = listening.double(), made.double(hinted), ab.double()
    limit = pyramid.config.chroma_limit
    u = made.unbounded(ab.numpy(), limit)
    pull_ladj = np.zeros(made.BATCH)
    for i, hints in enumerate(HINTS):
        if hints:
            gain = dense_pull(pyramid, condition.lightness[i, 0].numpy(), hints)
            indices = [row * 64 + column for row, column, *_ in hints]
            values = made.unbounded(
                np.array([color for *_, a, b in hints for color in (a, b)]), limit
            )
            values = values.reshape(-1, 2).T
            # What sampling does is y = x + G (h - x_c); at the indices that is solved for x_c.
            contraction = np.eye(len(hints)) - gain[indices]
            y = u[i].reshape(2, -1)
            before = np.linalg.solve(contraction, (y[:, indices] - values @ gain[indices].T).T).T
            u[i] = (y - (values - before) @ gain.T).reshape(u[i].shape)
            pull_ladj[i] = -2 * np.linalg.slogdet(contraction).logabsdet
    assert pull_ladj[0] > pull_ladj[2] > 2
    parts, coarse, haar_ladjs = made.split(u)
    given = [None, *(torch.from_numpy(c) for c in coarse)]
    with torch.no_grad():
        expected = [
            level(torch.from_numpy(x), condition, c)
            for level, x, c in zip(pyramid.levels, parts, given, strict=True)
        ]
        terms = pyramid.level_log_probs(ab, condition)
    bounded_ladj = -np.log(1 - (ab.numpy() / limit) ** 2).reshape(made.BATCH, -1).sum(1)
    for index, ladj in enumerate([0.0, *haar_ladjs]):
        expected[index] = expected[index] + ladj
    expected[-1] = expected[-1] + torch.from_numpy(bounded_ladj + pull_ladj)
    for term, value in zip(terms, expected, strict=True):
        torch.testing.assert_close(term, value, rtol=0, atol=1e-6)
    torch.testing.assert_close(pyramid.log_prob(ab, condition), torch.stack(terms).sum(0))


def test_round_trip_with_hints(listening: ChromaPyramid, ab: Tensor, hinted: Condition) -> None:
    with torch.no_grad():
        encoded = listening.encode(ab, hinted)
        assert [tuple(z.shape[1:]) for z in encoded] == listening.latent_shapes()
        assert sum(z[0].numel() for z in encoded) == 2 * 64**2
        back = listening.decode(encoded, hinted)
        assert (back - ab).abs().max() < made.ROUND_TRIP_BUDGET
        pyramid, condition = listening.double(), made.double(hinted)
        latents = [z.double() for z in made.sample_latents(pyramid, made.BATCH)]
        again = pyramid.encode(pyramid.decode(latents, condition), condition)
    for latent, other in zip(latents, again, strict=True):
        torch.testing.assert_close(other, latent, rtol=0, atol=1e-6)


def test_samples_are_pulled_to_the_hints_and_no_others_are(
    listening: ChromaPyramid, hinted: Condition
) -> None:
    """What they miss a hint by, in the unbounded chroma, is left by its share, r / (1 + r)."""
    pulled = made.sample(listening, hinted, 4, [1.0] * made.LEVELS)
    free = made.sample(without_pull(listening), hinted, 4, [1.0] * made.LEVELS)
    torch.testing.assert_close(pulled[1], free[1], rtol=0, atol=1e-3)
    limit, looseness = listening.config.chroma_limit, listening.config.hint_looseness
    for photo, (row, column, *color) in ((0, HINTS[0][2]), (2, HINTS[2][0])):
        hint = made.unbounded(np.array(color), limit)
        missed, left = (
            hint - made.unbounded(ab[photo, :, :, row, column].double().numpy(), limit)
            for ab in (free, pulled)
        )
        assert np.abs(missed).max() > 20
        np.testing.assert_allclose(left, missed * looseness / (1 + looseness), rtol=0, atol=0.02)
    moved = (pulled - free).abs().amax((1, 2))
    assert moved[0, 10, 20] > 5
    assert moved[0, 30:35, 5:10].max() < 1e-3, "far from every hint"


def latents_of(pyramid: ChromaPyramid, sampled: int) -> list[Tensor]:
    """Two colorings of each photo: random latents of the first levels, zeros of the others."""
    latents = made.sample_latents(pyramid, 2 * made.BATCH)
    return [z if i < sampled else torch.zeros_like(z) for i, z in enumerate(latents)]


@pytest.mark.parametrize("done", range(1, made.LEVELS + 1))
def test_completed_chroma_is_decoded_with_fine_latents_of_zero(
    pyramid: ChromaPyramid, done: int
) -> None:
    """Several colorings of each photo, in order; the gain is in the coarse chroma already."""
    condition, latents = random_condition(made.BATCH), latents_of(pyramid, done)
    with torch.no_grad():
        coarse = pyramid.decode(latents[:done], condition, 1.3)
        want = pyramid.decode(latents, condition, 1.3)
        got = pyramid.complete(coarse, condition)
    assert coarse.shape[-1] == 2 ** (done + 1)
    torch.testing.assert_close(got, want, rtol=0, atol=0.02)


def test_completed_and_pulled_is_decoded(listening: ChromaPyramid, hinted: Condition) -> None:
    latents = latents_of(listening, 3)
    with torch.no_grad():
        want = listening.decode(latents, hinted)
        free = listening.complete(listening.decode(latents[:3], hinted), hinted)
        pulled = listening.pull_to_hints(free, hinted)
    torch.testing.assert_close(pulled, want, rtol=0, atol=0.02)
    assert (free - want)[:2].abs().amax((1, 2, 3)).min() > 5
    torch.testing.assert_close(free[2:4], want[2:4], rtol=0, atol=0.02)
