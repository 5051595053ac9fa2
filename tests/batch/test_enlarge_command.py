"""`colorflow enlarge`, with weights that cost nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from colorflow.cli import main
from colorflow.photo import read_photo, read_statements


@pytest.mark.usefixtures("in_process")
def test_the_command(
    album: Path, tmp_path: Path, detail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "out", tmp_path / "report.json"
    command = ["enlarge", str(album / "a.jpg"), "-o", str(out), "--weights", str(detail)]
    options = ["--scale", "4", "--ext", "png", "--name", "{stem} {seed}.{ext}", "--seed", "9"]
    options += ["--temperature", "1"]
    assert main([*command, *options, "--report", str(report)]) == 0
    assert read_photo(out / "a 9.png").width == 4 * read_photo(album / "a.jpg").width
    said = json.loads(report.read_text())
    assert said["made_by"] == "colorflow enlarge"
    assert said["settings"]["scale"] == 4
    detail_of = read_statements(out / "a 9.png").detail
    assert detail_of
    assert not detail_of.restored
    assert main([*command, *options, "--clean", "--report", str(report)]) == 0
    assert "1 skipped" in capsys.readouterr().out
    for way in ("--clean", "--restore"):  # beside each other, in one folder
        assert main([*command, way]) == 0
    for name, is_restored in (("a_x2_mean.jpg", False), ("a_x2_restored_mean.jpg", True)):
        detail_of = read_statements(out / name).detail
        assert detail_of
        assert detail_of.restored == is_restored
    assert main([*command, "--name", "{stem}_{seed}.{ext}", "-n", "2"]) == 2
    assert "is for samples alone; write {label}, or ask for samples" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["enlarge", "--scale", "3"], "'--scale': '3' is not one of '2', '4'"),
        (["enlarge", "--temperature", "3"], "'--temperature': 3.0 is not in the range 0<=x<=2.0"),
        (["enlarge", "-n", "0"], "'-n': 0 is not in the range 1<=x<=1000"),
        (["enlarge", "--clean", "--restore"], "--restore: not allowed with --clean"),
        (["colorize", "--restore"], "--restore: needs --scale 2 or 4"),
    ],
)
def test_wrong_usage(
    arguments: list[str], message: str, album: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *options = arguments
    assert main([name, str(album), "-o", "out", *options]) == 2
    assert message in capsys.readouterr().err
