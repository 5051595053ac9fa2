"""The file of hints: what is read, and what is refused by name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from colorflow.batch import PhotoHints, read_hints
from colorflow.batch.hints import LARGEST_FILE, Start, hints_of
from colorflow.errors import BatchError
from colorflow.recipe import ColoringSpec, Hint, PrincipalSpec, digest_of_hints


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hints.json"


def test_hints_are_read(path: Path) -> None:
    hints = [{"row": 1, "column": 2.5, "a": -3, "b": 4e1}, {"row": 0, "column": 0, "a": 0, "b": 0}]
    path.write_text(json.dumps({"ü b.jpg": hints, "none.jpg": []}), encoding="utf-8")
    assert read_hints(path) == {
        "ü b.jpg": PhotoHints((Hint(1, 2.5, -3, 40), Hint(0, 0, 0, 0))),
        "none.jpg": PhotoHints(),
    }


def test_the_coloring_that_hints_were_given_on_is_read_as_it_was_written(path: Path) -> None:
    sampled = ColoringSpec(seeds=(7, 7, 9), temperature=0.5, skin=False)
    mode = ColoringSpec(seeds=(None,) * 3, principal=PrincipalSpec(number=2, of=4, seed=5))
    given = {
        "a.jpg": PhotoHints(
            (Hint(1, 2, 3, 4, "alike"), Hint(5, 6, 7, 8)), Start(sampled, "0123456789abcdef")
        ),
        "b.jpg": PhotoHints((), Start(mode, "0123456789abcdef", 1.5, 0.5)),
    }
    path.write_text(json.dumps({name: one.as_json() for name, one in given.items()}))
    assert read_hints(path) == given


def test_what_hints_add_and_take_is_read_as_it_was_written(path: Path) -> None:
    hints = (
        Hint(1, 2, 3, 4, "larger", adds=((5, 6.5), (0, 0)), takes=((7, 8),)),
        Hint(1, 2, 3, 4, takes=((7, 8),)),
        Hint(1, 2, 3, 4),
    )
    written = PhotoHints(hints).as_json()
    plain = {"row": 1, "column": 2, "a": 3, "b": 4, "reach": "thing"}
    assert written[1] == {**plain, "takes": ((7, 8),)}
    assert written[2] == plain, "as before there were such places"
    path.write_text(json.dumps({"a.jpg": written}))
    assert read_hints(path) == {"a.jpg": PhotoHints(hints)}
    assert hints_of([{**plain, "adds": [], "takes": []}], "x") == (Hint(1, 2, 3, 4),)


def test_the_digest_of_hints_tells_them_apart() -> None:
    hints = Hint(1, 2, 3, 4), Hint(5, 6, 7, 8, "alike")
    added = (Hint(1, 2, 3, 4, adds=((5, 6),)),)
    taken = (Hint(1, 2, 3, 4, takes=((5, 6),)),)
    digests = {digest_of_hints(given) for given in (hints, hints[:1], hints[::-1], added, taken)}
    assert len(digests) == 5
    assert digest_of_hints((Hint(1.0, 2.0, 3.0, 4.0),)) == digest_of_hints(hints[:1])


GOOD = {"row": 1, "column": 1, "a": 1, "b": 1}
MEAN = {"number": 0, "of": 4, "seed": 0}
COLORING = {
    "seeds": [None, 3],
    "principal": MEAN,
    "temperature": 1,
    "skin": True,
    "weights": "0123456789abcdef",
    "saturation": 1.5,
    "pale": 1,
}


def on(**other: object) -> str:
    """A file of hints that were given on a coloring with other fields."""
    return json.dumps({"a": {"hints": [GOOD], "coloring": COLORING | other}})


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is not a JSON file of hints"),
        ('{"a": [], "a": []}', "'a' occurs twice"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "got a list of 0"),
        ('{"a": 3}', "'a': expected a list of hints, got 3"),
        ('{"a": {"row": 1}}', "'a': expected coloring and hints, got an object with 'row'"),
        ('{"a": {"coloring": 3, "hints": []}}', "coloring: expected an object, got 3"),
        (on(saturation=7), "coloring: saturation: expected 0 to 2, got 7"),
        (on(pale=False), "coloring: pale: expected a number, got false"),
        (on(seeds=3), "coloring: seeds: expected a list, got 3"),
        (on(seeds=[]), "seeds: expected one for each level, got none"),
        (on(seeds=[1.5]), "seeds: expected a whole number, got 1.5"),
        (on(principal=None), "coloring: seeds: expected a number for every level"),
        (on(principal=MEAN | {"number": True}), "number: expected a whole number, got true"),
        (
            on(principal=MEAN | {"number": 4}),
            "coloring: number: expected a whole number from 0 to 3, got 4",
        ),
        (
            on(principal=MEAN | {"of": 10**6}),
            "coloring: of: expected a whole number from 1 to 16, got 1000000",
        ),
        (on(principal=[0, 4, 0]), "principal: expected an object, got a list of 3"),
        (on(temperature="1"), 'temperature: expected a number, got "1"'),
        (on(temperature=float("nan")), "coloring: temperature: expected 0 to"),
        (on(skin=1), "coloring: skin: expected true or false, got 1"),
        (on(weights=None), "coloring: weights: expected a text, got null"),
        ('{"a": [{}]}', "'a': hint 1: expected row, column, a and b, got an object with nothing"),
        (json.dumps({"a": [GOOD, GOOD | {"c": 1}]}), "'a': hint 2: expected row, column"),
        (json.dumps({"a": [GOOD | {"a": "red"}]}), "'a': hint 1: a: expected a number, got"),
        (json.dumps({"a": [GOOD | {"row": None}]}), "row: expected a number, got null"),
        (json.dumps({"a": [GOOD | {"row": -1}]}), "hint 1: row: expected a pixel from 0"),
        (json.dumps({"a": [GOOD | {"reach": "far"}]}), "hint 1: reach: expected one of thing, lar"),
        (json.dumps({"a": [GOOD | {"reach": []}]}), "hint 1: reach: expected a text, got a list"),
        (json.dumps({"a": [GOOD | {"b": 200}]}), "hint 1: b: expected -108 to 108"),
        (json.dumps({"a": [GOOD | {"adds": 3}]}), "hint 1: adds: expected a list, got 3"),
        (json.dumps({"a": [GOOD | {"takes": None}]}), "hint 1: takes: expected a list, got null"),
        (
            json.dumps({"a": [GOOD | {"adds": [1, 2]}]}),
            "hint 1: adds: expected [row, column] for each, got 1",
        ),
        (
            json.dumps({"a": [GOOD | {"takes": [[1, 2, 3]]}]}),
            "hint 1: takes: expected [row, column] for each, got a list of 3",
        ),
        (
            json.dumps({"a": [GOOD | {"adds": [[1, "2"]]}]}),
            'hint 1: adds: expected a number, got "2"',
        ),
        (
            json.dumps({"a": [GOOD | {"adds": [[-1, 2]]}]}),
            "hint 1: adds: expected pixels from 0, got (-1.0, 2.0)",
        ),
        (
            json.dumps({"a": [GOOD | {"adds": [[float("nan"), 2]]}]}),
            "hint 1: adds: expected pixels from 0, got (nan, 2.0)",
        ),
        (
            '{"a": [{"row": 1, "column": 1, "a": 1, "b": 1, "adds": [[1' + "0" * 400 + ", 1]]}]}",
            "hint 1: adds: ",
        ),
        (
            json.dumps({"a": [GOOD | {"adds": [[1, 2]] * 1500, "takes": [[1, 2]] * 501}]}),
            "hint 1: adds and takes: expected at most 2000 places, got 2001",
        ),
        (
            json.dumps({"a": [GOOD | {"reach": "around", "takes": [[1, 2]]}]}),
            "hint 1: adds and takes: go with the reaches thing and larger, got 'around'",
        ),
        ('{"a": [{"row": 1' + "0" * 400 + ', "column": 1, "a": 1, "b": 1}]}', "hint 1: "),
    ],
)
def test_wrong_files_are_refused(path: Path, content: str, what: str) -> None:
    path.write_text(content)
    with pytest.raises(BatchError) as refusal:
        read_hints(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert what in str(refusal.value)


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes")
def test_files_without_an_end_are_not_read(path: Path) -> None:
    os.mkfifo(path)
    for endless in (Path("/dev/zero"), path):
        with pytest.raises(BatchError, match="not a regular file"):
            read_hints(endless)


def test_large_files_are_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE)
    with pytest.raises(BatchError, match="is not a JSON file of hints"):
        read_hints(path)
    with path.open("ab") as file:
        file.write(b" ")
    with pytest.raises(BatchError, match="has more than 1 MB; make several files"):
        read_hints(path)


def test_files_that_cannot_be_read(path: Path) -> None:
    with pytest.raises(BatchError, match=r"the hints cannot be read \(No such file"):
        read_hints(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BatchError, match="is not a JSON file"):
        read_hints(path)
    with pytest.raises(BatchError, match=r"the hints cannot be read \(Is a directory"):
        read_hints(path.parent)
