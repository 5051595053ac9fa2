"""`colorflow blind score` on answers written by hand: counts, messages, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from colorflow.cli import main
from colorflow.quiz.sheets import AnswerKey, KeyMethod, KeyPair, key_to_json, read_key
from colorflow.quiz.statistics import wilson_interval

FIRST = ("left", "right", "right", "left")
"""Sides of the first way, pair by pair."""
HEADER = "pair,choice,broken_left,broken_right"


def key_for(*methods: str) -> AnswerKey:
    first, second = (KeyMethod(text=text, weights=None) for text in methods)
    return AnswerKey(
        colorflow="0.1",
        seed=5,
        ways=(first, second),
        pairs=tuple(
            KeyPair(pair=f"{n:03}", photo=f"p/{n}.jpg", digest=f"{n:064}", first=side, seed=n)
            for n, side in enumerate(FIRST, start=1)
        ),
    )


def save_key(key: AnswerKey, folder: Path) -> Path:
    (folder / "test").mkdir()
    text = json.dumps(key_to_json(key, {"date": "2026-01-31", "left_out": []}))
    (folder / "test.key.json").write_text(text)
    return folder / "test"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A test of new against old."""
    return save_key(key_for("new", "old"), tmp_path)


@pytest.fixture
def against_truth(tmp_path: Path) -> Path:
    return save_key(key_for("truth", "samples"), tmp_path)


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
    """Chosen of answers, broken of answers, broken to all."""
    return [
        (
            way["chosen"]["count"],
            way["chosen"]["answers"],
            way["broken"]["count"],
            way["broken"]["answers"],
            way["broken_to_all"],
        )
        for way in ways
    ]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["blind", "score", *arguments]) == 1
    message = capsys.readouterr().err
    assert message.startswith("colorflow: ")
    assert message.count("\n") == 1
    return message


def test_two_judges(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first prefers new, new, old, new; the second, who leaves out 3, new, old, new."""
    lines = [HEADER, "001,L,0,1", "002,R,1,0", "003,L,0,1", "004,L,0,0", "# seams, and a cast."]
    one = sheet(directory, "one", "\n".join(lines))
    lines = ["# Skin decided.", "004,L,1,1", "003,,,", "002,L,0,1", "001,L,0,1"]
    two = sheet(directory, "two", "\n".join(lines))
    assert read_key(directory) == key_for("new", "old")
    code, found = scored(directory, one, two, "--judge-note", "two cousins")
    assert code == 0
    assert found["asked"] == "preference"
    assert [way["text"] for way in found["ways"]] == ["new", "old"]
    judges = found["judges"]
    assert [(judge["answers"], judge["answered"]) for judge in judges] == [(one, 4), (two, 3)]
    # Pair 1 new|old, 2 and 3 old|new, 4 new|old.
    assert counts(judges[0]["ways"]) == [(3, 4, 1, 4, 0), (1, 4, 2, 4, 0)]
    assert counts(judges[1]["ways"]) == [(2, 3, 2, 3, 0), (1, 3, 2, 3, 0)]
    assert counts(found["all"]) == [(5, 7, 3, 7, 0), (2, 7, 4, 7, 1)]
    assert (found["agreed"], found["answered_by_several"]) == (2, 3)
    assert [judge["remarks"] for judge in judges] == [["seams, and a cast."], ["Skin decided."]]
    assert found["judge_note"] == "two cousins"
    assert (found["seed"], found["pairs"]) == (5, 4)
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
    assert printed[1].startswith("  new  preferred 5 of 7 (0.714, 95 % ")
    assert "; plainly broken 3 of 7 (0.429, 95 % " in printed[1]
    assert printed[2].endswith(", to all judges 1")
    assert printed[3] == "  agreed on 2 of 3 pairs"
    assert printed[4] == f"{one}: 4 of 4 answered"
    assert printed[7] == "  # seams, and a cast."
    assert "judges: two cousins" in printed
    assert printed[-5:-3] == [
        "pair   preferred  broken  photo",
        "003    0:1        1:0     p/3.jpg",
    ]


def test_intervals_are_over_pairs(directory: Path) -> None:
    """A second judge who says the same moves nothing: the pairs are the same."""
    text = "1,L,0,1\n2,R,1,0\n3,L,0,1\n4,L,0,0\n"
    one, two = sheet(directory, "one", text), sheet(directory, "two", text)
    _, found = scored(directory, one, two)
    theirs = scipy.stats.binomtest(3, 4).proportion_ci(0.95, method="wilson")
    for ways in (found["all"], found["judges"][0]["ways"], found["judges"][1]["ways"]):
        interval = ways[0]["chosen"]["interval"]
        assert ways[0]["chosen"]["share"] == 0.75
        assert interval["low"] == pytest.approx(theirs.low, abs=1e-12)
        assert interval["high"] == pytest.approx(theirs.high, abs=1e-12)
    assert (found["all"][0]["chosen"]["answers"], found["all"][0]["chosen"]["pairs"]) == (8, 4)
    half = scored(directory, one, sheet(directory, "three", "1,R,0,0\n"))[1]["all"][0]["chosen"]
    want = wilson_interval(3 / 5, 4)
    assert half["interval"] == {"low": want.low, "high": want.high}


def test_against_the_truth(against_truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`broken` is of the side that was not chosen. Pair 1 truth|samples, 2 and 3 the other way."""
    one = sheet(against_truth, "one", "pair,choice,broken\n001,L,1\n002,R,1\n003,L,0\n004,R,1\n")
    two = sheet(against_truth, "two", "pair,choice,broken\n001,L,1\n002,R,0\n003,R,0\n004,R,1\n")
    code, found = scored(against_truth, one, two)
    assert code == 0
    assert found["asked"] == "truth"
    assert counts(found["judges"][0]["ways"]) == [(2, 4, 1, 2, 0), (2, 4, 2, 2, 0)]
    # Both were fooled by pair 4, where both call the truth broken; pair 1 is broken to both.
    assert counts(found["all"]) == [(5, 8, 2, 3, 1), (3, 8, 3, 5, 1)]
    assert (found["agreed"], found["answered_by_several"]) == (3, 4)
    assert found["by_pair"][0]["pair"] == "004", "what fooled most comes first"
    assert "samples  taken for true 3 of 8 (0.375, 95 % " in capsys.readouterr().out


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
    assert code == 0
    assert counts(found["all"]) == [(3, 4, 1, 4, 0), (1, 4, 0, 4, 0)]
    assert found["by_pair"][0]["pair"] == "002"


def test_bad_lines_are_named_and_do_not_count(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        HEADER,
        "001,L,0,0",
        "005,L,0,0",
        "two,L,0,0",
        ",L,0,0",
        "002,both,0,0",
        "003,L",
        "001,R,0,0",
        "004,R,0,1",
        "002,L,0,yes",
        "002,L,0,1,1",
    ]
    one = sheet(directory, "one", "\n".join(lines))
    code, found = scored(directory, one)
    assert code == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{one}, line 3: not counted (there is no pair '005')",
        f"{one}, line 4: not counted (there is no pair 'two')",
        f"{one}, line 5: not counted (there is no pair '')",
        f"{one}, line 6: not counted (pair 002: 'both' is neither L nor R)",
        f"{one}, line 7: not counted (pair 003: expected {HEADER})",
        f"{one}, line 8: not counted (pair 001 is answered again; the first answer counts)",
        f"{one}, line 10: not counted (pair 002: 'yes' is neither 0 nor 1)",
        f"{one}, line 11: not counted (pair 002: expected {HEADER})",
    ]
    (judge,) = found["judges"]
    assert judge["answered"] == 2
    assert [line["line"] for line in judge["bad_lines"]] == [3, 4, 5, 6, 7, 8, 10, 11]


def test_sheets_that_are_refused(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(directory)
    one = sheet(directory, "one", "001,L,0,0\n")
    missing = str(directory / "missing.csv")
    assert f"{missing}: cannot be read" in refused([folder, one, missing], capsys)
    assert "cannot be read" in refused([folder, folder], capsys)
    again = str(directory / ".." / directory.name / "one.csv")
    assert f"{again}: is given twice" in refused([folder, one, again], capsys)
    (directory / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    message = refused([folder, str(directory / "picture.csv")], capsys)
    assert "it is not UTF-8 text" in message
    long = sheet(directory, "long", "001," + "x" * 200_000)
    assert f"{long}: is no answer sheet" in refused([folder, long], capsys)
    empty = sheet(directory, "empty", "001,\n")
    assert "no pair has an answer" in refused([folder, empty], capsys)


def test_a_damaged_key(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = directory.with_name("test.key.json")
    text = path.read_text()
    one = sheet(directory, "one", "001,L,0,0\n")
    for old, new in (
        ("{", "["),
        ("colorflow-blind-2", "colorflow-blind-9"),
        ('"first": "left"', '"first": "middle"'),
        ('"first": "left", ', ""),
        ('"pair": "002"', '"pair": "001"'),
        ('"pair": "002"', '"pair": "2nd"'),
        ('"weights"', '"heights"'),
        ('"ways": [', '"ways": [{}, '),
        ('"pairs": [', '"pairs": [], "others": ['),
        (text, ""),
        (text, "null"),
        (text, "[" * 100_000),
    ):
        assert old in text
        path.write_text(text.replace(old, new, 1))
        message = refused([str(directory), one], capsys)
        assert f"{path}: is not the key of a blind test" in message
