"""Specs, references, interpolation, resampled levels, uncertainty and likelihood."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from colorflow.color.full_resolution import lightness_of
from colorflow.color.grid import to_grid
from colorflow.color.upsample import upsample_ab
from colorflow.colorizer import ColoringSpec, Colorizer, Hint, Predictions, Uncertainty
from colorflow.errors import PhotoError, WeightsError
from colorflow.model.condition import Condition
from colorflow.model.pyramid import ChromaPyramid
from colorflow.photo import Photo
from colorflow.photo_model import signs_of_photo
from tests.small_weights import FACTORS, GAIN, save_small_weights

ALL = (1.0,) * 5
HINTS = (Hint(20, 30, 40, -20), Hint(80, 100, -30, 30))


def pooled(ab: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    """Means over blocks of 128 atanh(ab / 128), which the levels split exactly."""
    u = 128 * np.arctanh(ab.astype(np.float64) / 128)
    factor = u.shape[-1] // side
    return u.reshape(*u.shape[:-2], side, factor, side, factor).mean((-3, -1))


# specs


def test_a_plain_sample_is_the_spec_of_one_seed(colorizer: Colorizer, photo: Photo) -> None:
    predictions = colorizer.predict(photo, n=3, temperature=0.8, seed=4, samples=True)
    assert predictions.specs == [ColoringSpec(seeds=(s,) * 5, temperature=0.8) for s in (4, 5, 6)]
    assert predictions.seeds == [4, 5, 6]
    again = colorizer.reproduce(photo, predictions.specs)
    np.testing.assert_array_equal(again.ab, predictions.ab)
    assert again.specs == predictions.specs
    plain = colorizer.reproduce(photo, [colorizer.spec(5, 0.8)]).ab[0]
    np.testing.assert_allclose(plain, predictions.ab[1], atol=0.01)


def test_levels_are_named_by_the_grid_that_they_complete(colorizer: Colorizer) -> None:
    assert colorizer.levels == (4, 8, 16, 32, 64)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"seeds": (0, -1)}, "seed"),
        ({"seeds": (0, 2**63)}, "seed"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"strengths": (0.5, 1.1)}, "strength"),
        ({"strengths": (0.5, float("nan"))}, "strength"),
        ({"strengths": (0.5,)}, "strengths"),
    ],
)
def test_a_spec_out_of_range(arguments: dict[str, object], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        ColoringSpec(**({"seeds": (0, 1)} | arguments))  # type: ignore[arg-type]


def test_recipes_that_do_not_fit(colorizer: Colorizer, photo: Photo) -> None:
    with pytest.raises(ValueError, match=r"^seeds: expected 5, one a level, got 4"):
        colorizer.reproduce(photo, [ColoringSpec(seeds=(1,) * 4)])
    with pytest.raises(ValueError, match=r"^specs: expected at least one, got none"):
        colorizer.reproduce(photo, [])
    with pytest.raises(ValueError, match=r"^reference: expected the photo that the spec's"):
        colorizer.reproduce(photo, [colorizer.spec(strength=0.5)])


# reference


def test_strength_0_is_the_plain_sample(colorizer: Colorizer, photo: Photo, cup: Photo) -> None:
    plain = colorizer.predict(photo, n=2, temperature=0.9, seed=3, samples=True)
    given = colorizer.predict(
        photo, n=2, temperature=0.9, seed=3, reference=cup, strength=0, samples=True
    )
    np.testing.assert_array_equal(given.ab, plain.ab)
    ignored = colorizer.predict(photo, n=2, temperature=0.9, seed=3, strength=1, samples=True)
    np.testing.assert_array_equal(ignored.ab, plain.ab)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_strength_1_in_all_levels_gives_a_photo_its_own_colors(
    colorizer: Colorizer, cup: Photo, temperature: float
) -> None:
    spec = ColoringSpec(seeds=(7,) * 5, temperature=temperature, strengths=ALL)
    predictions = colorizer.reproduce(cup, [spec], reference=cup)
    assert np.abs(predictions.ab[0] - to_grid(cup.pixels)).max() <= 1e-2


def test_coarse_latents_are_the_references_and_fine_ones_are_sampled(
    colorizer: Colorizer, photo: Photo, cup: Photo, encode: Callable[..., list[Tensor]]
) -> None:
    """The reference's given its own lightness, the others those of the plain sample."""
    ab = colorizer.predict(photo, n=2, seed=3, reference=cup, strength=1, samples=True).ab
    got, plain = (
        encode(photo, ab),
        encode(photo, colorizer.predict(photo, n=2, seed=3, samples=True).ab),
    )
    wanted = encode(cup, to_grid(cup.pixels)[None])
    for level in (0, 1):
        assert (got[level] - wanted[level]).abs().max() < 0.01
    for level in (2, 3, 4):
        assert (got[level] - plain[level]).abs().max() < 0.01
    assert np.abs(pooled(ab[0], 8) - pooled(ab[1], 8)).max() < 1e-3
    assert np.abs(ab[0] - ab[1]).max() > 1


def test_strength_goes_from_the_sample_to_the_reference_on_the_arc(
    colorizer: Colorizer, photo: Photo, cup: Photo, encode: Callable[..., list[Tensor]]
) -> None:
    strengths = (0.0, 0.3, 0.6, 1.0)
    ab = [
        colorizer.predict(photo, 1, 0.5, 3, reference=cup, strength=s, samples=True).ab
        for s in strengths
    ]
    steps = encode(photo, np.concatenate(ab))
    for level in (0, 1):
        sampled, *between, other = (z.double().flatten() for z in steps[level])
        whole = torch.arccos(sampled @ other / sampled.norm() / other.norm())
        for strength, z in zip(strengths[1:], between, strict=False):
            turned = torch.arccos(sampled @ z / sampled.norm() / z.norm())
            assert float(turned / whole) == pytest.approx(strength, abs=0.01)
            length = (1 - strength) * sampled.norm() + strength * other.norm()
            assert float(z.norm()) == pytest.approx(float(length), rel=0.01)


def test_hints_are_of_the_photo_and_not_of_its_reference(
    colorizer: Colorizer,
    cup: Photo,
    pyramid: ChromaPyramid,
    condition_of: Callable[..., Condition],
) -> None:
    spec = ColoringSpec(seeds=(7,) * 5, strengths=ALL)
    given = colorizer.reproduce(cup, [spec], reference=cup, hints=HINTS).ab
    with torch.no_grad():
        ab = torch.from_numpy(to_grid(cup.pixels))[None]
        latents = pyramid.encode(ab, condition_of(cup), GAIN)
        want = pyramid.decode(latents, condition_of(cup, HINTS), GAIN).numpy()
    np.testing.assert_allclose(given, want, atol=0.01)
    assert np.abs(given - to_grid(cup.pixels)).max() > 0.5


def test_a_reference_comes_in_as_any_image(
    colorizer: Colorizer, photo: Photo, cup: Photo, tmp_path: Path
) -> None:
    path = tmp_path / "cup.png"
    Image.fromarray(cup.pixels).save(path)
    want = colorizer.colorize_photo(photo, n=1, reference=cup, strength=0.8, samples=True)[0]
    for reference in (path, str(path), Image.fromarray(cup.pixels), cup.pixels, cup):
        (got,) = colorizer.colorize(photo, n=1, reference=reference, strength=0.8, samples=True)
        np.testing.assert_array_equal(np.asarray(got), want)
    plain = colorizer.colorize_photo(photo, n=1, samples=True)[0]
    assert np.abs(want.astype(int) - plain.astype(int)).max() > 10


def test_diverse_with_a_reference(colorizer: Colorizer, photo: Photo, cup: Photo) -> None:
    """At strength 1 all coarse chroma is one, and yet no coloring comes twice."""
    predictions = colorizer.predict(photo, n=3, seed=5, diverse=True, reference=cup, strength=1)
    assert len(set(predictions.seeds)) == 3
    again = colorizer.reproduce(photo, predictions.specs, reference=cup)
    np.testing.assert_array_equal(again.ab, predictions.ab)


def test_a_gray_reference_is_refused(colorizer: Colorizer, photo: Photo, gray: Photo) -> None:
    message = "^gray one: has no colors that could be carried over; choose a color photo"
    with pytest.raises(PhotoError, match=message):
        colorizer.predict(photo, reference=gray, strength=0)
    with pytest.raises(PhotoError, match=message):
        colorizer.interpolate(photo, 1, 2, 3, reference=gray)


@pytest.mark.parametrize("strength", [-0.1, 1.01, float("nan")])
def test_a_strength_out_of_range(colorizer: Colorizer, photo: Photo, strength: float) -> None:
    with pytest.raises(ValueError, match=r"^strength: expected 0 to 1, got"):
        colorizer.predict(photo, reference=photo, strength=strength)


# walk


def test_a_walk_begins_and_ends_with_the_samples(colorizer: Colorizer, photo: Photo) -> None:
    walk = colorizer.interpolate(photo, 3, 8, 11)
    assert walk.shape == (11, 2, 64, 64)
    for seed, end in ((3, walk[0]), (8, walk[-1])):
        np.testing.assert_array_equal(
            end, colorizer.predict(photo, n=1, seed=seed, samples=True).ab[0]
        )
    assert np.array_equal(colorizer.interpolate(photo, 3, 8, 2), walk[[0, -1]])


def test_a_walk_is_smooth(colorizer: Colorizer, photo: Photo) -> None:
    walk = colorizer.interpolate(photo, 3, 8, 11)
    steps = np.abs(np.diff(walk, axis=0)).mean((1, 2, 3))
    ends = np.abs(walk[-1] - walk[0]).mean()
    assert steps.max() < 0.4 * ends
    assert steps.min() > 0.02 * ends


def test_a_walk_keeps_the_length_of_the_latents(
    colorizer: Colorizer, photo: Photo, encode: Callable[..., list[Tensor]]
) -> None:
    levels = encode(photo, colorizer.interpolate(photo, 3, 8, 3))
    for z in levels[:4]:
        first, middle, last = z.flatten(1).norm(dim=1).tolist()
        assert middle == pytest.approx((first + last) / 2, rel=0.02)


def test_a_walk_the_other_way(colorizer: Colorizer, photo: Photo) -> None:
    there, back = colorizer.interpolate(photo, 3, 8, 5), colorizer.interpolate(photo, 8, 3, 5)
    np.testing.assert_allclose(there, back[::-1], atol=0.01)


def test_a_walk_between_specs(colorizer: Colorizer, photo: Photo, cup: Photo) -> None:
    start = colorizer.spec(3, temperature=0.5)
    end = replace(colorizer.spec(3, strength=0.9).resampled([2], 11), temperature=0.0)
    walk = colorizer.interpolate(photo, start, end, 3, hints=HINTS, reference=cup)
    for spec, ab in ((start, walk[0]), (end, walk[-1])):
        alone = colorizer.reproduce(photo, [spec], hints=HINTS, reference=cup)
        np.testing.assert_array_equal(ab, alone.ab[0])


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_too_few_steps(colorizer: Colorizer, photo: Photo, steps: int) -> None:
    with pytest.raises(ValueError, match=f"^steps: expected at least 2, got {steps}"):
        colorizer.interpolate(photo, 3, 8, steps)


# outputs


def test_the_last_output_is_the_sample(colorizer: Colorizer, photo: Photo) -> None:
    spec = colorizer.spec(3, 0.7).resampled([2, 4], 9)
    for coloring in (3, spec):
        outputs = colorizer.decode_by_level(photo, coloring, hints=HINTS)
        plain = coloring if isinstance(coloring, ColoringSpec) else colorizer.spec(coloring)
        sampled = colorizer.reproduce(photo, [plain], hints=HINTS).ab[0]
        np.testing.assert_array_equal(outputs[-1].ab, sampled)


def test_stages_hold_the_chroma_and_the_latents_of_their_level(
    colorizer: Colorizer, photo: Photo, encode: Callable[..., list[Tensor]]
) -> None:
    outputs = colorizer.decode_by_level(photo, 3)
    assert [one.ab.shape for one in outputs] == [(2, side, side) for side in colorizer.levels]
    for output, z in zip(outputs, encode(photo, outputs[-1].ab[None]), strict=True):
        np.testing.assert_allclose(output.latents, z[0], atol=0.02)


def test_later_stages_keep_the_means_of_earlier_ones(
    colorizer: Colorizer, photo: Photo, pyramid: ChromaPyramid
) -> None:
    u = [
        pyramid.bounded(torch.from_numpy(one.ab)[None])[0]
        for one in colorizer.decode_by_level(photo, 3)
    ]
    for coarse, fine in itertools.pairwise(u):
        means = torch.nn.functional.avg_pool2d(fine, 2)
        np.testing.assert_allclose(means.detach(), coarse.detach(), atol=1e-3)
        assert (fine - coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)).abs().max() > 0.01


# resample


def test_details_sampled_anew_keep_the_mood(colorizer: Colorizer, photo: Photo) -> None:
    base = colorizer.predict(photo, n=1, seed=3, samples=True).ab[0]
    predictions = colorizer.resample(photo, 3, (16, 32, 64), 50, n=2)
    assert [spec.seeds for spec in predictions.specs] == [(3, 3, 50, 50, 50), (3, 3, 51, 51, 51)]
    for ab in predictions.ab:
        np.testing.assert_allclose(pooled(ab, 8), pooled(base, 8), atol=1e-3)
        assert np.abs(pooled(ab, 16) - pooled(base, 16)).max() > 1


@pytest.mark.parametrize("names", [(4,), (4, 8), (8, 32), (16, 32, 64)])
def test_resampling_changes_the_latents_of_these_levels_alone(
    colorizer: Colorizer, photo: Photo, encode: Callable[..., list[Tensor]], names: tuple[int, ...]
) -> None:
    base, other, got = (
        encode(photo, predictions.ab)
        for predictions in (
            colorizer.predict(photo, n=1, seed=3, samples=True),
            colorizer.predict(photo, n=1, seed=50, samples=True),
            colorizer.resample(photo, 3, names, 50),
        )
    )
    for level, name in enumerate(colorizer.levels):
        want = other[level] if name in names else base[level]
        assert (got[level] - want).abs().max() < 0.02, name


def test_all_levels_sampled_anew_are_another_sample(colorizer: Colorizer, photo: Photo) -> None:
    anew = colorizer.resample(photo, 3, colorizer.levels, 8, hints=HINTS)
    want = colorizer.predict(photo, n=1, seed=8, hints=HINTS, samples=True)
    np.testing.assert_array_equal(anew.ab, want.ab)
    same = colorizer.resample(photo, anew.specs[0], {32}, 8, hints=HINTS)
    np.testing.assert_array_equal(same.ab, want.ab)


def test_a_resampled_coloring_keeps_its_spec(
    colorizer: Colorizer, photo: Photo, cup: Photo
) -> None:
    spec = colorizer.spec(3, temperature=0.7, strength=0.4)
    (anew,) = colorizer.resample(photo, spec, [64], 9, reference=cup).specs
    assert anew == replace(spec, seeds=(3, 3, 3, 3, 9))


@pytest.mark.parametrize("levels", [(), (5,), (4, 128)])
def test_levels_that_are_none(colorizer: Colorizer, photo: Photo, levels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^levels: expected some of 4, 8, 16, 32, 64, got"):
        colorizer.resample(photo, 3, levels, 50)


@pytest.mark.parametrize(
    ("n", "seed", "name"), [(0, 1, "n"), (1, -1, "seed"), (2, 2**63 - 2, "seed")]
)
def test_resamplings_out_of_range(
    colorizer: Colorizer, photo: Photo, n: int, seed: int, name: str
) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        colorizer.resample(photo, 3, (4,), seed, n)


# uncertainty


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_uncertainty_is_the_stretched_interval_of_samples_at_std_1(
    colorizer: Colorizer,
    photo: Photo,
    pyramid: ChromaPyramid,
    condition_of: Callable[..., Condition],
    level: float,
) -> None:
    got = colorizer.uncertainty(photo, 20, seed=2, level=level)
    sampled = []
    shapes, condition = pyramid.latent_shapes(), condition_of(photo)
    signs = signs_of_photo(condition.lightness, shapes)
    for seed in range(2, 22):
        generator = torch.Generator().manual_seed(seed)
        sampled.append(
            [
                sign * torch.randn(s, generator=generator)
                for s, sign in zip(shapes, signs, strict=True)
            ]
        )
    latents = [torch.stack(levels) for levels in zip(*sampled, strict=True)]
    with torch.no_grad():
        ab = pyramid.decode(latents, condition).numpy()
    shares = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(ab, shares, axis=0, method="weibull")
    np.testing.assert_allclose(got.middle, (low + high) / 2, atol=0.02)
    np.testing.assert_allclose(got.half_width, FACTORS[level] * (high - low) / 2, atol=0.02)
    np.testing.assert_allclose(got.map, np.hypot(*got.half_width))
    assert got.map.shape == (64, 64)
    assert got.half_width.dtype == np.float32
    assert (got.level, got.calibrated) == (level, True)


def test_weights_that_are_not_calibrated_say_so(
    plain_colorizer: Colorizer, photo: Photo, tmp_path: Path
) -> None:
    plain = plain_colorizer
    half = Colorizer.load(save_small_weights(tmp_path / "half.safetensors", 0, {0.5: 2.0}))
    own, given = (colorizer.uncertainty(photo, 3, level=0.5) for colorizer in (plain, half))
    assert (own.calibrated, given.calibrated) == (False, True)
    np.testing.assert_array_equal(given.half_width, 2 * own.half_width)
    np.testing.assert_array_equal(given.middle, own.middle)
    assert not half.uncertainty(photo, 19, level=0.9).calibrated


def test_uncertainty_repeats_and_knows_hints(colorizer: Colorizer, photo: Photo) -> None:
    first, again, hinted, other = (
        colorizer.uncertainty(photo, 9, level=0.5, **given)
        for given in ({}, {}, {"hints": HINTS}, {"seed": 1})
    )
    np.testing.assert_array_equal(first.half_width, again.half_width)
    np.testing.assert_array_equal(first.middle, again.middle)
    assert np.abs(hinted.middle - first.middle).max() > 0.5
    assert np.abs(other.middle - first.middle).max() > 0.5


def test_the_map_at_full_size(colorizer: Colorizer, photo: Photo) -> None:
    lightness = lightness_of(photo.pixels)
    half_width = np.stack([np.full((64, 64), 3, np.float32), np.full((64, 64), 4, np.float32)])
    flat = Uncertainty(level=0.9, middle=half_width, half_width=half_width, calibrated=True)
    np.testing.assert_allclose(flat.at_full_size(lightness), 5, atol=1e-4)
    steep = np.zeros((2, 64, 64), np.float32)
    steep[:, :, 32:] = 30  # bicubic interpolation goes below zero beside the step
    edge = replace(flat, half_width=steep).at_full_size(lightness)
    assert edge.shape == lightness.shape
    a, b = upsample_ab(steep, lightness)
    assert a.min() < -0.5
    np.testing.assert_allclose(edge, np.hypot(a.clip(min=0), b.clip(min=0)), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 18}, "n: expected at least 19 for an interval of 0.9, got 18"),
        ({"n": 2, "level": 0.5}, "n: expected at least 3 for an interval of 0.5, got 2"),
        ({"level": 0.8}, "level: expected 0.5 or 0.9, got 0.8"),
        ({"level": 90}, "level: expected 0.5 or 0.9, got 90"),
        ({"seed": -1}, "seed: expected a whole number from 0, got -1"),
    ],
)
def test_uncertainty_out_of_range(
    colorizer: Colorizer, photo: Photo, arguments: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        colorizer.uncertainty(photo, **arguments)  # type: ignore[arg-type]


# likelihood


@pytest.mark.parametrize("hints", [(), HINTS])
def test_log_prob_is_that_of_the_model(
    colorizer: Colorizer,
    photo: Photo,
    pyramid: ChromaPyramid,
    condition_of: Callable[..., Condition],
    hints: tuple[Hint, ...],
) -> None:
    ab = torch.from_numpy(to_grid(photo.pixels))[None]
    with torch.no_grad():
        want = pyramid.log_prob(ab, condition_of(photo, hints)).numpy()
    own = colorizer.log_prob(photo, hints=hints)
    assert own.shape == (1,)
    np.testing.assert_allclose(own, want, rtol=1e-6)
    np.testing.assert_array_equal(colorizer.log_prob(photo, ab.numpy(), hints=hints), own)
    bits = colorizer.bits_per_dim(photo, hints=hints)
    np.testing.assert_allclose(bits, -want / (8192 * math.log(2)), rtol=1e-6)


def test_hints_change_the_likelihood(colorizer: Colorizer, photo: Photo) -> None:
    plain, hinted = colorizer.log_prob(photo), colorizer.log_prob(photo, hints=HINTS)
    assert abs(plain[0] - hinted[0]) > 1


def test_the_colors_of_a_gray_photo_are_zero(colorizer: Colorizer, gray: Photo) -> None:
    zero = np.zeros((1, 2, 64, 64), np.float32)
    np.testing.assert_array_equal(colorizer.log_prob(gray), colorizer.log_prob(gray, zero))


def test_a_likelihood_does_not_depend_on_the_others(colorizer: Colorizer, photo: Photo) -> None:
    ab = colorizer.predict(photo, n=10, seed=3, samples=True).ab
    together = colorizer.log_prob(photo, ab)
    assert together.shape == (10,)
    alone = [colorizer.log_prob(photo, ab[i : i + 1])[0] for i in (0, 7, 9)]
    np.testing.assert_allclose(together[[0, 7, 9]], alone, rtol=1e-5)


def test_ranking_is_by_log_prob(colorizer: Colorizer, photo: Photo) -> None:
    """Given the hints, which change the order."""
    predictions = colorizer.predict(photo, n=8, temperature=1.2, seed=3, samples=True)
    orders = []
    for hints in ((), HINTS):
        log_prob = colorizer.log_prob(photo, predictions.ab, hints=hints)
        orders.append(sorted(range(8), key=list(-log_prob).__getitem__))
        ranked = colorizer.rank(photo, predictions, hints=hints)
        assert ranked.specs == [predictions.specs[i] for i in orders[-1]]
        np.testing.assert_array_equal(ranked.ab, predictions.ab[orders[-1]])
    assert orders[0] != orders[1]
    assert list(range(8)) not in orders
    assert predictions.seeds == list(range(3, 11)), "the predictions themselves stay"


@pytest.mark.parametrize("shape", [(2, 64, 64), (1, 2, 32, 32), (0, 2, 64, 64), (1, 3, 64, 64)])
def test_chroma_of_another_shape(
    colorizer: Colorizer, photo: Photo, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"^ab: expected shape \(n, 2, 64, 64\), got"):
        colorizer.log_prob(photo, np.zeros(shape, np.float32))


@pytest.mark.parametrize("value", [128.0, -200.0, float("nan"), float("inf")])
def test_chroma_outside_the_box_has_no_density(
    colorizer: Colorizer, photo: Photo, value: float
) -> None:
    ab = np.zeros((1, 2, 64, 64), np.float32)
    ab[0, 1, 3, 5] = value
    with pytest.raises(ValueError, match=r"^ab: expected values within \+-128, got some outside"):
        colorizer.rank(photo, Predictions(specs=[colorizer.spec()], ab=ab))


# hints everywhere


def test_weights_without_hints_refuse_them_everywhere(photo: Photo, tmp_path: Path) -> None:
    plain = Colorizer.load(save_small_weights(tmp_path / "plain.safetensors"))
    uses = (
        lambda: plain.reproduce(photo, [plain.spec()], hints=HINTS),
        lambda: plain.resample(photo, 1, (4,), 2, hints=HINTS),
        lambda: plain.interpolate(photo, 1, 2, 3, hints=HINTS),
        lambda: plain.uncertainty(photo, 19, hints=HINTS),
        lambda: plain.log_prob(photo, hints=HINTS),
        lambda: plain.bits_per_dim(photo, hints=HINTS),
    )
    for use in uses:
        with pytest.raises(WeightsError, match="these weights take no color hints"):
            use()


# the shipped weights


@pytest.fixture(scope="module")
def shipped() -> Colorizer:
    return Colorizer.load()


def test_shipped_weights_give_a_photo_its_own_colors(shipped: Colorizer, cup: Photo) -> None:
    spec = ColoringSpec(seeds=(0,) * 5, strengths=ALL)
    (ab,) = shipped.reproduce(cup, [spec], reference=cup).ab
    assert np.abs(ab - to_grid(cup.pixels)).max() <= 1e-2


def test_shipped_weights_keep_the_mood_of_resampled_details(
    shipped: Colorizer, photo: Photo
) -> None:
    base = shipped.predict(photo, n=1, seed=3, samples=True).ab[0]
    details, mood = (
        shipped.resample(photo, 3, names, 50).ab[0] for names in ((16, 32, 64), (4, 8))
    )
    assert np.abs(pooled(details, 8) - pooled(base, 8)).max() < 1e-2
    assert np.abs(pooled(mood, 8) - pooled(base, 8)).mean() > 2
    assert np.abs(details - base).mean() < 0.5 * np.abs(mood - base).mean()
