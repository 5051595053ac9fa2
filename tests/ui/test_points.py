"""What clicks do to points, and files of points."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from colorflow.batch import PhotoHints
from colorflow.colorizer import Hint
from colorflow.errors import ColorflowError
from colorflow.ui.hints import MOST_POINTS, Points, read_points

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


def test_points_are_chosen_held_moved_deleted_and_brought_back(points: Points) -> None:
    first, second = points.hints
    assert (first, second) == (Hint(10, 20, 1, 2), Hint(200, 300, 3, 4))
    assert points.target == (200, 300, (first,))
    points.click(13, 24, radius=5)
    assert (points.current, points.new, points.target) == (0, None, (10, 20, (second,)))
    points.click(13, 24, radius=4.9)
    assert points.target == (13, 24, (first, second)), "a new one"
    points.hold(0)
    points.click(100, 110, radius=5)
    assert points.hints == (replace(first, row=100, column=110), second)
    points.click(150, 160, radius=5)
    assert (len(points.hints), points.new) == (2, (150, 160)), "it moves once"
    points.delete(0)
    assert (points.hints, points.target) == ((second,), None)
    for before in ((replace(first, row=100, column=110), second), (first, second), (first,), ()):
        points.undo()
        assert points.hints == before
    with pytest.raises(ColorflowError, match="nothing to undo"):
        points.undo()


def test_another_click_means_the_larger_thing_and_one_more_the_thing() -> None:
    points = Points()
    points.click(50, 60, 5)
    assert points.reach == "thing"
    points.click(52, 61, 5)
    assert points.reach == "larger"
    assert points.new == (50, 60), "it stays where it is"
    points.color(1, 2)
    for reach in ("thing", "larger"):
        points.click(50, 60, 5)
        assert [hint.reach for hint in points.hints] == [reach]
    points.click(200, 200, 5)
    assert points.reach == "thing", "of a new point"
    points.click(50, 60, 5)
    assert points.reach == "larger", "which is chosen, not changed"
    points.spread("around")
    points.click(50, 60, 5)
    assert points.reach == "around"


def test_a_point_reaches_as_far_as_is_said_and_so_do_those_after_it(points: Points) -> None:
    """But for everything like it, whether that is chosen before the color or after it."""
    points.spread("around")
    assert points.hints == (Hint(10, 20, 1, 2), Hint(200, 300, 3, 4, "around"))
    points.put(50, 60)
    points.color(5, 6)
    points.put(70, 80)
    points.spread("alike")
    assert len(points.hints) == 3, "a point without a color is none yet"
    points.color(7, 8)
    assert points.reach == "alike", "of this point"
    points.put(90, 100)
    assert points.reach == "thing"
    points.color(9, 10)
    points.spread("alike")
    points.put(110, 120)
    points.color(11, 12)
    reaches = [hint.reach for hint in points.hints]
    assert reaches == ["thing", "around", "around", "alike", "alike", "thing"]


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
        ("not json", "is not a JSON file of hints"),
        ("[]", 'expected {"photo.jpg": [hints]}'),
        (json.dumps({"a.jpg": [one(a="red")]}), "a: expected a number"),
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
