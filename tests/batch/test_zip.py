"""`colorflow colorize album.zip`: what is in a zip, and zips that are refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from colorflow.cli import main
from tests.batch.results import Printed, names

RESULTS = ["a_a.jpg", "b_a.png", "inner/c_a.jpg"]


@pytest.fixture
def album_zip(album: Path, tmp_path: Path) -> Path:
    """The album, a text, and a photo that is damaged in the archive, zipped by another tool."""
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        for path in sorted(album.rglob("*.*")):
            archive.write(path, path.relative_to(album))
        archive.writestr("notes.txt", "to whom it may concern")
    return tmp_path / "album.zip"


def changed(archive: Path, name: str, offset: int = 200) -> None:
    """Flip a bit of a file in an archive, that many bytes after the begin of its header."""
    with zipfile.ZipFile(archive) as source:
        start = source.getinfo(name).header_offset + offset
    content = bytearray(archive.read_bytes())
    content[start] ^= 1
    archive.write_bytes(content)


def test_what_is_in_a_zip_has_the_names_of_the_zip(
    album_zip: Path, tmp_path: Path, in_process: None, capsys: Printed
) -> None:
    out, report, sheet = tmp_path / "out", tmp_path / "r.json", tmp_path / "sheet.html"
    changed(album_zip, "b.png")
    command = ["colorize", str(album_zip), "-o", str(out), "--contact-sheet", str(sheet)]
    assert main([*command, "--report", str(report)]) == 1
    printed, errors = capsys.readouterr()
    assert f"{album_zip}/inner/c.jpg -> {out}/inner/c_a.jpg (" in printed
    assert f"{album_zip}/b.png: it is damaged in the archive; make the archive anew" in errors
    assert f"1 file was left out, not named like photos: {album_zip}/notes.txt" in errors
    assert names(out) == ["a_a.jpg", "inner/c_a.jpg"]
    assert f"<h2>{album_zip}/inner/c.jpg</h2>" in sheet.read_text()
    assert {one["path"] for one in json.loads(report.read_text())["files"]} == {
        f"{album_zip}/{name}" for name in ("a.jpg", "b.png", "inner/c.jpg")
    }
    assert "colorflow-" not in report.read_text()
    assert main(command) == 1
    assert "1 failed, 2 skipped in " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK no zip", "is no zip archive, or damaged or incomplete"),
        ({"a.txt": b"x", "b.zip": b"PK\3\4"}, "the zip holds no photos"),
    ],
)
def test_a_bad_zip_costs_itself_alone(
    content: bytes | dict[str, bytes],
    said: str,
    album: Path,
    tmp_path: Path,
    in_process: None,
    capsys: Printed,
) -> None:
    bad = tmp_path / "bad.zip"
    if isinstance(content, bytes):
        bad.write_bytes(content)
    else:
        with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in content.items():
                archive.writestr(name, data)
    assert main(["colorize", str(bad), str(album / "a.jpg"), "-o", str(tmp_path / "out")]) == 1
    printed, errors = capsys.readouterr()
    assert "1 done, 1 failed in " in printed
    assert errors.splitlines()[-1].startswith(f"{bad}: {said}")
