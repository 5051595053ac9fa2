"""Principal colorings of a Colorizer: its default answer, and points of its space of colorings."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from colorflow.color.full_resolution import lightness_of, render
from colorflow.colorizer import ColoringSpec, Colorizer, Hint, Predictions, PrincipalSpec
from colorflow.model.condition import Condition
from colorflow.model.principal import POOL_LEVELS, follow_lightness, principal_points
from colorflow.model.pyramid import ChromaPyramid
from colorflow.photo import Photo, photo_from_image
from colorflow.photo_model import sample_latents, signs_of_photo
from tests.small_weights import GAIN, TEMPERATURES

HINTS = (Hint(20, 30, 60, -60), Hint(80, 100, -50, 50))


@pytest.fixture(scope="module")
def principal(colorizer: Colorizer, photo: Photo) -> Predictions:
    """Three, from seed 4 on."""
    return colorizer.predict(photo, n=3, seed=4)


# the default answer


def test_principal_colorings_are_the_default_answer(
    colorizer: Colorizer, photo: Photo, principal: Predictions
) -> None:
    three = [PrincipalSpec(number=number, of=3, seed=4) for number in range(3)]
    assert principal.specs == [ColoringSpec(seeds=(None,) * 5, principal=one) for one in three]
    assert principal.seeds == [4, 4, 4]
    assert all(spec.is_principal for spec in principal.specs)
    assert principal.ab.shape == (3, 2, 64, 64)
    for rgb, ab in zip(colorizer.colorize_photo(photo, 3, seed=4), principal.ab, strict=True):
        np.testing.assert_array_equal(rgb, render(lightness_of(photo.pixels), ab))
    pairs = ((0, 1), (0, 2), (1, 2))
    assert min(np.abs(principal.ab[i] - principal.ab[j]).mean() for i, j in pairs) > 0.5


def test_shares_of_principal_colorings_and_of_samples(
    colorizer: Colorizer, photo: Photo, principal: Predictions
) -> None:
    assert all(isinstance(share, float) for share in principal.shares)
    for predictions in (principal, colorizer.predict(photo, 6)):
        first, *modes = predictions.shares
        assert first == 1
        assert sum(modes) == pytest.approx(1)
        assert modes == sorted(modes, reverse=True)
    assert colorizer.predict(photo, 1).shares == (1.0,)
    first, larger = colorizer.predict(photo, 2).shares
    assert (first, larger >= 0.5) == (1, True)
    assert colorizer.predict(photo, 2, samples=True).shares == ()
    assert colorizer.predict(photo, 2, diverse=True).shares == ()


@pytest.mark.parametrize("hints", [(), HINTS])
def test_the_first_principal_coloring_step_by_step(
    colorizer: Colorizer,
    photo: Photo,
    pyramid: ChromaPyramid,
    condition_of: Callable[..., Condition],
    hints: tuple[Hint, ...],
) -> None:
    """The mean of 32 samples of the photo and of 32 of the photo turned round, turned back."""
    turned = photo_from_image(np.ascontiguousarray(photo.pixels[:, ::-1]))
    turned_hints = tuple(replace(hint, column=photo.width - 1 - hint.column) for hint in hints)
    conditions = condition_of(photo, hints), condition_of(turned, turned_hints)
    shapes = pyramid.latent_shapes()
    signs, samples = signs_of_photo(conditions[0].lightness, shapes), []
    with torch.no_grad():
        for i in range(64):
            sampled = sample_latents(shapes, [9 + i] * 5)
            parts = zip(sampled[:POOL_LEVELS], signs, TEMPERATURES, strict=False)
            latents = [0.9 * std * sign * z[None] for z, sign, std in parts]
            ab = pyramid.decode(latents, conditions[i // 32], GAIN)[0]
            samples.append((ab if i < 32 else ab.flip(2)).numpy())
        means, _ = principal_points(np.stack(samples), 1)
        fine = pyramid.complete(torch.from_numpy(means), conditions[0])
        cells = conditions[0].lightness.unflatten(2, (64, 2)).unflatten(4, (64, 2)).mean((3, 5))
        want = pyramid.pull_to_hints(follow_lightness(fine, cells), conditions[0]).numpy()
    got = colorizer.predict(photo, 1, 0.9, seed=9, hints=hints).ab
    np.testing.assert_allclose(got, want, atol=0.05)


def test_there_are_at_most_16_principal_colorings_and_any_number_of_samples(
    colorizer: Colorizer, photo: Photo
) -> None:
    with pytest.raises(
        ValueError, match=r"^n: expected at most 16 .* got 17; there may be any number of samples"
    ):
        colorizer.colorize(photo, n=17)
    assert len(colorizer.predict(photo, 16).ab) == 16
    assert len(colorizer.predict(photo, 17, samples=True).ab) == 17


@pytest.mark.parametrize(("number", "of"), [(3, 3), (-1, 3), (0, 0)])
def test_a_principal_coloring_out_of_range(number: int, of: int) -> None:
    with pytest.raises(ValueError, match=r"^number: expected 0 to"):
        PrincipalSpec(number=number, of=of, seed=0)
    with pytest.raises(ValueError, match=r"^seed: expected"):
        PrincipalSpec(number=0, of=1, seed=-1)
    with pytest.raises(ValueError, match=r"^seeds: expected .* no principal"):
        ColoringSpec(seeds=(1, None))


@pytest.mark.parametrize("shipped", [False, True])
def test_size_and_file_do_not_change_the_first_principal_coloring(
    colorizer: Colorizer, shipped: bool
) -> None:
    """Half as large, and saved as a JPEG. Modes may be others, where samples have no clear ones."""
    tool = Colorizer.load() if shipped else colorizer
    picture = Image.fromarray(skimage.data.astronaut())
    small, file = picture.resize((256, 256), Image.Resampling.BOX), io.BytesIO()
    picture.save(file, "jpeg", quality=85)
    want = tool.predict(photo_from_image(picture), 3).ab[0]
    for other in (small, Image.open(file)):
        got = tool.predict(photo_from_image(other), 3).ab[0]
        assert np.abs(got - want).mean() < 1.5


# points of the space of colorings


def test_specs_give_principal_colorings_again_to_the_bit(
    colorizer: Colorizer, photo: Photo, principal: Predictions
) -> None:
    """Alone, in another order, and among samples."""
    for spec, ab in zip(principal.specs, principal.ab, strict=True):
        again = colorizer.reproduce(photo, [spec])
        assert again.specs == [spec]
        np.testing.assert_array_equal(again.ab[0], ab)
    mixed = [principal.specs[2], colorizer.spec(4), principal.specs[0]]
    got = colorizer.reproduce(photo, mixed).ab
    np.testing.assert_array_equal(got[[0, 2]], principal.ab[[2, 0]])
    np.testing.assert_array_equal(got[1], colorizer.predict(photo, 1, seed=4, samples=True).ab[0])


@pytest.mark.parametrize("names", [(4,), (8, 32), (16, 32, 64)])
def test_resampling_a_principal_coloring_changes_the_latents_of_these_levels_alone(
    colorizer: Colorizer,
    photo: Photo,
    principal: Predictions,
    encode: Callable[..., list[Tensor]],
    names: tuple[int, ...],
) -> None:
    predictions = colorizer.resample(photo, principal.specs[1], names, 50, n=2)
    seeds = [tuple(s if name in names else None for name in colorizer.levels) for s in (50, 51)]
    assert predictions.specs == [replace(principal.specs[1], seeds=own) for own in seeds]
    assert not any(spec.is_principal for spec in predictions.specs)
    latents = encode(photo, principal.ab[1])
    for ab, seed in zip(predictions.ab, (50, 51), strict=True):
        sample = encode(photo, colorizer.predict(photo, 1, seed=seed, samples=True).ab[0])
        for level, (name, z) in enumerate(zip(colorizer.levels, encode(photo, ab), strict=True)):
            want = (sample if name in names else latents)[level]
            assert (z - want).abs().max() < 0.05, name


def test_a_principal_coloring_sampled_anew_in_all_levels_is_a_sample(
    colorizer: Colorizer, photo: Photo, principal: Predictions
) -> None:
    anew = colorizer.resample(photo, principal.specs[2], colorizer.levels, 8)
    np.testing.assert_array_equal(anew.ab, colorizer.predict(photo, 1, seed=8, samples=True).ab)


def test_a_walk_between_a_principal_coloring_and_a_sample(
    colorizer: Colorizer, photo: Photo, principal: Predictions
) -> None:
    """It begins and ends with them, and does not jump on the way."""
    sample = colorizer.predict(photo, 1, seed=8, samples=True).ab[0]
    walk = colorizer.interpolate(photo, principal.specs[1], 8, 9)
    np.testing.assert_array_equal(walk[0], principal.ab[1])
    np.testing.assert_array_equal(walk[-1], sample)
    steps = np.abs(np.diff(walk, axis=0)).mean((1, 2, 3))
    assert steps.max() < 0.4 * np.abs(sample - principal.ab[1]).mean()
    back = colorizer.interpolate(photo, 8, principal.specs[1], 9)
    np.testing.assert_allclose(back[::-1], walk, atol=0.02)
    ends = colorizer.interpolate(photo, principal.specs[0], principal.specs[2], 2)
    np.testing.assert_array_equal(ends, principal.ab[[0, 2]])


def test_principal_colorings_have_density_outputs_and_rank(
    colorizer: Colorizer, photo: Photo, principal: Predictions
) -> None:
    log_prob = colorizer.log_prob(photo, principal.ab)
    assert np.isfinite(log_prob).all()
    assert sorted(-log_prob) == list(
        -colorizer.log_prob(photo, colorizer.rank(photo, principal).ab)
    )
    for number in (0, 2):
        outputs = colorizer.decode_by_level(photo, principal.specs[number])
        assert [one.ab.shape[1] for one in outputs] == [4, 8, 16, 32, 64]
        np.testing.assert_allclose(outputs[-1].ab, principal.ab[number], atol=0.02)


# hints and a reference


def test_principal_colorings_follow_hints(colorizer: Colorizer, photo: Photo) -> None:
    plain = colorizer.predict(photo, 3, seed=4).ab
    predictions = colorizer.predict(photo, 3, seed=4, hints=HINTS)
    np.testing.assert_array_equal(
        colorizer.reproduce(photo, predictions.specs, hints=HINTS).ab, predictions.ab
    )
    for hint in HINTS:
        row, column = int(64 * (hint.row + 0.5) / 90), int(64 * (hint.column + 0.5) / 130)
        color = np.array([hint.a, hint.b])
        before, after = (
            np.abs(ab[:, :, row, column] - color).max(1) for ab in (plain, predictions.ab)
        )
        assert (before > 5).all()
        assert (after < 0.25 * before).all()


def test_principal_colorings_go_towards_a_reference(
    colorizer: Colorizer, photo: Photo, cup: Photo
) -> None:
    plain = colorizer.predict(photo, 2, seed=4).ab
    none = colorizer.predict(photo, 2, seed=4, reference=cup, strength=0)
    np.testing.assert_array_equal(none.ab, plain)
    predictions = colorizer.predict(photo, 2, seed=4, reference=cup, strength=0.8)
    assert np.abs(predictions.ab - plain).mean((1, 2, 3)).min() > 1
    again = colorizer.reproduce(photo, predictions.specs, reference=cup)
    np.testing.assert_array_equal(again.ab, predictions.ab)
    with pytest.raises(ValueError, match=r"^reference: expected the photo"):
        colorizer.reproduce(photo, predictions.specs)
    full = colorizer.predict(photo, 1, seed=4, reference=cup, strength=1).ab
    other = colorizer.predict(photo, 1, seed=400, reference=cup, strength=1).ab
    free = colorizer.predict(photo, 1, seed=400).ab
    first = colorizer.predict(photo, 1, seed=4).ab
    assert np.abs(full - other).mean() < 0.5 * np.abs(free - first).mean()


def test_temperature_zero_is_one_picture(colorizer: Colorizer, photo: Photo) -> None:
    ab = colorizer.predict(photo, 3, temperature=0).ab
    assert np.abs(ab - ab[0]).max() < 1e-3


def test_principal_colorings_of_two_temperatures_at_once(
    colorizer: Colorizer, photo: Photo
) -> None:
    warm = colorizer.predict(photo, 3)
    calm = replace(warm.specs[1], temperature=0.4)
    got = colorizer.reproduce(photo, [warm.specs[1], calm]).ab
    np.testing.assert_array_equal(got[0], warm.ab[1])
    np.testing.assert_array_equal(got[1], colorizer.predict(photo, 3, 0.4).ab[1])


def test_a_walk_between_two_temperatures_of_a_principal_coloring_does_not_jump(
    colorizer: Colorizer, photo: Photo
) -> None:
    spec = colorizer.predict(photo, 3).specs[1]
    walk = colorizer.interpolate(photo, spec, replace(spec, temperature=0.4), 9)
    steps = np.abs(np.diff(walk, axis=0)).mean((1, 2, 3))
    assert steps.max() < 0.4 * np.abs(walk[-1] - walk[0]).mean()
