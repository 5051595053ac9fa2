"""Coarse chroma made fine by the pyramid, and fine chroma pulled to hints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorflow.model.condition import Condition
from colorflow.model.pyramid import ChromaPyramid
from tests.model.conftest import random_condition, small_config

BATCH, REPEATS = 2, 3
SPOT = (10, 20, 60.0, -45.0)
"""A hint of the first photo: row, column, a, b."""


@pytest.fixture
def hinted() -> Condition:
    planes = torch.zeros(BATCH, 3, 64, 64)
    row, column, *color = SPOT
    planes[0, :, row, column] = torch.tensor([1.0, *color])
    return dataclasses.replace(random_condition(BATCH), planes=planes)


@pytest.fixture
def listening(make_pyramid: Callable[..., ChromaPyramid]) -> ChromaPyramid:
    """Takes hints, which reach two cells and leave 0.2 / 1.2 of what is missed."""
    config = small_config(extra_planes=3)
    return make_pyramid(
        dataclasses.replace(config, hint_reach=2.0, hint_likeness=20.0, hint_looseness=0.2)
    )


def latents_of(pyramid: ChromaPyramid, count: int, sampled: int) -> list[Tensor]:
    """Random ones of the first levels, zeros of the others."""
    generator = torch.Generator().manual_seed(5)
    shapes = pyramid.latent_shapes()
    latents = [torch.randn(count, *shape, generator=generator) for shape in shapes]
    return [z if i < sampled else torch.zeros_like(z) for i, z in enumerate(latents)]


@pytest.mark.parametrize("done", [1, 2, 3, 4, 5])
def test_completed_chroma_is_decoded_with_fine_latents_of_zero(
    pyramid: ChromaPyramid, done: int
) -> None:
    """Several colorings of each photo, in order; the gain is in the coarse chroma already."""
    condition = random_condition(BATCH)
    latents = latents_of(pyramid, BATCH * REPEATS, done)
    with torch.no_grad():
        coarse = pyramid.decode(latents[:done], condition, 1.3)
        want = pyramid.decode(latents, condition, 1.3)
        got = pyramid.complete(coarse, condition)
    assert coarse.shape[-1] == 2 ** (done + 1)
    torch.testing.assert_close(got, want, rtol=0, atol=0.02)


def test_completed_and_pulled_is_decoded(listening: ChromaPyramid, hinted: Condition) -> None:
    latents = latents_of(listening, BATCH * REPEATS, 3)
    with torch.no_grad():
        want = listening.decode(latents, hinted)
        free = listening.complete(listening.decode(latents[:3], hinted), hinted)
        pulled = listening.pull_to_hints(free, hinted)
    torch.testing.assert_close(pulled, want, rtol=0, atol=0.02)
    assert (free - want)[:REPEATS].abs().amax((1, 2, 3)).min() > 5
    torch.testing.assert_close(free[REPEATS:], want[REPEATS:], rtol=0, atol=0.02)
