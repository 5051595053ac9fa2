"""Options of `colorflow app`: what they mean, and that wrong ones are wrong usage."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.page_server import free_port
from colorflow import ui
from colorflow.cli import main
from colorflow.photo import DEFAULT_MAX_PIXELS
from colorflow.ui.limits import Limits
from colorflow.ui.server import serve
from tests.ui.fake_colorizer import FakeColorizer

PASSWORD = "correct: horse"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the server is started with."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(ui, "serve", lambda **options: given.update(options))
    return given


def accounts_file(folder: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path = folder / "accounts.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The line that a wrong use prints."""
    assert main(["app", *arguments]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    return said


def test_without_options_everybody_may_come_and_the_limits_are_the_usual_ones(
    served: dict[str, Any],
) -> None:
    assert main(["app"]) == 0
    assert served["accounts"] is None
    assert served["limits"] == Limits()
    assert served["limits"].pixels < DEFAULT_MAX_PIXELS
    assert served["allowed_hosts"] == ()
    assert (served["host"], served["port"]) == ("127.0.0.1", 7860)
    assert set(served) == set(inspect.signature(serve).parameters)


def test_options_are_passed_on(served: dict[str, Any]) -> None:
    given = f"--host 0.0.0.0 --port 8000 --weights {__file__} --photos . --quiz-db a.db"
    given += " --allowed-host a.example --allowed-host b.example"
    given += " --max-file-size 5 --max-pixels 1.5 --queue 3 --max-stored 90"
    assert main(["app", *given.split()]) == 0
    assert served == {
        "host": "0.0.0.0",
        "port": 8000,
        "weights": Path(__file__),
        "photos": Path(),
        "quiz_db": Path("a.db"),
        "accounts": None,
        "allowed_hosts": ("a.example", "b.example"),
        "limits": Limits(megabytes=5, megapixels=1.5, waiting=3, stored_megabytes=90),
    }
    assert served["limits"].pixels == 1_500_000


@pytest.mark.parametrize(
    "option",
    [
        *("--max-file-size=0", f"--max-file-size={'1' * 30}", "--max-pixels=nan"),
        *("--max-pixels=1e-9", "--max-pixels=1e9", "--max-stored=0", "--queue="),
        *("--port=65536", "--port=http"),
    ],
)
def test_wrong_limits_are_wrong_usage(
    option: str, capsys: pytest.CaptureFixture[str], served: dict[str, Any]
) -> None:
    assert f"Invalid value for '{option.partition('=')[0]}': " in refused(capsys, option)
    assert not served


def test_accounts(served: dict[str, Any], tmp_path: Path) -> None:
    content = f"\ufeffada:{PASSWORD}\n\n  bob : z \r\nzoë:naïve"
    main(["app", "--auth", str(accounts_file(tmp_path, content))])
    assert served["accounts"] == {"ada": PASSWORD, "bob": " z ", "zoë": "naïve"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds no line with user:password"),
        ("\n \n", "holds no line with user:password"),
        (f"ada:{PASSWORD}\nbob", "line 2: expected user:password"),
        ("bob:", "line 1: expected user:password"),
        (f":{PASSWORD}", "line 1: expected user:password"),
        (f"ada:{PASSWORD}\nada:other", "line 2: 'ada' is there already"),
        (b"\xff\xfe\x00a", "it is not UTF-8 text"),
    ],
)
def test_what_is_no_accounts_file_is_wrong_usage(
    content: str | bytes,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    served: dict[str, Any],
) -> None:
    path = accounts_file(tmp_path, content)
    said = refused(capsys, "--auth", str(path))
    assert str(path) in said
    assert words in said
    assert PASSWORD not in said
    assert not served


@pytest.mark.parametrize("name", ["missing.txt", ".", "a\0b"])
def test_an_accounts_file_that_cannot_be_read(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "cannot be read" in refused(capsys, "--auth", f"{tmp_path}/{name}")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX rights")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_passwords_that_others_may_read_are_refused(
    mode: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], served: dict[str, Any]
) -> None:
    path = accounts_file(tmp_path, f"ada:{PASSWORD}", mode)
    said = refused(capsys, "--auth", str(path))
    assert "other users of this machine may read" in said
    assert f"chmod 600 {path}" in said
    path.chmod(0o400)
    main(["app", "--auth", str(path)])
    assert served["accounts"] == {"ada": PASSWORD}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--quiz-db", "", "--quiz-db"),
        ("--max-stored", "199", "--max-stored is 199 MB"),  # files have up to 200 MB
    ],
)
def test_options_that_cannot_work_are_one_line(
    option: str,
    value: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("colorflow.colorizer.Colorizer", FakeColorizer)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    value = value if value.isdecimal() else str(tmp_path / value)
    assert main(["app", "--port", f"{free_port()}", option, value]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("colorflow: ")
    assert message in line
