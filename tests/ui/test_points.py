"""What clicks do to points, and files of points."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from colorflow.batch import PhotoHints
from colorflow.errors import ColorflowError
from colorflow.recipe import MOST_PLACES, Hint
from colorflow.ui.hints import MOST_DRAWN, MOST_POINTS, Brush, Points, read_points

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


def test_lines_add_to_the_current_point_and_take_from_it_and_are_undone(points: Points) -> None:
    first, second = points.hints
    points.draw("adds", ((1, 2), (3, 4)))
    added = replace(second, adds=((1, 2), (3, 4)))
    assert points.hints == (first, added)
    assert points.current == 1
    points.draw("takes", ((5, 6),))
    assert points.hints == (first, replace(added, takes=((5, 6),)))
    points.undo()
    assert (points.hints, points.current) == ((first, added), 1), "it gets the next line"
    points.undo()
    assert (points.hints, points.current) == ((first, second), 1)
    points.undo()
    assert (points.hints, points.current) == ((first,), None)


@pytest.mark.parametrize(("before", "after"), [("adds", "takes"), ("takes", "adds")])
def test_the_newest_line_wins_where_it_meets_older_ones(
    points: Points, before: Brush, after: Brush
) -> None:
    points.draw(before, ((1, 2), (3, 4)))
    points.draw(after, ((1, 3),), under=((1, 2),))
    expected = {before: ((3, 4),), after: ((1, 3),)}
    assert points.hints[1] == replace(Hint(200, 300, 3, 4), **expected)


def test_what_lines_changed_stays_with_the_thing_and_the_larger_one(points: Points) -> None:
    points.draw("adds", ((1, 2),))
    points.color(7, 8)
    points.spread("larger")
    points.hold(1)
    points.put(20, 30)
    assert points.hints[1] == Hint(20, 30, 7, 8, "larger", adds=((1, 2),))
    points.spread("around")
    assert points.hints[1] == Hint(20, 30, 7, 8, "around"), "which is no thing"
    points.undo()
    assert points.hints[1].adds == ((1, 2),)


def test_lines_without_a_thing_to_change_are_told(points: Points) -> None:
    with pytest.raises(ColorflowError, match="Choose whether a line adds"):
        points.draw("moves", ((1, 2),))
    points.spread("around")
    with pytest.raises(ColorflowError, match="choose that this point colors a thing"):
        points.draw("adds", ((1, 2),))
    points.put(0, 0)
    hints = points.hints
    for no_point in (points, Points()):
        with pytest.raises(ColorflowError, match="Click a thing and choose its color first"):
            no_point.draw("adds", ((1, 2),))
    assert points.hints == hints


def test_lines_end_where_there_are_too_many(points: Points) -> None:
    many = tuple((row, 0.0) for row in range(MOST_PLACES))
    points.draw("adds", many)
    hints = points.hints
    with pytest.raises(ColorflowError, match="too many lines"):
        points.draw("takes", ((0, 1),))
    points.draw("takes", ((0, 1),), under=many[:1])
    assert len(points.hints[1].adds) == MOST_PLACES - 1
    full = MOST_DRAWN // MOST_PLACES
    points.replace((hints[0], *hints[1:] * full))
    points.hold(0)
    with pytest.raises(ColorflowError, match="too many lines"):
        points.draw("takes", ((0, 1),))


def test_only_so_many_changes_are_kept(points: Points) -> None:
    for a in range(150):
        points.color(a / 2, 0)
    for _ in range(100):
        points.undo()
    assert points.hints[1].a == 24.5
    with pytest.raises(ColorflowError, match="nothing to undo"):
        points.undo()


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
