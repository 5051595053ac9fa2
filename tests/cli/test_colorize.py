"""`colorflow colorize`: what its options ask for, with a stand-in for the run."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest
from PIL import Image

from colorflow.batch import COLORS, Settings
from colorflow.cli import main
from tests.cli.fake_run import FakeRun, usage_error


def test_colorize_passes_its_options_on(photos: Path, fake_run: FakeRun, tmp_path: Path) -> None:
    (photos / "inner").mkdir()
    Image.new("L", (8, 6), 90).save(photos / "inner" / "c.png")
    arguments = [
        *("--seed", "7", "-n", "3", "--temperature", "0", "--samples", "--overwrite"),
        *("--no-skin", "--quality", "80"),
        *("--weights", __file__, "--device", "cuda:1", "--workers", "5"),
        *("-r", "--ext", "webp"),
        *("--report", str(tmp_path / "new" / "folder" / "r.json")),
    ]
    assert main(["colorize", str(photos), "-o", str(tmp_path / "out"), *arguments]) == 0
    ((plan, options),) = fake_run.calls
    assert plan.settings == Settings(
        n=3,
        seed=7,
        temperature=0,
        samples=True,
        skin=False,
        overwrite=True,
        quality=80,
        likelihood=True,
    )
    paths = [task.target("s7").relative_to(tmp_path / "out").as_posix() for task in plan.tasks]
    assert paths == ["a_s7.webp", "b_s7.webp", "inner/c_s7.webp"]
    del options["stop"], options["tell"]
    assert options == {
        "weights": {COLORS: Path(__file__)},
        "device": "cuda:1",
        "workers": 5,
    }
    assert json.loads((tmp_path / "new" / "folder" / "r.json").read_text())["counts"] == {"done": 3}


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (["--treat-as-gray", "*"], ["a.png", "b.jpg", "inner/b.jpg"]),
        (["--treat-as-gray", "*.png"], ["a.png"]),
        (["--treat-as-gray", "b.jpg"], ["b.jpg", "inner/b.jpg"]),
        (["--treat-as-gray", "/b.jpg"], ["b.jpg"]),
        (["--treat-as-gray", "inner/*", "--treat-as-gray", "a.png"], ["a.png", "inner/b.jpg"]),
        ([], []),
    ],
)
def test_colorize_passes_on_what_is_treated_as_gray(
    photos: Path, fake_run: FakeRun, tmp_path: Path, options: list[str], chosen: list[str]
) -> None:
    (photos / "inner").mkdir()
    Image.new("L", (8, 6), 90).save(photos / "inner" / "b.jpg")
    main(["colorize", str(photos), "-r", "-o", str(tmp_path / "out"), *options])
    ((plan, _),) = fake_run.calls
    treated = [task.path for task in plan.tasks if task.treat_as_gray]
    assert [path.relative_to(photos).as_posix() for path in treated] == chosen


def test_a_pattern_that_fits_no_photo_is_told(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["colorize", str(photos), "-o", str(tmp_path / "out"), "--treat-as-gray", "scan*"]
    told = "colorflow colorize: no photo fits 'scan*', which should be treated as gray; see"
    assert usage_error(arguments, capsys).startswith(told)
    assert not (tmp_path / "out").exists()


def test_there_are_sixteen_principal_colorings_and_more_samples(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["colorize", str(photos / "a.png"), "-o", str(photos.parent / "out"), "-n"]
    message = usage_error([*arguments, "17"], capsys)
    assert "-n: expected 1 to 16 principal colorings, or 1000 samples, got 17" in message
    assert not fake_run.calls
    for given in (["16"], ["17", "--samples"]):
        assert main([*arguments, *given]) == 0
    labels = [plan.settings.labels for plan, _ in fake_run.calls]
    assert labels[0] == list("abcdefghijklmnop")
    assert labels[1] == [f"s{seed}" for seed in range(17)]
    assert [plan.settings.samples for plan, _ in fake_run.calls] == [False, True]


@pytest.mark.parametrize(
    ("output", "what"),
    [
        ("b.jpg", "is a file"),
        ("b.jpg/new", "would be in the file {}/b.jpg"),
        ("new.zip", "is named like a zip"),
        ("o.jpg", "is named like a picture"),
    ],
)
def test_results_go_to_a_folder(
    output: str, what: str, photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in photos.iterdir()}
    told = usage_error(["colorize", str(photos / "a.png"), "-o", str(photos / output)], capsys)
    said = "but -o names a folder; the results in it are named after the photos"
    assert f"{photos / output}: {what.format(photos)}, {said}" in told
    assert {path: path.read_bytes() for path in photos.iterdir()} == before
    assert not fake_run.calls


@pytest.mark.skipif(sys.platform == "win32", reason="sockets of POSIX")
@pytest.mark.parametrize(
    ("option", "name", "what"),
    [
        ("--report", "photos/b.jpg/new/r.json", "b.jpg: nothing can be written here (Not a dire"),
        ("--report", "link.json", "b.jpg: nothing can be written here (Not a directory); choose"),
        ("--report", "report.txt", "report.txt: a report is JSON or a table; name it .json or .c"),
        ("--report", "folder.json", "folder.json: cannot be written (Is a directory)"),
        ("--report", "socket.json", "cannot be written (it is neither a file nor a stream)"),
        ("--report", "hints.json", "hints.json: cannot be written (a file is there already, and"),
        ("--report", "r.html", "r.html: a report is JSON or a table; name it .json or .csv"),
        ("--contact-sheet", "s.jpg", "s.jpg: a contact sheet is a page, which also prints"),
        ("--contact-sheet", "other.html", "other.html: cannot be written (a file is there alrea"),
        ("--contact-sheet", "photos/b.jpg/s.html", "b.jpg: nothing can be written here"),
        ("--hints", "absent.json", "absent.json: the hints cannot be read"),
    ],
)
def test_files_that_cannot_be_are_refused_before_the_work(
    option: str,
    name: str,
    what: str,
    photos: Path,
    fake_run: FakeRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "hints.json").write_text("{}")
    (tmp_path / "other.html").write_text("<p>Mine</p>")
    (tmp_path / "link.json").symlink_to(photos / "b.jpg" / "r.json")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # their names are short
        listener.bind("socket.json")
    (tmp_path / "folder.json").mkdir()
    arguments = ["colorize", str(photos), "-o", str(tmp_path / "out")]
    assert what in usage_error([*arguments, option, str(tmp_path / name)], capsys)
    assert not fake_run.calls


@pytest.mark.parametrize("option", ["--weights", "--hints", "--report"])
def test_names_in_messages_move_no_terminal(
    option: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = str(tmp_path / "a\x1b[31m\u202e\x9b2J" / "b\nc")
    arguments = ["colorize", str(photos), "-o", str(tmp_path / "out"), option, name]
    message = usage_error(arguments, capsys)
    assert message.rstrip("\n").isprintable()
    assert "a\\x1b[31m\\u202e\\x9b2J" in message


@pytest.mark.skipif(sys.platform == "win32", reason="such a folder cannot be deleted")
def test_a_deleted_working_folder_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(["colorize", "a.png", "-o", "out"]) == 1
    assert capsys.readouterr().err == (
        "colorflow: the current folder cannot be used (No such file or directory); "
        "change to one that is there\n"
    )
