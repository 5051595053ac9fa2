"""The page's folder: whose it is, what is removed from it and when."""

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
from colorflow.ui.storage import FILES, LOCK, PREFIX, VISITORS, page_folder, sweep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX rights and locks")

HOUR = 3600.0


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
    with page_folder():
        pass
    assert (elsewhere / LOCK).exists()
    assert sorted(path.name for path in temporary.iterdir()) == sorted(
        ["other", f"{PREFIX}file", f"{PREFIX}link", f"{PREFIX}nolock"]
    )


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
    empty = aged(_touched(tmp_path / "tmp456"), 400)
    begun = aged(_touched(tmp_path / "tmp789"), 200)
    again = _touched(new / "again.jpg")
    for folder in (old, new, results, visitor, ada, nobody, tmp_path / VISITORS):
        aged(folder, HOUR + 60)
    sweep(tmp_path, HOUR)
    assert not old.exists()
    assert not results.exists()
    assert not half.exists()
    assert not empty.exists()
    assert begun.exists()
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
