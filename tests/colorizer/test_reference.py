"""What looks alike in references gets their colors; the latents of a style, carried over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from numpy.typing import NDArray
from PIL import Image

from colorflow.color.grid import to_grid
from colorflow.colorizer import Colorizer
from colorflow.files import digest_of
from colorflow.model.hints import cell_of
from colorflow.photo import Photo, photo_from_image
from colorflow.recipe import ColoringSpec, Hint
from tests.colorizer.made import ByHand, chroma, model_chroma, sampled, specs
from tests.small_weights import GAIN
from tests.statements import colors_of, statement_of

Array = NDArray[np.float32]
HINTS = (Hint(20, 30, 40, -20), Hint(80, 100, -30, 30))


@pytest.fixture(scope="module")
def scene() -> Photo:
    """Things that differ: a saucer, a spoon, coffee, a table."""
    return photo_from_image(skimage.data.coffee()[:, :400])


def error(ab: Array, photo: Photo) -> float:
    """Mean distance from the photo's own colors, CIELAB units."""
    return float(np.linalg.norm(ab - to_grid(photo.pixels), axis=-3).mean())


def half_of(photo: Photo, other: Photo, *, left: bool) -> Photo:
    """The photo with the other one in place of a half."""
    width = photo.width // 2
    pixels = photo.pixels.copy()
    cells = np.asarray(Image.fromarray(other.pixels).resize((photo.width, photo.height)))
    here = np.s_[:, width:] if left else np.s_[:, :width]
    pixels[here] = cells[here]
    return photo_from_image(pixels)


@pytest.mark.parametrize("samples", [False, True])
def test_only_what_is_seen_changes_and_only_where_something_is_alike(
    colorizer: Colorizer, photo: Photo, scene: Photo, *, samples: bool
) -> None:
    plain = colorizer.colorize(photo, 2, seed=3, samples=samples, force=True)
    found = colorizer.open(photo, reference=scene).model.likeness
    assert found is not None
    np.testing.assert_array_equal(colorizer.open(photo, reference=scene).likeness(), found.weight)
    assert found.weight.any()
    assert not found.weight.all()
    for strength in (0.0, 0.6, 1.0):
        given = colorizer.colorize(
            photo, 2, seed=3, samples=samples, force=True, reference=scene, strength=strength
        )
        np.testing.assert_array_equal(model_chroma(given), model_chroma(plain))
        assert [one.log_prob for one in given] == [one.log_prob for one in plain]
        wanted = chroma(plain) + strength * found.weight * (found.ab - chroma(plain))
        np.testing.assert_allclose(chroma(given), wanted, atol=1e-3)
        nowhere = found.weight == 0
        np.testing.assert_array_equal(chroma(given)[..., nowhere], chroma(plain)[..., nowhere])


def test_a_photo_gets_its_own_colors_from_itself_mirrored_or_not(
    colorizer: Colorizer, scene: Photo
) -> None:
    mirrored = photo_from_image(np.ascontiguousarray(scene.pixels[:, ::-1]))
    before = error(sampled(colorizer, scene, 1)[0].ab, scene)
    for reference in (scene, mirrored):
        (made,) = sampled(colorizer, scene, 1, reference=reference)
        assert error(made.ab, scene) < 0.35 * before


def test_each_reference_has_a_half(colorizer: Colorizer, scene: Photo, photo: Photo) -> None:
    halves = [half_of(scene, photo, left=left) for left in (True, False)]
    alone = [error(sampled(colorizer, scene, 1, reference=one)[0].ab, scene) for one in halves]
    for references in (halves, tuple(reversed(halves))):
        (made,) = sampled(colorizer, scene, 1, reference=references)
        assert error(made.ab, scene) < 0.9 * min(alone)


@pytest.mark.slow
def test_what_nothing_looks_like_changes_nothing(scene: Photo) -> None:
    """With shipped weights, as others have not learned what looks alike."""
    shipped = Colorizer.load()
    astronaut = photo_from_image(skimage.data.astronaut())
    wall = np.full((90, 130, 3), (60, 90, 200), np.uint8)
    assert not shipped.open(scene, reference=wall).likeness().any()
    plain, given = sampled(shipped, scene, 1), sampled(shipped, scene, 1, reference=wall)
    np.testing.assert_array_equal(chroma(given), chroma(plain))
    assert shipped.open(scene, reference=astronaut).likeness().mean() < 0.1
    assert (
        shipped.open(scene, reference=np.ascontiguousarray(scene.pixels[:, ::-1])).likeness().mean()
        > 0.9
    )


def test_hints_win(colorizer: Colorizer, photo: Photo) -> None:
    for hint in HINTS:
        (made,) = sampled(colorizer, photo, 1, hints=HINTS, reference=photo)
        row, column = cell_of(hint, photo.height, photo.width)
        np.testing.assert_allclose(made.ab[:, row, column], (hint.a, hint.b), atol=6)


def test_the_same_references_give_the_same_pictures(
    colorizer: Colorizer, photo: Photo, scene: Photo, cup: Photo
) -> None:
    references = [scene, cup]
    made = colorizer.colorize(photo, 2, reference=references, strength=0.8, force=True)
    assert [one.strength for one in specs(made)] == [0.8, 0.8]
    again = colorizer.open(photo, reference=references).reproduce(made)
    np.testing.assert_array_equal(chroma(again), chroma(made))
    plain = colorizer.open(photo, reference=references[:1]).reproduce([one.spec for one in made])
    assert np.abs(chroma(plain) - chroma(made)).max() > 1
    (fine,) = colorizer.open(photo, reference=references).resample(made[0], colorizer.levels, 5)
    (sample,) = sampled(colorizer, photo, 1, seed=5, reference=references, strength=0.8)
    np.testing.assert_array_equal(fine.ab, sample.ab)


def test_files_state_the_references(
    colorizer: Colorizer, scene: Photo, cup: Photo, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("one.png", "other.png", "photo.png")]
    for path, one in zip(paths, (scene, cup, cup), strict=True):
        Image.fromarray(one.pixels).save(path)
    *references, photo = paths
    (made,) = sampled(colorizer, photo, 1, reference=references, strength=0.5)
    made.save(tmp_path / "made.png")
    said = statement_of(tmp_path / "made.png")
    assert (said, said.photo) == (made.statement, digest_of(photo))
    assert colors_of(tmp_path / "made.png").references == tuple(map(digest_of, references))
    assert made.spec.strength == 0.5
    (of_pixels,) = sampled(colorizer, photo, 1, reference=[references[0], cup])
    colors = of_pixels.recipe.colors
    assert colors
    assert colors.references[0] == digest_of(references[0])
    assert colors.references[1] not in map(digest_of, references), "it is of its pixels"
    (unused,) = sampled(colorizer, photo, 1, reference=references, strength=0)
    assert unused.statement == sampled(colorizer, photo, 1)[0].statement


ALL = (1.0,) * 5


def pooled(ab: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    """Means over blocks of 128 atanh(ab / 128), which the levels split exactly."""
    u = 128 * np.arctanh(ab.astype(np.float64) / 128)
    factor = u.shape[-1] // side
    return u.reshape(*u.shape[:-2], side, factor, side, factor).mean((-3, -1))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_strength_1_in_all_levels_gives_a_photo_its_own_colors(
    colorizer: Colorizer, cup: Photo, temperature: float
) -> None:
    spec = ColoringSpec(seeds=(7,) * 5, temperature=temperature, style_strengths=ALL)
    predictions = colorizer.open(cup, style=cup).reproduce([spec])
    assert np.abs(predictions[0].model_ab - to_grid(cup.pixels)).max() <= 1e-2


def test_coarse_latents_are_the_references_and_fine_ones_are_sampled(
    colorizer: Colorizer, photo: Photo, cup: Photo, by_hand: ByHand
) -> None:
    """The reference's given its own lightness, the others those of the plain sample."""
    ab = model_chroma(sampled(colorizer, photo, n=2, seed=3, style=cup, style_strength=1))
    plain_ab = model_chroma(sampled(colorizer, photo, n=2, seed=3))
    got, plain = (
        by_hand.encode(photo, ab),
        by_hand.encode(photo, plain_ab),
    )
    wanted = by_hand.encode(cup, to_grid(cup.pixels)[None])
    for level in (0, 1):
        assert (got[level] - wanted[level]).abs().max() < 0.01
    for level in (2, 3, 4):
        assert (got[level] - plain[level]).abs().max() < 0.01
    assert np.abs(pooled(ab[0], 8) - pooled(ab[1], 8)).max() < 1e-3
    assert np.abs(ab[0] - ab[1]).max() > 1


def test_hints_are_of_the_photo_and_not_of_its_reference(
    colorizer: Colorizer,
    cup: Photo,
    by_hand: ByHand,
) -> None:
    spec = ColoringSpec(seeds=(7,) * 5, style_strengths=ALL)
    given = model_chroma(colorizer.open(cup, style=cup, hints=HINTS).reproduce([spec]))
    with torch.no_grad():
        ab = torch.from_numpy(to_grid(cup.pixels))[None]
        latents = by_hand.pyramid.encode(ab, by_hand.condition(cup), GAIN)
        want = by_hand.pyramid.decode(latents, by_hand.condition(cup, HINTS), GAIN).numpy()
    np.testing.assert_allclose(given, want, atol=0.01)
    assert np.abs(given - to_grid(cup.pixels)).max() > 0.5
