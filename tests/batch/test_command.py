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
from colorflow.photo import read_photo

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

Save = Callable[..., Path]


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


@pytest.fixture
def many(save_photo: Save, tmp_path: Path) -> Path:
    for number in range(40):
        save_photo(tmp_path / "many" / f"{number:02}.png", number)
    return tmp_path / "many"


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def test_ctrl_c_finishes_the_photo_in_hand_and_the_same_command_goes_on(
    many: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    out, report = tmp_path / "out", tmp_path / "r.json"
    arguments = (many, "-o", out, "--workers", "1", "--report", report)
    process = start(*arguments)
    assert "00_a.png" in first_line(process)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    content = json.loads(report.read_text())
    done, left = content["counts"]["done"], len(content["not_reached"])
    assert done + left == 40
    assert left > 0
    assert f"{done} done, {left} left in " in printed
    assert errors.split("\n") == [
        "",
        "colorflow: finishing the photos in hand; Ctrl-C again stops at once",
        f"colorflow: stopped, {left} photos are left; the same command goes on from here",
        "",
    ]
    assert len(list(out.iterdir())) == done  # nothing hidden either
    printed, errors = start(*arguments).communicate(timeout=300)
    assert f"{left} done, {done} skipped in " in printed
    assert errors == ""
    assert all(read_photo(path).width == 64 for path in visible(out))
    assert len(visible(out)) == 40


def test_a_second_ctrl_c_stops_at_once(
    many: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start(many, "-o", tmp_path / "out", "--workers", "1")
    assert process.stderr is not None
    first_line(process)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "\n"
    assert "finishing" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert errors.endswith("photos are left; the same command goes on from here\n")
    assert all(read_photo(path).width == 64 for path in visible(tmp_path / "out"))


def test_two_runs_at_once_on_one_folder(
    many: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    first = start(many, "-o", tmp_path / "out", "--workers", "1")
    first_line(first)
    second = start(many, "-o", tmp_path / "out", "--workers", "1", "--report", tmp_path / "r.json")
    printed, errors = second.communicate(timeout=120)
    assert second.returncode == 1
    assert printed == ""
    assert errors == (
        f"colorflow: {tmp_path / 'out'}: another run of colorflow is writing to this folder; "
        "wait until it has ended, or choose another folder\n"
    )
    assert not (tmp_path / "r.json").exists()
    printed, errors = first.communicate(timeout=300)
    assert (first.returncode, errors) == (0, "")
    assert len(visible(tmp_path / "out")) == 40


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_killed_at_random_moments(tmp_path: Path, weights: Path) -> None:
    outcome = soak(tmp_path, kills=2, photos=8, size=(160, 120), weights=weights)
    assert outcome.kills == 2
    assert outcome.largest_difference <= 1


def test_odd_names_and_files_of_all_kinds(
    save_photo: Save, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    folder = tmp_path / "in"
    for name in ("-dash.png", "two words.png", "two\nlines.png", "ü🎞.png"):
        save_photo(folder / name)
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("no photo")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")  # reading it would wait for ever
    (folder / "broken.png").symlink_to("nothing.png")
    process = start(folder, "-o", tmp_path / "out", "--workers", "1")
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "4 done, 4 failed in " in printed
    assert "Traceback" not in errors
    failed = [line.partition(": ")[0] for line in errors.splitlines() if ".png: " in line]
    assert failed == [str(folder / name) for name in ("broken.png", "empty.png", "pipe.png")]
    assert f"{folder / 'text.jpg'}: the file is not a" in errors
    process = start("-o", tmp_path / "out2", "--", "-dash.png", shell=f"cd '{folder}'")
    printed, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert [path.name for path in visible(tmp_path / "out2")] == ["-dash_a.png"]


def test_a_disk_that_takes_no_more(
    many: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """A limit on the size of files, in which a gray photo fits, stands in for a full disk."""
    out = tmp_path / "out"
    inputs = sorted(many.iterdir())[:3]
    process = start(*inputs, "-o", out, "--ext", "tiff", "--workers", "1", shell="ulimit -f 5")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    reason = f"{out / '00_a.tiff'}: the file cannot be written (File too large)"
    assert errors.splitlines()[0] == f"{inputs[0]}: {reason}"
    assert list(out.iterdir()) == []


def test_a_limit_of_files_below_the_size_of_a_photo_is_told(
    many: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    photo = min(many.iterdir())
    process = start(photo, "-o", tmp_path / "out", shell="ulimit -f 1")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors.splitlines()[0].startswith(f"{photo}: it has more pixels than a file may have")
