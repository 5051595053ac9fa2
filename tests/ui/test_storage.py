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
from colorflow.ui import storage
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.storage import (
    FILES,
    FULL,
    LOCK,
    PREFIX,
    VISITORS,
    DiskQuota,
    page_folder,
    size_of,
    sweep,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX rights and locks")

HOUR = 3600.0
KIB = 1024


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def aged(path: Path, seconds: float) -> Path:
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


def test_it_is_gone_after_an_error(temporary: Path) -> None:
    with pytest.raises(KeyError), page_folder():
        raise KeyError
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
from colorflow.ui.storage import page_folder
with page_folder() as files:
    (files / "photo.jpg").touch()
    print(files, flush=True)
    input()
"""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    paths = []
    for process in started:
        assert process.stdout
        paths.append(Path(process.stdout.readline().strip()))
    killed, alive = started
    killed.kill()
    killed.communicate()
    assert paths[0].exists()
    with page_folder() as files:
        assert not paths[0].parent.exists()
        assert (paths[1] / "photo.jpg").exists()
        assert {path.name for path in temporary.iterdir()} == {
            files.parent.name,
            paths[1].parent.name,
        }
    alive.communicate("\n", timeout=30)
    assert list(temporary.iterdir()) == []


def test_nothing_that_is_not_ours_is_removed(temporary: Path, tmp_path_factory: Any) -> None:
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


def test_a_folder_of_another_user_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = temporary / f"{PREFIX}other"
    folder.mkdir()
    (folder / LOCK).touch()
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    with page_folder():
        pass
    assert folder.exists()


# what is removed while the page runs


def test_old_uploads_and_results_go_and_visitors_stay(tmp_path: Path) -> None:
    old, new = tmp_path / ("a" * 64), tmp_path / ("b" * 64)
    ada = tmp_path / VISITORS / "ada"
    results, visitor = ada / "api-1", ada / "session-1"
    nobody, newcomer = tmp_path / VISITORS / "bob", tmp_path / VISITORS / "eve"
    for folder in (old, new, results, visitor):
        folder.mkdir(parents=True)
        aged(_touched(folder / "photo.jpg"), HOUR + 60)
    nobody.mkdir()
    newcomer.mkdir()
    half = aged(_touched(tmp_path / "tmp123"), HOUR + 60)
    again = _touched(new / "again.jpg")
    for folder in (old, new, results, visitor, ada, nobody, tmp_path / VISITORS):
        aged(folder, HOUR + 60)
    sweep(tmp_path, HOUR)
    assert not old.exists()
    assert not results.exists()
    assert not half.exists()
    assert again.exists()
    assert (visitor / "photo.jpg").exists()
    assert not nobody.exists()
    assert newcomer.exists(), "it is about to be used"


def test_what_is_young_stays(tmp_path: Path) -> None:
    young = tmp_path / "tmp123"
    young.write_bytes(b"half")
    aged(young, HOUR - 60)
    sweep(tmp_path, HOUR)
    assert young.exists()


def _touched(path: Path) -> Path:
    path.touch()
    return path


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


def test_small_files_count_by_what_they_take_on_the_disk(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}").write_bytes(b"1")
    assert size_of(tmp_path) >= 10 * 4096
    (tmp_path / "empty").touch()
    assert size_of(tmp_path) >= 11 * 4096


def test_a_disk_that_is_almost_full_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ColorflowError, match=FULL):
        DiskQuota(tmp_path).check(2**60)


def test_measuring_takes_a_small_part_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, measured = Clock(), []

    def measure(_: Path, *, apart: bool) -> int:
        if not apart:
            clock.now += 1
            measured.append(clock.now)
        return 0 if apart else 50

    monkeypatch.setattr(storage, "size_of", measure)
    quota = DiskQuota(tmp_path, 100, clock=clock)
    quota.check(50)
    upload(quota, "ada", 20)
    quota.check(30)
    with pytest.raises(ColorflowError, match=FULL):
        quota.check(31)
    clock.now += 100
    quota.check(50)
    measured.clear()
    for _ in range(100):
        quota.check()
        clock.now += 1
    assert 4 <= len(measured) <= 7


def upload(quota: DiskQuota, visitor: str, size: int, path: Path | None = None) -> None:
    """Send bytes in two pieces, without saying how many; they are written to a file."""
    quota.check(0, visitor)
    quota.arrived(visitor, size - size // 2)
    quota.arrived(visitor, size // 2)
    if path:
        path.write_bytes(bytes(size))


def test_a_visitor_may_have_as_much_as_is_left_for_others(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 80 * KIB, clock=Clock())
    upload(quota, "ada", 30 * KIB, tmp_path / "1")
    with pytest.raises(ColorflowError, match="as much as one visitor may: 0 MB are yours"):
        quota.check(11 * KIB, "ada")
    upload(quota, "ada", 10 * KIB, tmp_path / "2")
    upload(quota, "bob", 20 * KIB, tmp_path / "3")
    with pytest.raises(ColorflowError, match="as one visitor may"):
        upload(quota, "bob", 1 * KIB)
    upload(quota, "eve", 9 * KIB, tmp_path / "4")
    with pytest.raises(ColorflowError, match=FULL):
        quota.check(12 * KIB)


def test_bytes_count_while_they_arrive_whatever_becomes_of_them(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 80 * KIB, clock=Clock())
    upload(quota, "ada", 30 * KIB, tmp_path / "whole")
    with pytest.raises(ColorflowError, match="as one visitor may"):
        upload(quota, "ada", 21 * KIB, tmp_path / "half")
    (tmp_path / "whole").unlink()
    with pytest.raises(ColorflowError, match="as one visitor may"):
        quota.check(40 * KIB, "ada")
    quota.check(40 * KIB, "bob")


def test_uploads_count_for_an_hour(tmp_path: Path) -> None:
    clock = Clock()
    quota = DiskQuota(tmp_path, 8 * KIB, clock=clock)
    upload(quota, "ada", 4 * KIB, tmp_path / "old")
    clock.now = 3500
    with pytest.raises(ColorflowError):
        upload(quota, "ada", 1)
    (tmp_path / "old").unlink()
    clock.now = 3800
    upload(quota, "ada", 3 * KIB)


def test_tiny_uploads_count_by_what_they_take_on_the_disk(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 2**20, clock=Clock())
    quota.arrived("ada", 0, files=60)
    with pytest.raises(ColorflowError, match="as one visitor may: 1 MB are yours"):
        quota.arrived("ada", 0, files=60)


def test_results_count_for_their_visitor_alone(tmp_path: Path) -> None:
    clock, at_work = Clock(), ["ada"]
    (tmp_path / VISITORS).mkdir()
    quota = DiskQuota(tmp_path, 200 * KIB, at_work=lambda: at_work[0], clock=clock)
    folder = quota.folder_at_work(tmp_path / VISITORS)
    assert folder.parent == tmp_path / VISITORS
    (folder / "result.png").write_bytes(bytes(90 * KIB))
    clock.now = 1
    with pytest.raises(ColorflowError, match="as one visitor may"):
        quota.check(10 * KIB)
    at_work[0] = "bob"
    assert quota.folder_at_work(tmp_path / VISITORS) != folder
    quota.check(10 * KIB)
    (folder / "result.png").unlink()
    at_work[0], clock.now = "ada", 2
    quota.check(50 * KIB)


def test_nobody_s_work_is_in_no_visitor_s_folder(tmp_path: Path) -> None:
    assert DiskQuota(tmp_path).folder_at_work(tmp_path) == tmp_path


def test_an_upload_that_is_open_in_a_tab_counts_once(tmp_path: Path) -> None:
    clock = Clock()
    (tmp_path / VISITORS).mkdir()
    quota = DiskQuota(tmp_path, 200 * KIB, at_work=lambda: "ada", clock=clock)
    upload_, own = tmp_path / "upload", quota.folder_at_work(tmp_path / VISITORS)
    upload_.write_bytes(bytes(60 * KIB))
    upload(quota, "ada", 60 * KIB)
    os.link(upload_, own / "photo")
    os.link(upload_, own / "photo of another tab")
    clock.now = 1
    quota.check(30 * KIB)
    upload_.unlink()  # after an hour
    assert size_of(own, apart=True) == 60 * KIB
