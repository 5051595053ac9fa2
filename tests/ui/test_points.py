"""What clicks do to points, and files of points."""

from __future__ import annotations

import json
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


def test_a_held_point_moves_once(points: Points) -> None:
    assert points.hints == (Hint(10, 20, 1, 2), Hint(200, 300, 3, 4))
    assert points.current == 1
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
