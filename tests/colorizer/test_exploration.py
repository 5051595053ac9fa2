"""Specs, references, interpolation, resampled levels, uncertainty and likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from colorflow.colorizer import ColoringSpec, Colorizer, Hint
from colorflow.errors import WeightsError
from colorflow.photo import Photo
from tests.colorizer.made import chroma, model_chroma, sample_spec, seeds, specs
from tests.small_weights import save_small_weights

HINTS = (Hint(20, 30, 40, -20), Hint(80, 100, -30, 30))


# specs


def test_a_plain_sample_is_the_spec_of_one_seed(colorizer: Colorizer, photo: Photo) -> None:
    predictions = colorizer.colorize(photo, n=3, temperature=0.8, seed=4, samples=True, force=True)
    assert specs(predictions) == [ColoringSpec(seeds=(s,) * 5, temperature=0.8) for s in (4, 5, 6)]
    assert seeds(predictions) == [4, 5, 6]
    again = colorizer.reproduce(photo, specs(predictions))
    np.testing.assert_array_equal(chroma(again), chroma(predictions))
    assert specs(again) == specs(predictions)
    plain = colorizer.reproduce(photo, [sample_spec(5, 0.8)])[0].ab
    np.testing.assert_allclose(plain, predictions[1].ab, atol=0.01)


QUICK, PLAIN, FULL = {"quick": True}, {"skin": False}, {}
"""Ways to paint: without what the large photo shows, without the color of skin, and with all."""


def test_each_spec_is_painted_in_its_own_way(colorizer: Colorizer, photo: Photo) -> None:
    mixed = [replace(sample_spec(3 + i), **way) for i, way in enumerate((QUICK, FULL, PLAIN))]
    together = colorizer.reproduce(photo, mixed, hints=HINTS)
    for made, spec in zip(together, mixed, strict=True):
        (alone,) = colorizer.reproduce(photo, [spec], hints=HINTS)
        np.testing.assert_allclose(made.ab, alone.ab, atol=0.01)
        assert made.spec == spec
        for way in (QUICK, FULL, PLAIN):
            other = replace(spec, **{"quick": False, "skin": True, **way})
            if other != spec:
                (one,) = colorizer.reproduce(photo, [other], hints=HINTS)
                assert np.abs(made.ab - one.ab).max() > 0.1, "the way makes a difference"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"seeds": (0, -1)}, "seed"),
        ({"seeds": (0, 2**63)}, "seed"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"style_strengths": (0.5, 1.1)}, "style_strength"),
        ({"strength": -0.1}, "strength"),
        ({"style_strengths": (0.5, float("nan"))}, "style_strength"),
        ({"style_strengths": (0.5,)}, "style_strengths"),
    ],
)
def test_a_spec_out_of_range(arguments: dict[str, object], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        ColoringSpec(**({"seeds": (0, 1)} | arguments))  # type: ignore[arg-type]


def test_specs_that_do_not_fit(colorizer: Colorizer, photo: Photo) -> None:
    with pytest.raises(ValueError, match=r"^seeds: expected 5, one a level, got 4"):
        colorizer.reproduce(photo, [ColoringSpec(seeds=(1,) * 4)])
    with pytest.raises(ValueError, match=r"^specs: expected at least one, got none"):
        colorizer.reproduce(photo, [])
    with pytest.raises(ValueError, match=r"^reference: expected the photos that the spec's"):
        colorizer.reproduce(photo, [sample_spec(strength=0.5)])
    with pytest.raises(ValueError, match=r"^style: expected the photo that the spec's"):
        colorizer.reproduce(photo, [sample_spec(style=0.5)])


# walk


def test_a_walk_between_specs(colorizer: Colorizer, photo: Photo, cup: Photo) -> None:
    start = sample_spec(3, temperature=0.5)
    end = replace(sample_spec(3, style=0.9, strength=0.7).resampled([2], 11), temperature=0.0)
    given: dict[str, Any] = {"hints": HINTS, "reference": [cup, photo], "style": cup}
    walk = colorizer.interpolate(photo, start, end, 3, **given)
    for spec, ab in ((start, walk[0]), (end, walk[-1])):
        (alone,) = colorizer.reproduce(photo, [spec], **given)
        np.testing.assert_array_equal(ab, alone.ab)


def test_too_few_steps(colorizer: Colorizer, photo: Photo) -> None:
    with pytest.raises(ValueError, match=r"^steps: expected at least 2, got 1"):
        colorizer.interpolate(photo, 3, 8, 1)


# outputs


def test_the_last_output_is_the_sample(colorizer: Colorizer, photo: Photo) -> None:
    spec = sample_spec(3, 0.7).resampled([2, 4], 9)
    for coloring in (3, spec):
        outputs = colorizer.decode_by_level(photo, coloring, hints=HINTS)
        plain = coloring if isinstance(coloring, ColoringSpec) else sample_spec(coloring)
        sampled = colorizer.reproduce(photo, [plain], hints=HINTS)[0].model_ab
        np.testing.assert_array_equal(outputs[-1].ab, sampled)


def test_stages_hold_the_chroma_and_the_latents_of_their_level(
    colorizer: Colorizer, photo: Photo, encode: Callable[..., list[Tensor]]
) -> None:
    outputs = colorizer.decode_by_level(photo, 3)
    assert [one.ab.shape for one in outputs] == [(2, side, side) for side in colorizer.levels]
    for output, z in zip(outputs, encode(photo, outputs[-1].ab[None]), strict=True):
        np.testing.assert_allclose(output.latents, z[0], atol=0.02)


# resample


@pytest.mark.parametrize("names", [(4, 8), (16, 32, 64)])
def test_resampling_changes_the_latents_of_these_levels_alone(
    colorizer: Colorizer, photo: Photo, encode: Callable[..., list[Tensor]], names: tuple[int, ...]
) -> None:
    base, other, got = (
        encode(photo, model_chroma(predictions))
        for predictions in (
            colorizer.colorize(photo, n=1, seed=3, samples=True, force=True),
            colorizer.colorize(photo, n=1, seed=50, samples=True, force=True),
            colorizer.resample(photo, 3, names, 50),
        )
    )
    for level, name in enumerate(colorizer.levels):
        want = other[level] if name in names else base[level]
        assert (got[level] - want).abs().max() < 0.02, name


def test_a_resampled_coloring_keeps_its_spec(
    colorizer: Colorizer, photo: Photo, cup: Photo
) -> None:
    spec = sample_spec(3, temperature=0.7, style=0.4, strength=0.6)
    (anew,) = specs(colorizer.resample(photo, spec, [64], 9, reference=cup, style=cup))
    assert anew == replace(spec, seeds=(3, 3, 3, 3, 9))


@pytest.mark.parametrize("levels", [(), (4, 128)])
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


# hints everywhere


def test_weights_without_hints_refuse_them_everywhere(photo: Photo, tmp_path: Path) -> None:
    plain = Colorizer.load(save_small_weights(tmp_path / "plain.safetensors"))
    uses = (
        lambda: plain.reproduce(photo, [sample_spec()], hints=HINTS),
        lambda: plain.resample(photo, 1, (4,), 2, hints=HINTS),
        lambda: plain.interpolate(photo, 1, 2, 3, hints=HINTS),
        lambda: plain.uncertainty(photo, 19, hints=HINTS),
        lambda: plain.log_prob(photo, hints=HINTS),
    )
    for use in uses:
        with pytest.raises(WeightsError, match="these weights take no color hints"):
            use()


# the shipped weights
