"""Latents from seeds, and the arc between two of them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from colorflow.model.level import sample_latents, slerp

SHAPES = [(2, 4, 4), (6, 4, 4), (6, 8, 8)]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_one_seed_for_all_levels_is_one_generator() -> None:
    generator = torch.Generator().manual_seed(5)
    want = [torch.randn(shape, generator=generator) for shape in SHAPES]
    got = sample_latents(SHAPES, [5, 5, 5])
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


def test_the_numbers_of_a_level_depend_on_its_own_seed_alone() -> None:
    before = torch.get_rng_state()
    plain = {seed: sample_latents(SHAPES, [seed] * 3) for seed in (1, 2, 3)}
    mixed = sample_latents(SHAPES, [2, 3, 1])
    for index, seed in enumerate((2, 3, 1)):
        assert torch.equal(mixed[index], plain[seed][index])
    assert not torch.equal(plain[1][0], plain[2][0])
    assert torch.equal(before, torch.get_rng_state())


def angle(a: Tensor, b: Tensor) -> float:
    x, y = a.double().flatten(), b.double().flatten()
    return math.acos(float(x @ y / x.norm() / y.norm()))


@pytest.mark.parametrize("share", [0.1, 0.7])
def test_directions_turn_and_lengths_change_at_a_constant_rate(share: float) -> None:
    a, b = normal(6, 8, 8), 0.3 * normal(6, 8, 8, seed=1) + 0.1
    middle = slerp(a, b, share)
    assert middle.shape == a.shape
    assert middle.dtype == a.dtype
    assert angle(a, middle) == pytest.approx(share * angle(a, b), abs=1e-4)
    assert angle(middle, b) == pytest.approx((1 - share) * angle(a, b), abs=1e-4)
    length = (1 - share) * float(a.norm()) + share * float(b.norm())
    assert float(middle.norm()) == pytest.approx(length, rel=1e-5)


def test_the_ends_are_exact_and_their_own() -> None:
    a, b = normal(2, 4, 4), normal(2, 4, 4, seed=1)
    for share, end in ((0.0, a), (1.0, b), (0, a), (1, b)):
        got = slerp(a, b, share)
        assert torch.equal(got, end)
        assert got.data_ptr() != end.data_ptr()


def test_where_there_is_no_arc_the_way_is_straight() -> None:
    a, zero = normal(2, 4, 4), torch.zeros(2, 4, 4)
    torch.testing.assert_close(slerp(zero, a, 0.25), 0.25 * a)
    torch.testing.assert_close(slerp(a, zero, 0.25), 0.75 * a)
    torch.testing.assert_close(slerp(a, 2 * a, 0.25), 1.25 * a)
    torch.testing.assert_close(slerp(a, a, 0.4), a)
    torch.testing.assert_close(slerp(a, -a, 0.25), 0.5 * a)
    torch.testing.assert_close(slerp(zero, zero, 0.25), zero)


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_share_out_of_range(share: float) -> None:
    with pytest.raises(ValueError, match=r"^share: expected 0 to 1, got"):
        slerp(torch.ones(2), torch.ones(2), share)
