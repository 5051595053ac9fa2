"""Skin's own color: where it is, its tones, and that people can do without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from colorflow.colorizer import Colorizer
from colorflow.photo import Photo
from colorflow.recipe import ColoringSpec, Hint
from colorflow.result import Result
from tests.colorizer.made import ByHand, chroma, sample_spec, specs

AROUND = (Hint(20, 30, 40, -20, "around"), Hint(80, 100, -30, 30, "around"))
Chroma = NDArray[np.float32]
Tones = Callable[[Sequence[Chroma], Sequence[Chroma]], NDArray[np.float64]]


@pytest.fixture(scope="module")
def tones(by_hand: ByHand, photo: Photo) -> Tones:
    """Latents of the tones (n, 2) of chroma with and without the color of skin.

    They are the same in all cells that have as much of it as any has.
    """
    weight, mean = by_hand.skin(photo)
    sure = weight > 0.9499
    assert sure.sum() > 15
    head = by_hand.pyramid.skin_head
    assert head is not None

    def of(shown: Sequence[Chroma], without: Sequence[Chroma]) -> NDArray[np.float64]:
        own = (np.stack(shown) - 0.05 * np.stack(without)) / 0.95
        tone = np.log((own[:, 0] + 1j * own[:, 1])[:, sure] / mean[sure])
        middle = np.median(tone.real, 1) + 1j * np.median(tone.imag, 1)
        assert np.abs(tone - middle[:, None]).max() < 1e-3
        found = np.stack([middle.real, middle.imag], 1) - head.tone_mean.numpy()
        return np.linalg.solve(head.tone_factor.numpy(), found.T).T

    return of


def plain(colorizer: Colorizer, photo: Photo, colorings: Sequence[Result]) -> list[Result]:
    """The same without the color of skin."""
    return colorizer.open(photo).reproduce([replace(one, skin=False) for one in specs(colorings)])


@pytest.mark.parametrize("samples", [False, True])
def test_without_skin_it_is_the_picture_of_weights_that_find_none(
    colorizer: Colorizer, skinless: Colorizer, photo: Photo, samples: bool
) -> None:
    options = {"samples": samples, "seed": 5, "hints": AROUND, "force": True}
    want = skinless.colorize(photo, 2, **options)  # type: ignore[arg-type]
    got = colorizer.colorize(photo, 2, skin=False, **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(chroma(got), chroma(want))
    again = colorizer.open(photo, hints=AROUND).reproduce(specs(got))
    np.testing.assert_array_equal(chroma(again), chroma(got))
    assert not any(spec.skin for spec in specs(again))
    with_skin = colorizer.colorize(photo, 2, **options)  # type: ignore[arg-type]
    changed = np.abs(chroma(with_skin) - chroma(got)).max((0, 1))
    assert changed.max() > 5
    assert (changed[colorizer.open(photo).skin() == 0] < 1).mean() > 0.6, (
        "hints act around themselves"
    )


def test_where_skin_is(
    colorizer: Colorizer,
    skinless: Colorizer,
    photo: Photo,
    by_hand: ByHand,
) -> None:
    want, _ = by_hand.skin(photo)
    found = colorizer.open(photo).skin()
    assert found.shape == (64, 64)
    np.testing.assert_allclose(found, want, atol=1e-4)
    assert (want.min(), want.max()) == (0, pytest.approx(0.95))
    (shown,) = colorizer.colorize(photo, 1, force=True)
    (without,) = colorizer.colorize(photo, 1, force=True, skin=False)
    np.testing.assert_array_equal(shown.ab[:, found == 0], without.ab[:, found == 0])
    assert not skinless.open(photo).skin().any()


def test_samples_have_tones_of_their_own_and_principal_colorings_the_mean(
    colorizer: Colorizer, photo: Photo, tones: Tones
) -> None:
    """The tone of a sample is the tint of its coarsest latents."""
    principal = colorizer.colorize(photo, 3, seed=4, force=True)
    found = tones(chroma(principal), chroma(plain(colorizer, photo, principal)))
    np.testing.assert_allclose(found, 0, atol=1e-3)
    made = colorizer.colorize(photo, 3, 0.7, seed=4, samples=True, force=True)
    found = tones(chroma(made), chroma(plain(colorizer, photo, made)))
    model = colorizer.open(photo).model
    sums = [model.latents(spec)[0].sum((1, 2)).numpy() for spec in specs(made)]
    np.testing.assert_allclose(found, np.stack(sums) / 4, atol=1e-3)
    pairs = ((0, 1), (0, 2), (1, 2))
    assert min(np.abs(found[i] - found[j]).max() for i, j in pairs) > 0.2


def test_the_coarsest_level_alone_decides_the_tone(
    colorizer: Colorizer, photo: Photo, tones: Tones
) -> None:
    (mean,) = colorizer.colorize(photo, 1, seed=4, force=True)
    sample = sample_spec(9)
    (own,) = _tones_of(colorizer, photo, tones, [sample])
    for start, before in ((mean.spec, np.zeros(2)), (sample_spec(3), None)):
        if before is None:
            (before,) = _tones_of(colorizer, photo, tones, [start])
        coarse, fine = start.resampled([0], 9), start.resampled([1, 2, 3, 4], 9)
        found = _tones_of(colorizer, photo, tones, [coarse, fine])
        np.testing.assert_allclose(found, [own, before], atol=1e-3)
    assert np.abs(own).max() > 0.2


def test_tones_change_evenly_on_a_walk(colorizer: Colorizer, photo: Photo, tones: Tones) -> None:
    (mean,) = specs(colorizer.colorize(photo, 1, seed=4, force=True))
    for start, end in ((sample_spec(3), sample_spec(8)), (mean, sample_spec(8))):
        walk = colorizer.open(photo).interpolate(start, end, 5)
        ends = [replace(one, skin=False) for one in (start, end)]
        found = tones(list(walk), list(colorizer.open(photo).interpolate(*ends, 5)))
        way = np.linspace(0, 1, 5)[:, None]
        np.testing.assert_allclose(found, (1 - way) * found[0] + way * found[-1], atol=2e-3)
        assert np.abs(found[0] - found[-1]).max() > 0.2


def test_a_hint_on_skin_wins(colorizer: Colorizer, photo: Photo) -> None:
    """Where it is, and all over what it is assigned to."""
    skin = colorizer.open(photo).skin()
    row, column = np.argwhere(skin > 0.94)[10]
    color = (-50, -40)
    hint = Hint(
        int((row + 0.5) * photo.height / 64), int((column + 0.5) * photo.width / 64), *color
    )
    for samples in (False, True):
        options = {"seed": 4, "samples": samples, "force": True}
        (before,) = colorizer.colorize(photo, 1, **options)  # type: ignore[arg-type]
        (after,) = colorizer.colorize(photo, 1, hints=[hint], **options)  # type: ignore[arg-type]
        distance = [
            np.abs(one.ab[:, row, column] - np.array(color)).max() for one in (before, after)
        ]
        assert distance[0] > 30
        assert distance[1] < 0.25 * distance[0]


def _tones_of(
    colorizer: Colorizer, photo: Photo, tones: Tones, given: Sequence[ColoringSpec]
) -> NDArray[np.float64]:
    made = colorizer.open(photo).reproduce(given)
    return tones(chroma(made), chroma(plain(colorizer, photo, made)))
