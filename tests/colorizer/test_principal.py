"""Principal colorings of a Colorizer: its default answer, and points of its space of colorings."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from colorflow.color.full_resolution import lightness_of, render
from colorflow.colorizer import Colorizer
from colorflow.model.condition import Condition
from colorflow.model.hints import thing_hints
from colorflow.model.level import sample_latents, signs_of_photo
from colorflow.model.principal import POOL_LEVELS, vivid_mean
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.spatial import SpatialOperator, contrast_of
from colorflow.model.things import THINGS_GRID
from colorflow.photo import Photo, photo_from_image
from colorflow.recipe import ColoringSpec, Hint, PrincipalSpec
from colorflow.result import Result
from tests.colorizer.made import ByHand, chroma, pixels, sample_spec, seeds, shares, specs
from tests.small_weights import GAIN, HEAD_GAIN, TEMPERATURES

HINTS = (Hint(20, 30, 60, -60), Hint(80, 100, -50, 50))
ALIKE = tuple(replace(hint, reach="alike") for hint in HINTS)


@pytest.fixture(scope="module")
def principal(colorizer: Colorizer, photo: Photo) -> list[Result]:
    """Three, from seed 4 on."""
    return colorizer.colorize(photo, n=3, seed=4, force=True)


def test_principal_colorings_are_the_default_answer(
    colorizer: Colorizer, photo: Photo, principal: list[Result]
) -> None:
    three = [PrincipalSpec(number=number, of=3, seed=4) for number in range(3)]
    assert specs(principal) == [ColoringSpec(seeds=(None,) * 5, principal=one) for one in three]
    assert seeds(principal) == [4, 4, 4]
    assert all(spec.is_principal for spec in specs(principal))
    assert chroma(principal).shape == (3, 2, 64, 64)
    for rgb, ab in zip(
        pixels(colorizer.colorize(photo, 3, seed=4, force=True)), chroma(principal), strict=True
    ):
        np.testing.assert_array_equal(rgb, render(lightness_of(photo.pixels), ab))
    pairs = ((0, 1), (0, 2), (1, 2))
    assert min(np.abs(chroma(principal)[i] - chroma(principal)[j]).mean() for i, j in pairs) > 0.5


def test_shares_of_principal_colorings_and_of_samples(
    colorizer: Colorizer, photo: Photo, principal: list[Result]
) -> None:
    assert all(isinstance(share, float) for share in shares(principal))
    for predictions in (principal, colorizer.colorize(photo, 6, force=True)):
        first, *modes = shares(predictions)
        assert first == 1
        assert sum(modes) == pytest.approx(1)
        assert modes == sorted(modes, reverse=True)
    assert shares(colorizer.colorize(photo, 1, force=True)) == [1.0]
    first, larger = shares(colorizer.colorize(photo, 2, force=True))
    assert (first, larger >= 0.5) == (1, True)
    assert shares(colorizer.colorize(photo, 2, samples=True, force=True)) == [None, None]


@pytest.mark.parametrize("way", [{"skin": False}, {}], ids=str)
@pytest.mark.parametrize("hints", [(), HINTS, ALIKE], ids=["none", "thing", "alike"])
def test_the_first_principal_coloring_step_by_step(
    colorizer: Colorizer,
    photo: Photo,
    by_hand: ByHand,
    hints: tuple[Hint, ...],
    way: dict[str, bool],
) -> None:
    """What the mean head says of the large photo, with its gain, then assigned to things, and skin
    of its own.

    With hints, the vivid mean of 8 samples of the photo and of 8 of the photo turned round, turned
    back, completed, with the details of the large photo. Hints for things color what comes without
    them.
    """
    turned = photo_from_image(np.ascontiguousarray(photo.pixels[:, ::-1]))

    def completed(hints: tuple[Hint, ...]) -> NDArray[np.float32]:
        if not hints:
            tint = large_mean.mean((1, 2), keepdims=True)
            gain = 1 + 0.9 * (HEAD_GAIN - 1)  # the temperature is 0.9
            return tint + gain * (large_mean - tint)
        mirrored = tuple(replace(hint, column=photo.width - 1 - hint.column) for hint in hints)
        ways = by_hand.condition(photo, hints), by_hand.condition(turned, mirrored)
        mean = torch.from_numpy(vivid_mean(_samples(by_hand.pyramid, *ways)))[None]
        return by_hand.pyramid.complete(mean, ways[0])[0].numpy()

    condition = by_hand.condition(photo, hints)
    with torch.no_grad():
        large = by_hand.condition(photo, side=384)
        whole_mean, large_mean = (
            by_hand.pyramid.predict(one)[0].numpy() for one in (condition, large)
        )
        model_ab, raw = completed(hints), completed(() if hints is HINTS else hints)
        cells = large.lightness.unflatten(2, (64, 3)).unflatten(4, (64, 3)).mean((3, 5))
        operator = SpatialOperator(cells[0, 0].numpy(), large.features[16][0].numpy())
        seen = raw
        if hints and hints is not HINTS:
            details = large_mean - whole_mean
            seen = raw + details - gaussian_filter(details, (0, 8, 8))
        want = operator(seen[None], contrast_of(raw[None]))
        if not way:
            want = by_hand.with_skin(photo, want, np.zeros((1, 2), np.float32))
        if hints:
            mask, *colors = condition.planes[0].numpy()  # type: ignore[index]
            given = mask > 0, np.stack(colors)
        if hints is HINTS:
            things = colorizer._opener.opened(photo, None, ()).model.things
            want = things.colored(want, thing_hints(hints, photo.height, photo.width, THINGS_GRID))
        elif hints:
            filled = operator.likened(operator.filled(want, *given), *given)
            want = by_hand.pyramid.pull_to_hints(torch.from_numpy(filled), condition).numpy()
    one = PrincipalSpec(number=0, of=1, seed=9)
    spec = ColoringSpec(seeds=(None,) * 5, principal=one, temperature=0.9, **way)
    (got,) = colorizer.open(photo, hints=hints).reproduce([spec])
    np.testing.assert_allclose(got.model_ab, model_ab, atol=0.05)
    np.testing.assert_allclose(got.ab, want[0], atol=0.1)
    assert got.spec == spec
    assert got.spec.skin == (not way)


def test_the_first_coloring_comes_before_the_others(colorizer: Colorizer, photo: Photo) -> None:
    want = colorizer.colorize(photo, 3, 0.9, 4, force=True)
    progress = colorizer.colorize_progressively(photo, 3, 0.9, 4)
    first = next(progress)
    np.testing.assert_array_equal(first.ab, want[0].ab)
    made = [first, *progress]
    np.testing.assert_array_equal(chroma(made), chroma(want))
    assert specs(made) == specs(want)
    assert len(list(colorizer.colorize_progressively(photo, 1))) == 1


def test_without_a_mean_head_the_first_is_the_mean_of_samples(
    headless: Colorizer, colorizer: Colorizer, photo: Photo
) -> None:
    """Which are those of a seed; what is predicted is the same for all seeds."""
    for tool, is_sampled in ((headless, True), (colorizer, False)):
        one, other = (tool.colorize(photo, 2, seed=seed, force=True)[0] for seed in (1, 90))
        assert (np.abs(one.model_ab - other.model_ab).max() > 0.5) == is_sampled
        (alone,) = tool.colorize(photo, 1, seed=1, force=True)
        np.testing.assert_array_equal(alone.model_ab, one.model_ab)


@pytest.mark.parametrize("hints", [(), ALIKE], ids=["none", "alike"])
def test_no_sample_is_made_twice(
    colorizer: Colorizer,
    photo: Photo,
    hints: tuple[Hint, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four principal colorings take 64 samples, those of the first included."""
    counts, decode = [], ChromaPyramid.decode

    def counted(self: ChromaPyramid, latents: list[torch.Tensor], *others: object) -> torch.Tensor:
        counts.append(len(latents[0]))
        return decode(self, latents, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(ChromaPyramid, "decode", counted)
    colorizer.colorize(photo, 4, hints=hints, force=True)
    assert counts == ([16, 48] if hints else [64])


def _samples(
    pyramid: ChromaPyramid, condition: Condition, turned: Condition
) -> NDArray[np.float32]:
    """16 from seed 9 on at temperature 0.9, coarse levels only, each seed with both signs."""
    shapes = pyramid.latent_shapes()
    signs, samples = signs_of_photo(condition.lightness, shapes), []
    for i in range(16):
        sampled = sample_latents(shapes, [9 + i // 2] * 5)
        parts = zip(sampled[:POOL_LEVELS], signs, TEMPERATURES, strict=False)
        latents = [(-1) ** i * 0.9 * std * sign * z[None] for z, sign, std in parts]
        ab = pyramid.decode(latents, condition if i < 8 else turned, GAIN)[0]
        samples.append((ab if i < 8 else ab.flip(2)).numpy())
    return np.stack(samples)


def test_there_are_16_principal_colorings_and_any_number_of_samples(
    colorizer: Colorizer, photo: Photo
) -> None:
    assert len(colorizer.colorize(photo, 16, force=True)) == 16
    assert len(colorizer.colorize(photo, 17, samples=True, force=True)) == 17


def test_size_and_file_do_not_change_the_first_principal_coloring() -> None:
    """Half as large, and saved as a JPEG. Modes may be others, where samples have no clear ones."""
    tool = Colorizer.load()
    picture = Image.fromarray(skimage.data.astronaut())
    small, file = picture.resize((256, 256), Image.Resampling.BOX), io.BytesIO()
    picture.save(file, "jpeg", quality=85)
    want = tool.colorize(photo_from_image(picture), 3, force=True)[0].ab
    for other in (small, Image.open(file)):
        got = tool.colorize(photo_from_image(other), 3, force=True)[0].ab
        assert np.abs(got - want).mean() < 1.5


# points of the space of colorings


def test_specs_give_principal_colorings_again_to_the_bit(
    colorizer: Colorizer, photo: Photo, principal: list[Result]
) -> None:
    """Alone, in another order, and among samples."""
    for spec, ab in zip(specs(principal), chroma(principal), strict=True):
        again = colorizer.open(photo).reproduce([spec])
        assert specs(again) == [spec]
        np.testing.assert_array_equal(again[0].ab, ab)
    mixed = [principal[2], sample_spec(4), principal[0].spec]  # colorings say their own
    got = chroma(colorizer.open(photo).reproduce(mixed))
    np.testing.assert_array_equal(got[[0, 2]], chroma(principal)[[2, 0]])
    np.testing.assert_array_equal(
        got[1], colorizer.colorize(photo, 1, seed=4, samples=True, force=True)[0].ab
    )


@pytest.mark.parametrize("names", [(8, 32)])
def test_resampling_a_principal_coloring_changes_the_latents_of_these_levels_alone(
    colorizer: Colorizer,
    photo: Photo,
    principal: list[Result],
    by_hand: ByHand,
    names: tuple[int, ...],
) -> None:
    predictions = colorizer.open(photo).resample(principal[1].spec, names, 50, n=2)
    own_seeds = [tuple(s if name in names else None for name in colorizer.levels) for s in (50, 51)]
    assert specs(predictions) == [replace(principal[1].spec, seeds=own) for own in own_seeds]
    assert not any(spec.is_principal for spec in specs(predictions))
    latents = by_hand.encode(photo, principal[1].model_ab)
    for one, seed in zip(predictions, (50, 51), strict=True):
        (sample_of_seed,) = colorizer.colorize(photo, 1, seed=seed, samples=True, force=True)
        sample, own = (by_hand.encode(photo, x.model_ab) for x in (sample_of_seed, one))
        for level, (name, z) in enumerate(zip(colorizer.levels, own, strict=True)):
            want = (sample if name in names else latents)[level]
            assert (z - want).abs().max() < 0.05, name


def test_principal_colorings_follow_hints(colorizer: Colorizer, photo: Photo) -> None:
    plain = chroma(colorizer.colorize(photo, 3, seed=4, force=True))
    predictions = colorizer.colorize(photo, 3, seed=4, hints=HINTS, force=True)
    np.testing.assert_array_equal(
        chroma(colorizer.open(photo, hints=HINTS).reproduce(specs(predictions))),
        chroma(predictions),
    )
    for hint in HINTS:
        row, column = int(64 * (hint.row + 0.5) / 90), int(64 * (hint.column + 0.5) / 130)
        color = np.array([hint.a, hint.b])
        before, after = (
            np.abs(ab[:, :, row, column] - color).max(1) for ab in (plain, chroma(predictions))
        )
        assert (before > 5).all()
        assert (after < 0.25 * before).all()


def test_principal_colorings_go_towards_a_style(
    colorizer: Colorizer, photo: Photo, cup: Photo
) -> None:
    plain = chroma(colorizer.colorize(photo, 2, seed=4, force=True))
    none = colorizer.colorize(photo, 2, seed=4, style=cup, style_strength=0, force=True)
    np.testing.assert_array_equal(chroma(none), plain)
    predictions = colorizer.colorize(photo, 2, seed=4, style=cup, style_strength=0.8, force=True)
    assert np.abs(chroma(predictions) - plain).mean((1, 2, 3)).min() > 1
    again = colorizer.open(photo, style=cup).reproduce(specs(predictions))
    np.testing.assert_array_equal(chroma(again), chroma(predictions))
    with pytest.raises(ValueError, match=r"^style: expected the photo"):
        colorizer.open(photo).reproduce(specs(predictions))
    full = chroma(colorizer.colorize(photo, 1, seed=4, style=cup, style_strength=1, force=True))
    other = chroma(colorizer.colorize(photo, 1, seed=400, style=cup, style_strength=1, force=True))
    first = chroma(colorizer.colorize(photo, 1, seed=4, force=True))
    assert np.abs(full - other).mean() < 0.5 * np.abs(full - first).mean()
