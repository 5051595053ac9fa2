"""What a terminal shows of a photo that takes long."""

from __future__ import annotations

import io
from pathlib import Path, PurePath

import pytest

from colorflow.batch import PhotoTask
from colorflow.cli.progress import LONG, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_photo_is_named_with_what_is_done_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, terminal = [0.0], Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    tasks = [
        PhotoTask(path=Path("in", name), folder=Path("out"), source=PurePath(name))
        for name in ("big\n.png", "small.png")
    ]
    progress = Progress(2, now=lambda: seconds[0])

    def drawn() -> str:
        terminal.truncate(0)
        progress.show()
        return terminal.getvalue()

    progress.tell(tasks[0], "reading")
    assert "big" not in drawn(), "it may be done soon"
    seconds[0] = LONG
    progress.tell(tasks[0], "enlarging, 30 %")
    progress.tell(tasks[1], "reading")
    assert "big\\n.png: enlarging, 30 %]" in drawn()
    seconds[0] = 2 * LONG
    progress.tell(tasks[0], None)
    assert "small.png: reading]" in drawn()
    progress.tell(tasks[1], None)
    assert "png" not in drawn()
    progress.bar.close()


@pytest.mark.parametrize("quiet", [False, True])
def test_a_file_and_who_wants_quiet_get_no_bar(
    quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = Terminal() if quiet else io.StringIO()
    monkeypatch.setattr("sys.stderr", printed)
    progress = Progress(2, quiet=quiet)
    with progress.shown():
        progress.show()
    assert not printed.getvalue()
