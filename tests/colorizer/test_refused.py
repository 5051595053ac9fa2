"""What a Colorizer refuses, in messages that name the argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from colorflow.colorizer import Colorizer
from colorflow.errors import PhotoError, WeightsError
from colorflow.photo import Photo
from colorflow.recipe import ColoringSpec, Hint, PrincipalSpec
from tests.colorizer.made import sample_spec

NAN, INF = float("nan"), float("inf")
HINTS = (Hint(20, 30, 40, -20),)
OUTSIDE = np.full((1, 2, 64, 64), 3, np.float32)
OUTSIDE[0, 1, 3, 5] = 128
Use = Callable[[Colorizer, Photo], object]


def colorize(**given: Any) -> Use:
    return lambda colorizer, photo: colorizer.colorize(photo, force=True, **given)


def progressively(**given: Any) -> Use:
    return lambda colorizer, photo: list(colorizer.colorize_progressively(photo, **given))


def interpolate(start: Any = 3, steps: Any = 2) -> Use:
    return lambda colorizer, photo: colorizer.open(photo).interpolate(start, 8, steps)


def render(chroma: Any = OUTSIDE, **given: Any) -> Use:
    return lambda colorizer, photo: list(colorizer.open(photo).render(chroma, **given))


def resample(levels: Any = (4,), seed: Any = 1, n: Any = 1) -> Use:
    return lambda colorizer, photo: colorizer.open(photo).resample(3, levels, seed, n)


def uncertainty(**given: Any) -> Use:
    return lambda colorizer, photo: colorizer.open(photo).uncertainty(**given)


def reproduce(*specs: ColoringSpec) -> Use:
    return lambda colorizer, photo: colorizer.open(photo).reproduce(specs)


def log_prob(ab: np.ndarray) -> Use:
    return lambda colorizer, photo: colorizer.open(photo).log_prob(ab)


def spec(**given: Any) -> Use:
    return lambda *_: ColoringSpec(**{"seeds": (0, 1), **given})


def principal(number: Any, of: Any, seed: int = 0) -> Use:
    return lambda *_: PrincipalSpec(number=number, of=of, seed=seed)


REFUSED: list[tuple[Use, str]] = [
    *((use(n=x), f"n: expected a whole number of at least 1, got {x!r}$")
      for use in (colorize, progressively, resample, uncertainty) for x in (0, 2.5, True, "2")),
    (colorize(n=2.5, samples=True), "n: expected a whole number of at least 1, got 2.5"),
    (progressively(n=17), "n: expected at most 16 principal colorings, got 17"),
    *((use(seed=x), f"seed: expected a whole number from 0 to 4294967295, got {x!r}$")
      for use in (colorize, progressively, resample, uncertainty) for x in (1.5, True, "1")),
    *((colorize(temperature=x), f"temperature: expected 0 to 10, got {x!r}") for x in ("1", None)),
    (colorize(n=17), "n: expected at most 16 .* got 17; there may be any number of samples"),
    *((colorize(temperature=x), "temperature: expected 0 to 10") for x in (-0.1, NAN, INF, 1e308)),
    *((colorize(seed=x), "seed: expected") for x in (-1, 2**63)),
    *((colorize(style=OUTSIDE[0, 0], style_strength=x), "style_strength: expected 0 to 1, got")
      for x in (-0.1, 1.01, NAN)),
    *((colorize(reference=OUTSIDE[0, 0], strength=x), "strength: expected 0 to 1, got")
      for x in (-0.1, 1.01, NAN)),
    *((colorize(hints=[Hint(*at, 10, 10)]), "hints: expected positions inside the photo of 90 rows")
      for at in ((90, 0), (0, 130))),
    *((colorize(hints=x), r"hints: expected Hint\(row, column, a, b\) for each, got")
      for x in ([(5, 5, 0, -30)], (5, 5, 0, -30))),
    (resample(seed=-1), "seed: expected"),
    (resample(seed=2**63 - 2, n=2), "seed: expected"),
    *((resample(x), "levels: expected some of 4, 8, 16, 32, 64, got")
      for x in ((), (4, 128), 4, None, "4", [[4]])),
    *((interpolate(steps=x), f"steps: .* of at least 2, got {x!r}") for x in (1, 2.5, True)),
    (interpolate(start=1.5), "seed: expected a whole number from 0 to 8589934590, got 1.5"),
    *((render(chroma=np.zeros(x)), rf"chroma: expected shape \(n, 2, 64, 64\), got \({x[0]}, ")
      for x in ((2, 64, 64), (0, 2, 64, 64))),
    *((render(bits=x), f"bits: expected 8 or 16, got {x!r}") for x in (12, "8", True)),
    (
        lambda colorizer, photo: colorizer.open(photo, reference=[]).likeness(),
        "reference: expected at least one",
    ),
    (uncertainty(n=18), "n: expected at least 19 for an interval of 0.9, got 18"),
    (uncertainty(n=2, level=0.5), "n: expected at least 3 for an interval of 0.5, got 2"),
    *((uncertainty(level=x), f"level: expected 0.5 or 0.9, got {x}") for x in (0.8, 90)),
    (uncertainty(seed=-1), "seed: expected a whole number from 0 to 4294967295, got -1"),
    (reproduce(), "specs: expected at least one, got none"),
    (reproduce(ColoringSpec(seeds=(1,) * 4)), "seeds: expected 5, one a level, got 4"),
    (reproduce(sample_spec(strength=0.5)), "reference: expected the photos that the spec's"),
    (reproduce(sample_spec(style=0.5)), "style: expected the photo that the spec's"),
    *((log_prob(np.zeros(x)), r"ab: expected shape \(n, 2, 64, 64\), got")
      for x in ((2, 64, 64), (0, 2, 64, 64), (1, 3, 64, 64))),
    *((log_prob(x), r"ab: expected values within \+-128") for x in (OUTSIDE, OUTSIDE * NAN)),
    *((spec(seeds=(0, x)), "seed: expected") for x in (-1, 2**63)),
    (spec(seeds=(0, None)), "seeds: expected a number for every level"),
    *((spec(temperature=x), "temperature: expected") for x in (-1, NAN)),
    *((spec(style_strengths=(0.5, x)), "style_strength: expected") for x in (1.1, NAN)),
    (spec(style_strengths=(0.5,)), "style_strengths: expected none or 2"),
    (spec(strength=-0.1), "strength: expected"),
    *((principal(x, 3), f"number: expected a whole number from 0 to 2, got {x!r}")
      for x in (3, -1, 1.5, True)),
    *((principal(0, x), f"of: expected a whole number from 1 to 16, got {x!r}")
      for x in (0, 17, 40, 2.5)),
    (principal(0, 1, -1), "seed: expected"),
]  # fmt: skip


@pytest.mark.parametrize(("use", "message"), REFUSED, ids=range(len(REFUSED)))
def test_arguments_out_of_range(colorizer: Colorizer, photo: Photo, use: Use, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        use(colorizer, photo)


@pytest.mark.parametrize(
    "use",
    [
        lambda one, photo, gray: one.colorize(photo, reference=gray, strength=0),
        lambda one, photo, gray: one.open(photo, reference=gray),
        lambda one, photo, gray: one.open(photo, reference=[photo, gray]),
        lambda one, photo, gray: one.colorize(photo, style=gray, style_strength=0, force=True),
        lambda one, photo, gray: one.open(photo, style=gray),
    ],
)
def test_a_gray_reference_or_style(
    use: Callable[..., object], colorizer: Colorizer, photo: Photo, gray: Photo
) -> None:
    message = "^gray one: has no colors that could be carried over; choose a color photo"
    with pytest.raises(PhotoError, match=message):
        use(colorizer, photo, gray)


def test_weights_without_hints_refuse_them_everywhere(
    plain_colorizer: Colorizer, photo: Photo
) -> None:
    plain = plain_colorizer
    uses: tuple[Callable[[], object], ...] = (
        lambda: plain.open(photo, hints=HINTS),
        lambda: plain.colorize(photo, hints=HINTS, force=True),
    )
    for use in uses:
        with pytest.raises(WeightsError, match="these weights take no color hints"):
            use()
