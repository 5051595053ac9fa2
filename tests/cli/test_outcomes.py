"""What `colorflow colorize` prints of a run, and its exit codes, with a stand-in for the run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import colorflow.batch
from colorflow.batch import ColoredFile, PhotoOutcome, Plan
from colorflow.cli import main
from colorflow.errors import DeviceError, WeightsError
from tests.cli.fake_run import FakeRun


def test_colorize_prints_a_line_a_file_and_a_summary(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    out = photos.parent / "out"
    assert main(["colorize", str(photos), "-o", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        f"{photos / 'a.png'} -> {out / 'a_a.png'} (0.2 s)",
        f"{photos / 'b.jpg'} -> {out / 'b_a.jpg'} (0.2 s)",
    ]
    assert lines[2].startswith("2 done in ")
    assert len(lines) == 3


def test_quiet_says_only_what_went_wrong(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_run.results = {"a.png": {"status": "failed", "reason": "no", "remarks": ("page 1 of 2",)}}
    arguments = ["colorize", str(photos), "-q", "-o", str(photos.parent / "out")]
    assert main([*arguments, "--contact-sheet", str(photos.parent / "s.html")]) == 1
    assert capsys.readouterr() == ("", f"{photos / 'a.png'}: no\n")
    fake_run.results = {}
    assert main(arguments) == 0
    assert capsys.readouterr() == ("", "")


def test_what_a_sheet_shows_is_told(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = photos.parent / "s.html"
    arguments = ["colorize", str(photos), "-o", str(photos.parent / "out")]
    arguments += ["--contact-sheet", str(sheet)]
    shown = ColoredFile(path=photos / "b.jpg", label="a", seed=0)
    fake_run.results = {"b.jpg": {"colorings": (shown,)}}
    assert main(arguments) == 0  # the result of a.png has gone
    told = f"{sheet}: 1 of 2 photos; it says why it does not show the others"
    assert told in capsys.readouterr().out.splitlines()
    sheet.unlink()
    failure = {"status": "failed", "reason": "no", "colorings": ()}
    fake_run.results = {"a.png": failure, "b.jpg": failure}
    assert main(arguments) == 1
    told = f"{sheet}: not written, because there is no result to show"
    assert told in capsys.readouterr().out.splitlines()
    assert not sheet.exists()


def test_what_is_passed_by_is_no_failure(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "inner").mkdir()
    fake_run.results = {
        "a.png": {"status": "already-colored", "reason": "already has colors", "colorings": ()},
        "b.jpg": {"remarks": ("the first of 3 pages",)},
    }
    assert main(["colorize", str(photos), "-o", str(photos.parent / "out")]) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        f"{photos}: has folders inside; -r takes the photos in them, too",
        f"{photos / 'a.png'}: already has colors",
        f"{photos / 'b.jpg'}: the first of 3 pages",
    ]
    assert "1 already-colored, 1 done in " in printed.out


def test_a_full_disk_says_how_to_go_on(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(FakeRun):
        def __call__(self, plan: Plan, **_: Any) -> Iterator[PhotoOutcome]:
            reason = "no space left"
            yield PhotoOutcome(
                path=plan.tasks[0].path, status="failed", reason=reason, ends_the_run=True
            )

    colorflow.batch.run = Full()  # type: ignore[assignment]  # `fake_run` puts it back
    assert main(["colorize", str(photos), "-o", str(photos.parent / "out")]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{photos / 'a.png'}: no space left",
        "colorflow: nothing more can be written, 1 photos are left; make room, and the same "
        "command goes on from here",
    ]


def test_a_colorflow_error_is_one_line(
    photos: Path, fake_run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_run.error = WeightsError("w.safetensors: not a weights file of colorflow")
    report = tmp_path / "r.json"
    report.write_text(of_another_run := '{\n "made_by": "colorflow colorize"}')
    arguments = ["colorize", str(photos), "-o", str(tmp_path / "out"), "--report", str(report)]
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.err == "colorflow: w.safetensors: not a weights file of colorflow\n"
    assert printed.out == ""
    assert report.read_text() == of_another_run


def test_a_run_of_nothing_took_no_time(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["colorize", str(photos / "absent.png"), "-o", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().out == "1 failed\n"


def test_a_device_that_is_not_there_is_wrong_usage(
    photos: Path, fake_run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_run.error = DeviceError("cuda: this machine has no such GPU")
    assert main(["colorize", str(photos), "-o", str(tmp_path / "out"), "--device", "cuda"]) == 2
    assert capsys.readouterr().err == "colorflow: cuda: this machine has no such GPU\n"


def test_files_that_are_left_out_are_counted_and_named(
    photos: Path, fake_run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["colorize", str(photos), "-o", str(tmp_path / "out")]
    for number in range(7):
        (photos / f"{number}.txt").touch()
    assert main(arguments) == 0
    named = ", ".join(str(photos / f"{number}.txt") for number in range(5))
    said = f"colorflow: 7 files were left out, not named like photos: {named} and 2 more\n"
    assert capsys.readouterr().err == said
    assert main([*arguments, "-q"]) == 0
    assert capsys.readouterr().err == ""


def test_an_interruption_ends_with_130_and_says_how_to_go_on(
    photos: Path, fake_run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_run.results = {"b.jpg": KeyboardInterrupt()}
    report = tmp_path / "r.json"
    arguments = ["colorize", str(photos), "-o", str(tmp_path / "out"), "--report", str(report)]
    assert main(arguments) == 130
    printed = capsys.readouterr()
    assert "a_a.png" in printed.out
    assert "1 done, 1 left in " in printed.out
    assert printed.err == (
        "colorflow: stopped, 1 photos are left; the same command goes on from here\n"
    )
    content = json.loads(report.read_text())
    assert content["counts"] == {"done": 1}
    assert content["not_reached"] == [str(photos / "b.jpg")]
