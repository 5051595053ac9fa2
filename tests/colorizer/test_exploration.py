"""Specs, references, interpolation, resampled levels, uncertainty and likelihood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from colorflow.colorizer import Colorizer
from colorflow.photo import Photo
from colorflow.recipe import ColoringSpec, Hint
from tests.colorizer.made import ByHand, chroma, model_chroma, sample_spec, seeds, specs

HINTS = (Hint(20, 30, 40, -20), Hint(80, 100, -30, 30))
AROUND = tuple(replace(hint, reach="around") for hint in HINTS)
"""In what is one thing, others color all of it."""


def test_a_plain_sample_is_the_spec_of_one_seed(colorizer: Colorizer, photo: Photo) -> None:
    predictions = colorizer.colorize(photo, n=3, temperature=0.8, seed=4, samples=True, force=True)
    assert specs(predictions) == [ColoringSpec(seeds=(s,) * 5, temperature=0.8) for s in (4, 5, 6)]
    assert seeds(predictions) == [4, 5, 6]
    again = colorizer.open(photo).reproduce(specs(predictions))
    np.testing.assert_array_equal(chroma(again), chroma(predictions))
    assert specs(again) == specs(predictions)
    plain = colorizer.open(photo).reproduce([sample_spec(5, 0.8)])[0].ab
    np.testing.assert_allclose(plain, predictions[1].ab, atol=0.01)


PLAIN, FULL = {"skin": False}, {"skin": True}
"""Ways to paint: without the color of skin, and with it."""


def test_each_spec_is_painted_in_its_own_way(colorizer: Colorizer, photo: Photo) -> None:
    mixed = [replace(sample_spec(3 + i), **way) for i, way in enumerate((FULL, PLAIN))]
    together = colorizer.open(photo, hints=AROUND).reproduce(mixed)
    for made, spec in zip(together, mixed, strict=True):
        (alone,) = colorizer.open(photo, hints=AROUND).reproduce([spec])
        np.testing.assert_allclose(made.ab, alone.ab, atol=0.01)
        assert made.spec == spec
        other = replace(spec, skin=not spec.skin)
        (one,) = colorizer.open(photo, hints=AROUND).reproduce([other])
        assert np.abs(made.ab - one.ab).max() > 0.1, "the way makes a difference"


def test_a_walk_between_specs(colorizer: Colorizer, photo: Photo, cup: Photo) -> None:
    start = sample_spec(3, temperature=0.5)
    end = replace(sample_spec(3, style=0.9, strength=0.7).resampled([2], 11), temperature=0.0)
    given: dict[str, Any] = {"hints": HINTS, "reference": [cup, photo], "style": cup}
    walk = colorizer.open(photo, **given).interpolate(start, end, 3)
    for spec, ab in ((start, walk[0]), (end, walk[-1])):
        (alone,) = colorizer.open(photo, **given).reproduce([spec])
        np.testing.assert_array_equal(ab, alone.ab)


def test_the_last_output_is_the_sample(colorizer: Colorizer, photo: Photo) -> None:
    spec = sample_spec(3, 0.7).resampled([2, 4], 9)
    for coloring in (3, spec):
        outputs = colorizer.open(photo, hints=HINTS).decode_by_level(coloring)
        plain = coloring if isinstance(coloring, ColoringSpec) else sample_spec(coloring)
        sampled = colorizer.open(photo, hints=HINTS).reproduce([plain])[0].model_ab
        np.testing.assert_array_equal(outputs[-1].ab, sampled)


def test_stages_hold_the_chroma_and_the_latents_of_their_level(
    colorizer: Colorizer, photo: Photo, by_hand: ByHand
) -> None:
    outputs = colorizer.open(photo).decode_by_level(3)
    assert [one.ab.shape for one in outputs] == [(2, side, side) for side in colorizer.levels]
    for output, z in zip(outputs, by_hand.encode(photo, outputs[-1].ab[None]), strict=True):
        np.testing.assert_allclose(output.latents, z[0], atol=0.02)


@pytest.mark.parametrize("names", [(4, 8), (16, 32, 64)])
def test_resampling_changes_the_latents_of_these_levels_alone(
    colorizer: Colorizer, photo: Photo, by_hand: ByHand, names: tuple[int, ...]
) -> None:
    base, other, got = (
        by_hand.encode(photo, model_chroma(predictions))
        for predictions in (
            colorizer.colorize(photo, n=1, seed=3, samples=True, force=True),
            colorizer.colorize(photo, n=1, seed=50, samples=True, force=True),
            colorizer.open(photo).resample(3, names, 50),
        )
    )
    for level, name in enumerate(colorizer.levels):
        want = other[level] if name in names else base[level]
        assert (got[level] - want).abs().max() < 0.02, name


def test_a_resampled_coloring_keeps_its_spec(
    colorizer: Colorizer, photo: Photo, cup: Photo
) -> None:
    spec = sample_spec(3, temperature=0.7, style=0.4, strength=0.6)
    (anew,) = specs(colorizer.open(photo, reference=cup, style=cup).resample(spec, [64], 9))
    assert anew == replace(spec, seeds=(3, 3, 3, 3, 9))
