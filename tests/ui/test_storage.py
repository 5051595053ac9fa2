"""The page's folder: whose it is, what is removed from it and when, and how much it may hold."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from colorflow.errors import ColorflowError
from colorflow.ui import limits
from colorflow.ui.limits import FULL, VISITORS, DiskQuota, MemoryBudget, size_of
from colorflow.ui.server import FILES, LOCK, PREFIX, page_folder, sweep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX rights and locks")

HOUR = 3600.0


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def aged(path: Path, seconds: float) -> Path:
    path.touch()
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


# the folder


def test_it_is_private_and_gone_afterwards(temporary: Path) -> None:
    with page_folder() as files:
        (folder,) = temporary.iterdir()
        assert files == folder / FILES
        assert (files / VISITORS).is_dir()
        assert folder.stat().st_mode & 0o077 == 0
        (files / "photo.jpg").touch()
    assert list(temporary.iterdir()) == []


def test_no_room_is_one_sentence(temporary: Path) -> None:
    temporary.rmdir()
    with pytest.raises(ColorflowError, match="no folder for uploads can be made"), page_folder():
        pass


def test_what_a_killed_program_left_is_removed_and_what_a_living_one_has_is_not(
    temporary: Path,
) -> None:
    code = f"""
import tempfile
tempfile.tempdir = {str(temporary)!r}
from colorflow.ui.server import page_folder
with page_folder() as files:
    (files / "photo.jpg").touch()
    print(files, flush=True)
    input()
"""
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    paths = [Path(process.stdout.readline().strip()) for process in started if process.stdout]
    killed, alive = started
    killed.kill()
    killed.communicate()
    assert paths[0].exists()
    with page_folder() as files:
        assert not paths[0].parent.exists()
        assert (paths[1] / "photo.jpg").exists()
        assert set(temporary.iterdir()) == {files.parent, paths[1].parent}
    alive.communicate("\n", timeout=30)
    assert list(temporary.iterdir()) == []


def test_nothing_that_is_not_ours_is_removed(
    temporary: Path, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what another user has."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / LOCK).touch()
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    (temporary / f"{PREFIX}nolock").mkdir()
    (temporary / f"{PREFIX}file").touch()
    (temporary / "other").mkdir()
    (temporary / "other" / LOCK).touch()
    with page_folder() as files:
        lock = (files.parent / LOCK).read_bytes()
    for name, content in (("notes", b""), ("photos", b"\xff"), ("with", lock)):
        (temporary / f"{PREFIX}{name}").mkdir()
        (temporary / f"{PREFIX}{name}" / LOCK).write_bytes(content)
    (temporary / f"{PREFIX}with" / "mine.txt").touch()
    before = sorted(temporary.rglob("*"))
    with page_folder():
        pass
    assert (elsewhere / LOCK).exists()
    assert sorted(temporary.rglob("*")) == before
    (temporary / f"{PREFIX}with" / "mine.txt").unlink()
    own = os.getuid()
    for user, is_left in ((own + 1, True), (own, False)):
        monkeypatch.setattr(os, "getuid", lambda user=user: user)
        with page_folder():
            pass
        assert (temporary / f"{PREFIX}with").exists() == is_left


# what is removed while the page runs


def test_old_uploads_and_results_go_and_sessions_stay(tmp_path: Path) -> None:
    old, new = tmp_path / ("a" * 64), tmp_path / ("b" * 64)
    results, session = (tmp_path / VISITORS / name for name in ("api-1", "session-1"))
    for folder in (old, new, results, session):
        folder.mkdir(parents=True)
        aged(folder / "photo.jpg", HOUR + 60)
    half = aged(tmp_path / "tmp123", HOUR + 60)
    young, again = aged(tmp_path / "tmp456", HOUR - 60), aged(new / "again.jpg", 0)
    for folder in (old, new, results, session, tmp_path / VISITORS):
        aged(folder, HOUR + 60)
    sweep(tmp_path, HOUR)
    stays = again, young, session / "photo.jpg"
    assert [one for one in (old, results, half, *stays) if one.exists()] == list(stays)


# how much it may hold


class Clock:
    """Tells a time that tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_full_folder_is_one_sentence(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 20_000, clock=Clock())
    (tmp_path / "a").write_bytes(bytes(9_000))
    os.link(tmp_path / "a", tmp_path / "b")
    assert size_of(tmp_path) < 18_000, "a file with two names counts once"
    quota.check()
    (tmp_path / "c").write_bytes(bytes(20_000))
    with pytest.raises(ColorflowError, match=FULL), MemoryBudget(100, quota).reserve(1):
        pass


def test_a_disk_that_is_almost_full_is_one_sentence(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path)
    with pytest.raises(ColorflowError, match=FULL):
        quota.check(2**60)


def test_uploads_count_while_they_arrive_and_until_the_folder_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measuring takes a small part of the time."""
    clock, measured = Clock(), []

    def measure(_: Path) -> int:
        clock.now += 1
        measured.append(clock.now)
        return 50

    monkeypatch.setattr(limits, "size_of", measure)
    quota = DiskQuota(tmp_path, 100, clock=clock)
    quota.check(50)
    with pytest.raises(ColorflowError, match=FULL):
        quota.check(51)
    assert quota.takes(49)
    quota.check(1)
    assert not quota.takes(2)
    clock.now += 100
    quota.check()
    measured.clear()
    for _ in range(100):
        quota.check()
        clock.now += 1
    assert 4 <= len(measured) <= 7
