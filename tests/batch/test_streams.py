"""`-`: a photo from stdin, and its result, and nothing else, to stdout."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow.cli import main, places
from colorflow.photo import read_photo
from tests.batch.conftest import gray_pixels

Captured = pytest.CaptureFixture[bytes]
Send = Callable[[bytes], None]


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Send:
    """Puts bytes into stdin."""

    def send(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return send


@pytest.mark.parametrize(("name", "format"), [("a.jpg", "JPEG"), ("b.png", "PNG")])
def test_a_photo_goes_through(
    name: str,
    format: str,
    album: Path,
    tmp_path: Path,
    in_process: None,
    send: Send,
    capsysbinary: Captured,
) -> None:
    """With the result of the same file by name, and all messages in stderr."""
    assert main(["colorize", str(album / name), "-o", str(tmp_path / "out")]) == 0
    (by_name,) = (tmp_path / "out").iterdir()
    capsysbinary.readouterr()
    send((album / name).read_bytes())
    report = tmp_path / "r.json"
    assert main(["colorize", "-", "-o", "-", "--report", str(report)]) == 0
    result, messages = capsysbinary.readouterr()
    assert result == by_name.read_bytes()
    assert Image.open(io.BytesIO(result)).format == format
    assert b"stdin -> stdout (" in messages
    assert b"1 done in " in messages
    content = json.loads(report.read_text())
    assert [one["path"] for one in content["files"]] == ["stdin"]
    assert "colorflow-" not in report.read_text().replace("colorflow-cinn", "")


def test_a_file_to_stdout_and_stdin_to_a_folder(
    album: Path, tmp_path: Path, in_process: None, send: Send, capsysbinary: Captured
) -> None:
    assert main(["enlarge", str(album / "a.jpg"), "-o", "-", "--ext", "webp", "-q"]) == 0
    result, messages = capsysbinary.readouterr()
    assert messages == b""
    with Image.open(io.BytesIO(result)) as image:
        assert (image.format, image.size) == ("WEBP", (128, 96))
    send((album / "a.jpg").read_bytes())
    assert main(["colorize", "-", str(album / "b.png"), "-o", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b_a.png", "stdin_a.jpg"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "stdin: the file is empty"),
        (b"no photo", "stdin: the file is not a JPEG"),
        (b"\xff\xd8\xff\xe0 cut", "stdin: the picture is damaged, incomplete"),
    ],
)
def test_a_bad_photo_gives_nothing(
    content: bytes, said: str, in_process: None, send: Send, capsysbinary: Captured
) -> None:
    send(content)
    assert main(["colorize", "-", "-o", "-", "-q"]) == 1
    result, messages = capsysbinary.readouterr()
    assert result == b""
    first, second = messages.decode().splitlines()
    assert first.startswith(said)
    assert second == "colorflow: nothing is written to stdout, since there is no result"


def test_a_photo_that_is_left_alone_is_no_success(
    tmp_path: Path, in_process: None, capsysbinary: Captured
) -> None:
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "a.png")
    assert main(["colorize", str(tmp_path / "a.png"), "-o", "-"]) == 1
    result, messages = capsysbinary.readouterr()
    assert result == b""
    assert b"a.png: already has colors; --treat-as-gray with its name" in messages


def test_stdin_is_bounded(
    monkeypatch: pytest.MonkeyPatch, send: Send, capsysbinary: Captured
) -> None:
    monkeypatch.setattr(places, "LARGEST_PHOTO", 2**21)
    send(bytes(2**21 + 1))
    assert main(["colorize", "-", "-o", "out"]) == 1
    assert b"stdin: has more than 0.00195 GB" in capsysbinary.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-", "-", "-o", "out"], "stdin holds one photo"),
        (["-", "a.jpg", "-o", "-"], "stdout takes one result of one photo, not 1 of each of 2"),
        (["-", "-o", "-", "-n", "2"], "stdout takes one result of one photo, not 2 of each of 1"),
        (["-", "-o", "-", "--contact-sheet", "s.html"], "--contact-sheet: links to results"),
        (["-", "-o", "-", "--report", "/dev/null"], "--report: name a file, since stdout gets the"),
        (["-", "-o", "out", "--engine", "ray"], "ray takes folders, not zips and streams"),
    ],
)
def test_what_does_not_go_together(
    arguments: list[str], said: str, album: Path, send: Send, capsysbinary: Captured
) -> None:
    send((album / "a.jpg").read_bytes())
    assert main(["colorize", *arguments]) == 2
    result, messages = capsysbinary.readouterr()
    assert said in messages.decode()
    assert messages.count(b"\n") == 1
    assert result == b""


def test_pages_from_stdin_need_a_folder(
    tmp_path: Path, in_process: None, send: Send, capsysbinary: Captured
) -> None:
    page = Image.fromarray(gray_pixels())
    buffer = io.BytesIO()
    page.save(buffer, "TIFF", save_all=True, append_images=[page.rotate(180)])
    send(buffer.getvalue())
    assert main(["colorize", "-", "-o", "-"]) == 2
    assert b"not 1 of each of 2" in capsysbinary.readouterr().err
    send(buffer.getvalue())
    assert main(["colorize", "-", "-o", str(tmp_path / "out")]) == 0
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == ["stdin_a.png", "stdin_p2_a.png"]


@pytest.mark.slow
def test_a_shell_pipes_it(album: Path, tmp_path: Path, weights: Path) -> None:
    command = [sys.executable, "-m", "colorflow.cli", "colorize", "-", "-o", "-"]
    done = subprocess.run(
        [*command, "--weights", str(weights)],
        input=(album / "a.jpg").read_bytes(),
        capture_output=True,
        check=True,
    )
    (tmp_path / "result.jpg").write_bytes(done.stdout)
    assert np.ptp(read_photo(tmp_path / "result.jpg").pixels, axis=-1).max() > 0
    assert b"stdin -> stdout (" in done.stderr
