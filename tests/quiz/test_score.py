"""`colorflow blind score` on answers written by hand: counts, messages, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from colorflow.cli import main
from colorflow.quiz.fooling import Answers, two_level_bootstrap
from colorflow.quiz.key import Key, KeyedPair, key_to_json, read_key

TRUTHS = ("left", "right", "right", "left")


@pytest.fixture
def key() -> Key:
    return Key(
        colorflow="0.1",
        weights="0123456789abcdef",
        temperatures=(0.8, 0.5),
        seed=5,
        size=384,
        pairs=tuple(
            KeyedPair(pair=f"{n:03}", photo=f"p/{n}.jpg", digest=f"{n:064}", truth=truth, seed=n)
            for n, truth in enumerate(TRUTHS, start=1)
        ),
    )


@pytest.fixture
def directory(key: Key, tmp_path: Path) -> Path:
    folder = tmp_path / "test"
    folder.mkdir()
    text = json.dumps(key_to_json(key, {"date": "2026-01-31", "left_out": []}))
    (folder / "key.json").write_text(text)
    return folder


def sheet(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name}.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def scored(directory: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON file."""
    file = directory / "new" / "score.json"
    code = main(["blind", "score", str(directory), *arguments, "--json", str(file)])
    return code, json.loads(file.read_text(encoding="utf-8"))


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["blind", "score", *arguments]) == 1
    message = capsys.readouterr().err
    assert message.startswith("colorflow: ")
    assert message.count("\n") == 1
    return message


def test_the_key_comes_back(directory: Path, key: Key) -> None:
    assert read_key(directory) == key


def test_two_judges(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first is fooled by pair 2, the second by 2 and 4, and gives no answer to 3."""
    one = sheet(directory, "one", "pair,answer\n001,left\n002,left\n003,right\n004,left\n")
    two = sheet(directory, "two", "pair,answer\n001,left\n002,left\n003,\n004,right\n")
    code, found = scored(directory, one, two, "--judge-note", "two cousins")
    assert code == 0
    assert [
        (judge["answers"], judge["answered"], judge["wrong"], judge["not_answered"])
        for judge in found["judges"]
    ] == [(one, 4, 1, 0), (two, 3, 2, 1)]
    for judge, (wrong, answered) in zip(found["judges"], ((1, 4), (2, 3)), strict=True):
        theirs = scipy.stats.binomtest(wrong, answered).proportion_ci(0.95, method="wilson")
        assert judge["fooling_rate"] == wrong / answered
        assert judge["interval"]["low"] == pytest.approx(theirs.low, abs=1e-12)
        assert judge["interval"]["high"] == pytest.approx(theirs.high, abs=1e-12)
    both = two_level_bootstrap([Answers(1, 4), Answers(2, 3)], seed=found["bootstrap"]["seed"])
    assert found["all"] == {
        "answered": 7,
        "wrong": 3,
        "fooling_rate": 3 / 7,
        "interval": {"low": both.low, "high": both.high},
    }
    assert found["judge_note"] == "two cousins"
    assert (found["weights"], found["seed"], found["size"]) == ("0123456789abcdef", 5, 384)
    assert (found["pairs"], found["temperatures"]) == (4, [0.8, 0.5])
    assert found["date"].count("-") == 2
    pairs = [(pair["pair"], pair["wrong"], pair["answered"]) for pair in found["by_pair"]]
    assert pairs == [("002", 2, 2), ("004", 1, 2), ("001", 0, 2), ("003", 0, 1)]

    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == (
        f"{one}: 4 of 4 answered, 1 wrong, fooling rate 0.250, 95 % 0.046 to 0.699 (Wilson)"
    )
    assert printed[1].startswith(f"{two}: 3 of 4 answered, 2 wrong, fooling rate 0.667, 95 % 0.208")
    assert printed[3].startswith("all: 7 answers, 3 wrong, fooling rate 0.429, 95 % ")
    assert f"{both.low:.3f} to {both.high:.3f} (bootstrap" in printed[3]
    assert printed[4] == "judges: two cousins"
    assert printed[-4:-2] == ["002   2/2    p/2.jpg", "004   1/2    p/4.jpg"]


def test_one_judge_has_no_spread_between_judges(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second sheet without answers is no second judge."""
    one = sheet(directory, "one", "pair,answer\n001,right\n")
    empty = sheet(directory, "empty", "pair,answer\n001,\n002,\n003,\n004,\n")
    code, found = scored(directory, one, empty)
    assert code == 0
    assert found["all"]["interval"] is None
    assert found["all"]["fooling_rate"] == 1
    assert found["judges"][1]["fooling_rate"] is None
    assert found["judges"][1]["interval"] is None
    assert found["judge_note"] is None
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == f"{empty}: 0 of 4 answered, 0 wrong"
    assert "one judge" in printed[3]
    assert printed[-1].startswith("001 "), "pairs without an answer are not listed"


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffpair,answer\r\n1,LEFT\r\n002, Left \r\n\r\n3,right,,\r\n004,left",
        "pair;answer\n001;left\n2;left\n003;right\n4;left\n",
        '"pair","answer"\n"001","left"\n"002","left"\n"003","right"\n"004","left"\n',
        "004,left\n001,left\n003,right\n002,left\n",
    ],
    ids=["excel", "semicolons", "quotes", "no-header"],
)
def test_sheets_as_spreadsheets_write_them(text: str, directory: Path) -> None:
    code, found = scored(directory, sheet(directory, "one", text))
    assert code == 0
    assert (found["all"]["answered"], found["all"]["wrong"]) == (4, 1)
    assert found["by_pair"][0]["pair"] == "002"


def test_bad_lines_are_named_and_do_not_count(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        "pair,answer",
        "001,left",
        "005,left",
        "two,left",
        ",left",
        "002,both",
        "003,left,right",
        "001,right",
        "004,right",
        "000,left",
    ]
    one = sheet(directory, "one", "\n".join(lines))
    code, found = scored(directory, one)
    assert code == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{one}, line 3: not counted (there is no pair '005')",
        f"{one}, line 4: not counted (there is no pair 'two')",
        f"{one}, line 5: not counted (there is no pair '')",
        f"{one}, line 6: not counted ('both' is neither left nor right)",
        f"{one}, line 7: not counted (pair 003 has more than one answer in its line)",
        f"{one}, line 8: not counted (pair 001 is answered again; the first answer counts)",
        f"{one}, line 10: not counted (there is no pair '000')",
    ]
    (judge,) = found["judges"]
    assert (judge["answered"], judge["wrong"], judge["not_answered"]) == (2, 1, 2)
    assert [line["line"] for line in judge["bad_lines"]] == [3, 4, 5, 6, 7, 8, 10]
    assert judge["bad_lines"][0]["reason"] == "there is no pair '005'"


def test_sheets_that_are_refused(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(directory)
    one = sheet(directory, "one", "pair,answer\n001,left\n")
    missing = str(directory / "missing.csv")
    assert f"{missing}: cannot be read" in refused([folder, one, missing], capsys)
    assert "cannot be read" in refused([folder, folder], capsys)
    again = str(directory / ".." / directory.name / "one.csv")
    assert f"{again}: is given twice" in refused([folder, one, again], capsys)
    (directory / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    message = refused([folder, str(directory / "picture.csv")], capsys)
    assert "it is not UTF-8 text" in message
    long = sheet(directory, "long", "pair,answer\n001," + "x" * 200_000)
    assert f"{long}: is no answer sheet" in refused([folder, long], capsys)
    empty = sheet(directory, "empty", "pair,answer\n001,\n")
    assert "no pair has an answer" in refused([folder, empty], capsys)


def test_no_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = sheet(tmp_path, "one", "pair,answer\n001,left\n")
    message = refused([str(tmp_path), one], capsys)
    assert f"{tmp_path}: is no blind test" in message
    assert "colorflow blind make" in message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", "["),
        ("colorflow-blind-1", "colorflow-blind-9"),
        ('"truth": "left"', '"truth": "middle"'),
        ('"truth": "left", ', ""),
        ('"pair": "002"', '"pair": "001"'),
        ('"pair": "002"', '"pair": "2nd"'),
        ('"weights"', '"heights"'),
        ('"pairs": [', '"pairs": [], "others": ['),
    ],
)
def test_a_damaged_key(
    old: str, new: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = directory / "key.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    one = sheet(directory, "one", "pair,answer\n001,left\n")
    assert f"{path}: is not the key of a blind test" in refused([str(directory), one], capsys)


@pytest.mark.parametrize("text", ["", "[]", "null", '"text"', "3"])
def test_a_key_that_is_none(text: str, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "key.json").write_text(text)
    one = sheet(directory, "one", "pair,answer\n001,left\n")
    assert "is not the key of a blind test" in refused([str(directory), one], capsys)


def test_the_json_file_cannot_be_written(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = sheet(directory, "one", "pair,answer\n001,left\n")
    file = str(directory / "one.csv" / "score.json")
    assert f"{file}: cannot be written" in refused([str(directory), one, "--json", file], capsys)


@pytest.mark.parametrize("command", [[], ["make"], ["score"]])
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["blind", *command, "--help"])
    assert end.value.code == 0
    usage = " ".join(["usage: colorflow blind", *command])
    assert capsys.readouterr().out.startswith(usage)


def test_a_file_of_others_stays(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet, mine = directory / "a.csv", directory / "mine.json"
    sheet.write_text("pair,answer\n001,left\n")
    mine.write_text('{"command": "colorflow evaluate photos"}')
    arguments = ["blind", "score", str(directory), str(sheet), "--json"]
    assert main([*arguments, str(mine)]) == 1
    assert "mine.json: cannot be written (a file is there already" in capsys.readouterr().err
    assert mine.read_text() == '{"command": "colorflow evaluate photos"}'
    for _ in range(2):
        assert main([*arguments, str(directory / "own.json")]) == 0
