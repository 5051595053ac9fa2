"""`colorflow blind score` on answers written by hand: counts, messages, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from colorflow.cli import main
from colorflow.quiz.blind_test import AnswerKey, KeyPair, key_to_json
from colorflow.quiz.score import read_key

FIRST = ("left", "right", "right", "left")
"""Sides of the first way, pair by pair."""
HEADER = "pair,choice,broken_left,broken_right"


def key_for(*ways: str) -> AnswerKey:
    return AnswerKey(
        colorflow="0.1",
        date="2026-01-31",
        seed=5,
        ways=ways,
        weights=(None, None),
        pairs=tuple(
            KeyPair(pair=f"{n:03}", photo=f"p/{n}.jpg", digest=f"{n:064}", first=side, seed=n)
            for n, side in enumerate(FIRST, start=1)
        ),
    )


@pytest.fixture(params=[("new", "old")], ids=" ".join)
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A test of two ways."""
    (tmp_path / "test").mkdir()
    (tmp_path / "test.key.json").write_text(key_to_json(key_for(*request.param)))
    return tmp_path / "test"


def sheet(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name}.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def scored(directory: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON file."""
    file = directory / "new" / "score.json"
    code = main(["blind", "score", str(directory), *arguments, "--json", str(file)])
    return code, json.loads(file.read_text(encoding="utf-8"))


def counts(ways: list[dict[str, Any]]) -> list[tuple[int, ...]]:
    """Chosen, broken, of answers, broken to all."""
    found = []
    for way in ways:
        chosen, broken = way["chosen"], way["broken"]
        assert chosen["answers"] == broken["answers"]
        found.append((chosen["count"], broken["count"], broken["answers"], way["broken_to_all"]))
    return found


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    assert main(["blind", "score", *arguments]) == code
    message = capsys.readouterr().err
    assert message.startswith("colorflow")
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize(
    ("directory", "chosen"),
    [(("new", "old"), "preferred"), (("truth", "old"), "taken for true")],
    indirect=["directory"],
)
def test_two_judges(directory: Path, chosen: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The first chooses new, new, old, new; the second, who leaves out 3, new, old, new."""
    lines = [HEADER, "001,L,0,1", "002,R,1,0", "003,L,0,1", "004,L,0,0", "# seams, and a cast."]
    one = sheet(directory, "one", "\n".join(lines))
    lines = ["# Skin decided.", "004,L,1,1", "003,,,", "002,L,0,1", "001,L,0,1"]
    two = sheet(directory, "two", "\n".join(lines))
    way = read_key(directory).ways[0]
    assert read_key(directory) == key_for(way, "old")
    code, found = scored(directory, one, two)
    assert (code, found["ways"], found["seed"], found["pairs"]) == (0, [way, "old"], 5, 4)
    judges = found["judges"]
    assert [(judge["answers"], judge["answered"]) for judge in judges] == [(one, 4), (two, 3)]
    # Pair 1 new|old, 2 and 3 old|new, 4 new|old.
    assert counts(judges[0]["ways"]) == [(3, 1, 4, 0), (1, 2, 4, 0)]
    assert counts(judges[1]["ways"]) == [(2, 2, 3, 0), (1, 2, 3, 0)]
    assert counts(found["all"]) == [(5, 3, 7, 0), (2, 4, 7, 1)]
    assert (found["agreed"], found["answered_by_several"]) == (2, 3)
    assert [judge["remarks"] for judge in judges] == [["seams, and a cast."], ["Skin decided."]]
    by_pair = [
        (pair["pair"], pair["answers"], pair["chosen"], pair["broken"]) for pair in found["by_pair"]
    ]
    assert by_pair == [
        ("003", 1, [0, 1], [1, 0]),
        ("002", 2, [1, 1], [1, 1]),
        ("001", 2, [2, 0], [0, 2]),
        ("004", 2, [2, 0], [1, 1]),
    ]
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "all judges:"
    width = len(way)
    assert printed[1].startswith(f"  {way}  {chosen} 5 of 7 (0.714, 95 % ")
    assert "; plainly broken 3 of 7 (0.429, 95 % " in printed[1]
    assert printed[2].startswith(f"  {'old':<{width}}  {chosen} 2 of 7")
    assert printed[2].endswith(", to all judges 1")
    assert printed[3] == "  agreed on 2 of 3 pairs"
    assert printed[4] == f"{one}: 4 of 4 answered"
    assert printed[7] == "  # seams, and a cast."
    assert [line.split() for line in printed[-5:-3]] == [
        ["pair", *chosen.split(), "broken", "photo"],
        ["003", "0:1", "1:0", "p/3.jpg"],
    ]


def test_intervals_are_over_pairs(directory: Path) -> None:
    """A second judge who says the same moves nothing: the pairs are the same."""
    text = "1,L,0,1\n2,R,1,0\n3,L,0,1\n4,L,0,0\n"
    _, found = scored(directory, sheet(directory, "one", text), sheet(directory, "two", text))
    theirs = scipy.stats.binomtest(3, 4).proportion_ci(0.95, method="wilson")
    for ways in (found["all"], found["judges"][0]["ways"], found["judges"][1]["ways"]):
        interval = ways[0]["chosen"]["interval"]
        assert ways[0]["chosen"]["share"] == 0.75
        assert interval["low"] == pytest.approx(theirs.low, abs=1e-12)
        assert interval["high"] == pytest.approx(theirs.high, abs=1e-12)
    assert (found["all"][0]["chosen"]["answers"], found["all"][0]["chosen"]["pairs"]) == (8, 4)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffPair,Choice,broken_left,broken_right\r\n1,LEFT,0,0\r\n002, Left ,0,1\r\n\r\n"
        "3,right,0,0,,\r\n004,l,0,0",
        f"{HEADER.replace(',', ';')}\n001;L;0;0\n2;L;0;1\n003;R;0;0\n4;L;0;0\n",
        '"001","L","0","0"\n"002","L","0","1"\n"003","R","0","0"\n"004","L","0","0"\n',
        "004,L,0,0\n001,L,0,0\n003,R,0,0\n002,L,0,1\n",
    ],
    ids=["excel", "semicolons", "quotes", "no-header"],
)
def test_sheets_as_spreadsheets_write_them(text: str, directory: Path) -> None:
    code, found = scored(directory, sheet(directory, "one", text))
    assert (code, counts(found["all"])) == (0, [(3, 1, 4, 0), (1, 0, 4, 0)])
    assert found["by_pair"][0]["pair"] == "002"


def test_bad_lines_are_named_and_do_not_count(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = {
        "005,L,0,0": "there is no pair '005'",
        ",L,0,0": "there is no pair ''",
        "002,both,0,0": "pair 002: 'both' is neither L nor R",
        "003,L": f"pair 003: expected {HEADER}",
        "001,R,0,0": "pair 001 is answered again; the first answer counts",
        "002,L,0,yes": "pair 002: 'yes' is neither 0 nor 1",
        "002,L,0,1,1": f"pair 002: expected {HEADER}",
    }
    one = sheet(directory, "one", "\n".join([HEADER, "001,L,0,0", *reasons, "004,R,0,1"]))
    empty = sheet(directory, "empty", "001,\n")
    code, found = scored(directory, one, empty)
    assert code == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{one}, line {number}: not counted ({reason})"
        for number, reason in enumerate(reasons.values(), start=3)
    ]
    assert [judge["answered"] for judge in found["judges"]] == [2, 0]
    assert counts(found["all"]) == counts(found["judges"][0]["ways"])


def test_sheets_that_are_refused(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = sheet(directory, "one", "001,L,0,0\n")
    again = str(directory / ".." / directory.name / "one.csv")
    picture = directory / "picture.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    long = sheet(directory, "long", "001," + "x" * 200_000)
    missing = refused([str(directory), one, str(directory / "missing.csv")], capsys, 2)
    assert "missing.csv' does not exist" in missing
    for sheets, message in (
        ([str(directory)], "cannot be read"),
        ([one, again], f"{again}: is given twice"),
        ([str(picture)], "it is not UTF-8 text"),
        ([long], f"{long}: is no answer sheet"),
        ([sheet(directory, "empty", "001,\n")], "no pair has an answer"),
    ):
        assert message in refused([str(directory), *sheets], capsys)


def test_files_that_cannot_be_replaced(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = sheet(directory, "one", "001,L,0,0\n")
    for file in (one, str(directory)):
        message = refused([str(directory), one, "--json", file], capsys)
        assert f"{file}: cannot be written (" in message


def test_a_damaged_key(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = directory.with_name("test.key.json")
    text = path.read_text()
    one = sheet(directory, "one", "001,L,0,0\n")
    for old, new in (
        ("{", "["),
        ("colorflow-blind-3", "colorflow-blind-9"),
        ('"first": "left"', '"first": "middle"'),
        ('"first": "left",', ""),
        ('"pair": "002"', '"pair": "001"'),
        ('"pair": "002"', '"pair": "2nd"'),
        ('"weights"', '"heights"'),
        ('"ways": [', '"ways": [{}, '),
        ('"ways": [', '"ways": ["third", '),
        ('"pairs": [', '"pairs": [], "others": ['),
        (text, ""),
        (text, "null"),
        (text, "[" * 100_000),
    ):
        assert old in text
        path.write_text(text.replace(old, new, 1))
        message = refused([str(directory), one], capsys, 2)
        assert f"{path}: is not the key of a blind test" in message
