"""`colorflow colorize` as people run it: signals, kills, two at once, odd names."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.soak_kill import soak
from colorflow.batch import Settings, make_plan
from colorflow.cli import main
from colorflow.colorizer import Colorizer
from colorflow.photo import read_photo
from tests.batch.results import Save
from tests.in_process import run_in_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]


@pytest.fixture
def start(weights: Path) -> Callable[..., subprocess.Popen[str]]:
    def start(*arguments: str | Path, shell: str = "") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "colorflow.cli", "colorize", "--weights", str(weights)]
        command += map(str, arguments)
        if shell:
            command = ["bash", "-c", f'{shell}; exec "$@"', "bash", *command]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )

    return start


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def test_ctrl_c_finishes_the_photo_in_hand_and_the_same_command_goes_on(
    save_photo: Save,
    tmp_path: Path,
    weights: Path,
    colorizer: Colorizer,
    start: Callable[..., subprocess.Popen[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Until a second Ctrl-C stops at once; meanwhile nobody else may write to the folder."""
    many, out, report = tmp_path / "many", tmp_path / "out", tmp_path / "r.json"
    for number in range(20):
        save_photo(many / f"{number:02}.png", number)
    arguments = (many, "-o", out, "--workers", "1", "--report", report)
    process = start(*arguments)
    assert "00_a.png" in first_line(process)
    process.send_signal(signal.SIGSTOP)  # or it might be done before the other one looks
    other = ["colorize", str(many), "-o", str(out), "--report", str(tmp_path / "other.json")]
    assert main([*other, "--weights", str(weights)]) == 1
    assert capsys.readouterr() == (
        "",
        f"colorflow: {out}: another run of colorflow is writing to this folder; "
        "wait until it has ended, or choose another folder\n",
    )
    assert not (tmp_path / "other.json").exists()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    content = json.loads(report.read_text())
    done, left = content["counts"]["done"], len(content["not_reached"])
    assert done + left == 20
    assert left > 0
    assert f"{done} done, {left} left in " in printed
    assert errors.split("\n") == [
        "",
        "colorflow: finishing the photos in hand; Ctrl-C again stops at once",
        f"colorflow: stopped, {left} photos are left; the same command goes on from here",
        "",
    ]
    assert len(list(out.iterdir())) == done  # nothing hidden either

    process = start(*arguments)
    assert process.stderr is not None
    assert f"{done:02}_a.png" in first_line(process), "photos that are done are skipped"
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "\n"
    assert "finishing" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert errors.endswith("photos are left; the same command goes on from here\n")
    assert all(read_photo(path).width == 64 for path in visible(out))
    plan = make_plan([many], out, Settings())
    assert {outcome.status for outcome in run_in_process(plan, colorizer)} == {"skipped", "done"}
    assert len(visible(out)) == 20


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_killed_at_random_moments(tmp_path: Path, weights: Path) -> None:
    _, difference = soak(tmp_path, kills=2, photos=5, size=(160, 120), weights=weights)
    assert difference <= 1


def test_odd_names_and_files_of_all_kinds(
    save_photo: Save,
    tmp_path: Path,
    in_process: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "in"
    for name in ("-dash.png", "two words.png", "two\nlines.png", "ü🎞.png"):
        save_photo(folder / name)
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("no photo")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")  # reading it would wait for ever
    (folder / "broken.png").symlink_to("nothing.png")
    assert main(["colorize", str(folder), "-o", str(tmp_path / "out")]) == 1
    printed, errors = capsys.readouterr()
    assert "4 done, 4 failed in " in printed
    failed = [line.partition(": ")[0] for line in errors.splitlines() if ".png: " in line]
    assert failed == [str(folder / name) for name in ("broken.png", "empty.png", "pipe.png")]
    assert f"{folder / 'text.jpg'}: the file is not a" in errors
    monkeypatch.chdir(folder)
    assert main(["colorize", "-o", str(tmp_path / "out2"), "--", "-dash.png"]) == 0
    assert [path.name for path in visible(tmp_path / "out2")] == ["-dash_a.png"]


def test_a_disk_that_takes_no_more(
    save_photo: Save, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """A limit on the size of files, in which one gray photo fits, stands in for a full disk."""
    out, photo = tmp_path / "out", tmp_path / "in" / "a.png"
    save_photo(photo)
    process = start(photo.parent, "-o", out, "--ext", "tiff", shell="ulimit -f 5")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    told = errors.splitlines()[0]
    assert told == f"{photo}: {out / 'a_a.tiff'}: the file cannot be written (File too large)"
    assert list(out.iterdir()) == []
