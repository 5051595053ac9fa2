"""Colors to choose from: likely ones, those of materials, picked ones."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import color

from colorflow.color.swatches import MATERIALS, Swatch, ab_of, likely, material_swatches


def test_likely_colors_are_distinct_and_the_most_frequent_comes_first() -> None:
    ab = np.array([[20, 20]] * 3 + [[-20, 20]] * 5 + [[-22, 21]] * 2 + [[0, -30]], np.float32)
    found = likely(ab, 60, most=6)
    assert [round(one.share * 11) for one in found] == [7, 3, 1]
    assert [one.a for one in found] == pytest.approx([-20.571, 20, 0], abs=1e-2)
    assert len(likely(ab, 60, most=2)) == 2


def test_colors_that_sRGB_cannot_tell_apart_are_one() -> None:  # noqa: N802
    ab = np.array([[20, 20]] * 2 + [[-20, 20], [60, -60]], np.float32)
    assert len(likely(ab, 100, most=6)) == 1
    assert len(likely(ab, 50, most=6)) == 3


def test_a_swatch_has_the_point_s_lightness_and_its_color() -> None:
    swatch = Swatch(60, 20, -25)
    shown = [int(swatch.hex[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    assert color.rgb2lab([[shown]])[0, 0] == pytest.approx([60, 20, -25], abs=0.8)
    extreme = Swatch(20, 100, 100)
    shown = [int(extreme.hex[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    assert color.rgb2lab([[shown]])[0, 0, 0] == pytest.approx(20, abs=1)


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((128, 128, 128), "Gray"),
        ((200, 30, 30), "Strong red"),
        ((30, 60, 190), "Strong blue"),
        ((120, 90, 60), "Brown"),
        ((109, 76, 64), "Reddish brown"),
        ((150, 90, 75), "Red"),
        ((100, 120, 60), "Olive"),
        ((80, 130, 90), "Green"),
        ((150, 140, 150), "Dull violet"),
        ((240, 220, 60), "Strong yellow"),
        ((240, 170, 190), "Pink"),
        ((235, 175, 155), "Salmon"),
        ((235, 180, 140), "Peach"),
    ],
)
def test_colors_have_names(rgb: tuple[int, int, int], name: str) -> None:
    lightness, a, b = color.rgb2lab(np.array([[rgb]]) / 255)[0, 0]
    assert Swatch(lightness, a, b).name == name


@pytest.mark.parametrize(
    "picked", ["#c81e1e", "#C81E1E", "rgb(200, 30, 30)", "rgba(200.0, 30.0, 30, 1)", " #c81e1e "]
)
def test_picked_colors_are_understood(picked: str) -> None:
    found = ab_of(picked)
    assert found is not None
    assert found == pytest.approx(
        color.rgb2lab([[[200 / 255, 30 / 255, 30 / 255]]])[0, 0, 1:], abs=0.01
    )


@pytest.mark.parametrize(
    "picked",
    ["", "red-ish", "#12345", "#gggggg", "rgb(1, 2)", "rgb(300, 0, 0)", "rgb(1.2.3, 0, 0)"],
)
def test_what_is_no_color_is_none(picked: str) -> None:
    assert ab_of(picked) is None


def linear(swatch: Swatch) -> np.ndarray:
    """Linear RGB of a swatch as it is drawn."""
    rgb = np.array([int(swatch.hex[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


BEYOND_SRGB = {("Brick", 60)}


def test_materials_have_their_colors_in_the_light_of_the_point() -> None:
    for lightness in (45, 60):
        for name, swatch in zip(MATERIALS, material_swatches(lightness), strict=True):
            if (name, lightness) in BEYOND_SRGB:
                continue
            shown = linear(swatch)
            assert color.rgb2lab([[np.array(MATERIALS[name]) / 255]])[0, 0, 0] > 20
            own = linear(Swatch(*color.rgb2lab([[np.array(MATERIALS[name]) / 255]])[0, 0]))
            assert shown / shown.sum() == pytest.approx(own / own.sum(), abs=0.01), name
            drawn = color.rgb2lab([[[int(swatch.hex[i : i + 2], 16) / 255 for i in (1, 3, 5)]]])
            assert drawn[0, 0, 0] == pytest.approx(lightness, abs=0.5), name


def test_no_material_has_the_color_of_another() -> None:
    ab = np.array([(swatch.a, swatch.b) for swatch in material_swatches(50)])
    distances = np.linalg.norm(ab[:, None] - ab[None], axis=-1)
    assert (distances + 100 * np.eye(len(ab))).min() > 3.5
    assert np.abs(ab[list(MATERIALS).index("No color")]).max() < 0.01
