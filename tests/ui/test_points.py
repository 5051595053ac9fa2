"""What clicks do to points, files of points, and colors to choose from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import color

from colorflow.batch import PhotoHints
from colorflow.colorizer import Hint
from colorflow.errors import ColorflowError
from colorflow.ui.hints import (
    MATERIALS,
    MOST_POINTS,
    Points,
    Swatch,
    ab_of,
    likely,
    material_swatches,
    read_points,
)

# points


@pytest.fixture
def points() -> Points:
    """Two points of a photo of 300 rows and 400 columns."""
    points = Points()
    points.put(10, 20)
    points.color(1, 2)
    points.put(200, 300)
    points.color(3, 4)
    return points


def test_a_point_gets_its_color(points: Points) -> None:
    assert points.hints == (Hint(10, 20, 1, 2), Hint(200, 300, 3, 4))
    assert points.current == 1


def test_a_held_point_moves_once(points: Points) -> None:
    points.hold(0)
    points.click(100, 110, radius=5)
    assert points.hints == (Hint(100, 110, 1, 2), Hint(200, 300, 3, 4))
    points.click(150, 160, radius=5)
    assert len(points.hints) == 2
    assert points.new == (150, 160)


def test_a_click_on_a_point_chooses_it_and_does_not_move_it(points: Points) -> None:
    points.click(13, 24, radius=5)
    assert (points.current, points.new, points.held) == (0, None, False)
    points.click(13, 24, radius=4.9)
    assert points.new == (13, 24)


def test_delete_and_undo(points: Points) -> None:
    points.delete(0)
    assert points.hints == (Hint(200, 300, 3, 4),)
    assert points.current is None
    points.undo()
    assert len(points.hints) == 2
    points.undo()
    assert points.hints == (Hint(10, 20, 1, 2),)
    points.undo()
    assert points.hints == ()
    with pytest.raises(ColorflowError, match="nothing to undo"):
        points.undo()


def test_a_point_reaches_as_far_as_is_said_and_so_do_those_after_it(points: Points) -> None:
    points.spread("around")
    assert points.hints == (Hint(10, 20, 1, 2), Hint(200, 300, 3, 4, "around"))
    points.put(50, 60)
    points.color(5, 6)
    assert points.hints[2] == Hint(50, 60, 5, 6, "around")
    points.hold(0)
    assert points.reach == "thing"
    points.put(70, 80)
    points.undo()
    points.put(70, 80)
    points.spread("alike")
    assert len(points.hints) == 3, "a point without a color is none yet"
    points.color(7, 8)
    assert [hint.reach for hint in points.hints] == ["thing", "around", "around", "alike"]


def test_everything_like_it_is_for_one_point(points: Points) -> None:
    """Whether it is chosen before the color or after it."""
    points.put(50, 60)
    points.spread("alike")
    points.color(5, 6)
    assert points.reach == "alike", "of this point"
    points.put(70, 80)
    assert points.reach == "thing"
    points.color(7, 8)
    points.spread("alike")
    points.put(90, 100)
    points.color(9, 10)
    assert [hint.reach for hint in points.hints[2:]] == ["alike", "alike", "thing"]


def test_the_target_is_what_gets_the_next_color(points: Points) -> None:
    first, second = points.hints
    assert points.target == (200, 300, (first,))
    points.hold(0)
    assert points.target == (10, 20, (second,))
    points.put(50, 60)
    assert points.target == (50, 60, (second,))
    points.put(70, 80)
    assert points.target == (70, 80, points.hints)
    points.delete(0)
    assert points.target is None


def test_what_cannot_be_is_told(points: Points) -> None:
    for index in (-1, 2):
        for act in (points.hold, points.delete):
            with pytest.raises(ColorflowError, match="point is gone"):
                act(index)
    points.delete(0)
    with pytest.raises(ColorflowError, match="Click a point"):
        points.color(0, 0)
    points.replace(tuple(Hint(0, 0, 0, 0) for _ in range(MOST_POINTS)))
    points.put(0, 0)
    with pytest.raises(ColorflowError, match="delete one first"):
        points.color(0, 0)


# files


def one(**fields: Any) -> dict[str, Any]:
    return {"row": 1, "column": 1, "a": 0, "b": 0, **fields}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is not a JSON file of hints"),
        ("not json", "is not a JSON file of hints"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", 'expected {"photo.jpg": [hints]}'),
        (json.dumps({"a.jpg": 3}), "expected a list of hints"),
        (json.dumps({"a.jpg": [{"row": 1}]}), "hint 1: expected row, column, a and b"),
        (json.dumps({"a.jpg": [one(a="red")]}), "a: expected a number"),
        (json.dumps({"a.jpg": [one(b=400)]}), "expected -108 to 108"),
        (json.dumps({"a.jpg": [one(row=-1)]}), "expected a pixel from 0"),
        (json.dumps({"a.jpg": [one(), one(row=300)]}), "hint 2 lies outside the photo"),
        (json.dumps({"a.jpg": [one(column=400)]}), "hint 1 lies outside the photo"),
        (json.dumps({"b.jpg": [], "c.jpg": []}), "has no hints for a.jpg"),
        (json.dumps({"a.jpg": [one()] * (MOST_POINTS + 1)}), "at most"),
    ],
)
def test_a_bad_file_is_one_sentence_that_names_it(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "h.json"
    path.write_text(content)
    with pytest.raises(ColorflowError) as told:
        read_points(path, "a.jpg", 300, 400)
    sentence = str(told.value)
    assert sentence.startswith("h.json: ")
    assert words in sentence
    assert sentence[-1] in ".?"
    assert str(tmp_path) not in sentence


def test_the_photo_s_own_name_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    path.write_text(json.dumps({"b.jpg": [], "a.jpg": [one()]}))
    assert read_points(path, "a.jpg", 300, 400) == PhotoHints((Hint(1, 1, 0, 0),))
    path.write_text(json.dumps({"b.jpg": [one()]}))
    assert read_points(path, "renamed.jpg", 300, 400) == PhotoHints((Hint(1, 1, 0, 0),))


# likely colors


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


# materials


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
