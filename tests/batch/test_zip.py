"""`colorflow colorize album.zip -o out.zip`: zips in and out, continued, and never in the way."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from colorflow import batch
from colorflow.batch import run_in_process
from colorflow.cli import main
from colorflow.colorizer import Colorizer
from colorflow.photo import read_photo
from tests.batch.results import names

Save = Callable[..., Path]
Printed = pytest.CaptureFixture[str]
RESULTS = ["a_a.jpg", "b_a.png", "inner/c_a.jpg"]


@pytest.fixture
def album_zip(album: Path, tmp_path: Path) -> Path:
    """The album, a text, and a photo that is damaged in the archive, zipped by another tool."""
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        for path in sorted(album.rglob("*.*")):
            archive.write(path, path.relative_to(album))
        archive.writestr("notes.txt", "to whom it may concern")
    return tmp_path / "album.zip"


def packed(archive: Path) -> list[str]:
    """The names in a zip whose files are as their checksums say, by another reader than ours."""
    with zipfile.ZipFile(archive) as source:
        assert source.testzip() is None
        return sorted(source.namelist())


def changed(archive: Path, name: str, offset: int = 200) -> None:
    """Flip a bit of a file in an archive, that many bytes after the begin of its header."""
    with zipfile.ZipFile(archive) as source:
        start = source.getinfo(name).header_offset + offset
    content = bytearray(archive.read_bytes())
    content[start] ^= 1
    archive.write_bytes(content)


def test_a_zip_becomes_a_zip(
    album_zip: Path, tmp_path: Path, in_process: None, capsys: Printed
) -> None:
    out, report = tmp_path / "new" / "out.zip", tmp_path / "r.json"
    changed(album_zip, "b.png")
    command = ["colorize", str(album_zip), "-o", str(out), "--contact-sheet", "sheet.html"]
    assert main([*command, "--report", str(report)]) == 1
    printed, errors = capsys.readouterr()
    assert f"{album_zip}/inner/c.jpg -> {out}/inner/c_a.jpg (" in printed
    assert f"{out}: 3 files" in printed.splitlines()
    assert f"{album_zip}/b.png: it is damaged in the archive; make the archive anew" in errors
    assert f"1 file was left out, not named like photos: {album_zip}/notes.txt" in errors
    assert packed(out) == ["a_a.jpg", "inner/c_a.jpg", "sheet.html"]
    with zipfile.ZipFile(out) as archive:
        page = archive.read("sheet.html").decode()
        (tmp_path / "a.jpg").write_bytes(archive.read("a_a.jpg"))
    assert 'href="inner/c_a.jpg"' in page
    assert f"<h2>{album_zip}/inner/c.jpg</h2>" in page
    assert read_photo(tmp_path / "a.jpg").pixels.shape == (48, 64, 3)
    content = json.loads(report.read_text())
    assert content["output"] == str(out)
    assert {one["path"] for one in content["files"]} == {
        f"{album_zip}/{name}" for name in ("a.jpg", "b.png", "inner/c.jpg")
    }
    assert "colorflow-" not in report.read_text()
    assert [path.name for path in out.parent.iterdir()] == ["out.zip"]


def test_a_zip_of_earlier_results_stays_unless_asked(
    album_zip: Path, tmp_path: Path, in_process: None, capsys: Printed
) -> None:
    out = tmp_path / "out.zip"
    command = ["colorize", str(album_zip), "-o", str(out)]
    assert main(command) == 0
    before = out.read_bytes()
    for option in ([], ["--dry-run"]):
        assert main([*command, *option]) == 1
        said = f"colorflow: {out}: is there already; --overwrite makes it anew"
        assert said in capsys.readouterr().err
    assert out.read_bytes() == before
    assert main([*command, "--overwrite", "--samples"]) == 0
    assert packed(out) == [name.replace("_a.", "_s0.") for name in RESULTS]
    assert not (tmp_path / "out.zip.unfinished").exists()


def test_an_interrupted_run_leaves_a_folder_where_the_next_one_goes_on(
    album_zip: Path,
    tmp_path: Path,
    weights: Path,
    colorizer: Colorizer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Printed,
) -> None:
    out, folder = tmp_path / "out.zip", tmp_path / "out.zip.unfinished"
    command = ["colorize", str(album_zip), "-o", str(out), "--weights", str(weights)]

    def run_one(plan: batch.Plan, stop: threading.Event, **_: Any) -> Any:
        for number, outcome in enumerate(run_in_process(plan, colorizer)):
            yield outcome
            if not number:
                stop.set()
                return

    monkeypatch.setattr(batch, "run", run_one)
    assert main(command) == 130
    said = f"{out}: not written yet; the results so far are in {folder}"
    assert said in capsys.readouterr().err.splitlines()
    assert not out.exists()
    assert [name for name in names(folder) if not name.startswith(".")] == RESULTS[:1]
    (folder / ".colorflow-0123456789abcdef.tmp").write_bytes(b"of a run that was killed")
    monkeypatch.setattr(batch, "run", lambda plan, **_: run_in_process(plan, colorizer))
    assert main(command) == 0
    assert "2 done, 1 skipped in " in capsys.readouterr().out
    assert packed(out) == RESULTS
    assert not folder.exists()


@pytest.mark.parametrize("is_link", [False, True])
def test_what_colorflow_did_not_make_stays_where_it_is(
    is_link: bool, album: Path, tmp_path: Path, in_process: None, capsys: Printed
) -> None:
    photos, folder = tmp_path / "photos", tmp_path / "out.zip.unfinished"
    (photos / "empty").mkdir(parents=True)
    (photos / "mine.jpg").write_bytes((album / "a.jpg").read_bytes())
    if is_link:
        folder.symlink_to(photos)
    else:
        photos.rename(folder)
    before = names(folder)
    assert main(["colorize", str(album), "-o", str(tmp_path / "out.zip")]) == 0
    assert f"{folder}: holds something else, which is not in the zip" in capsys.readouterr().err
    assert packed(tmp_path / "out.zip") == RESULTS[:2]
    assert names(folder) == before
    assert (folder / "empty").is_dir()
    assert folder.is_symlink() == is_link


def test_another_zip_is_never_replaced(
    album_zip: Path, tmp_path: Path, in_process: None, capsys: Printed
) -> None:
    before = album_zip.read_bytes()
    other = tmp_path / "other.zip"
    other.write_bytes(before)
    for target in (other, album_zip):
        command = ["colorize", str(album_zip), "-o", str(target), "--overwrite"]
        assert main(command) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"colorflow: {target}: ")
        assert said.count("\n") == 1
        assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("*.zip*")) == ["album.zip", "other.zip"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK no zip", "is no zip archive, or damaged or incomplete"),
        ({"../a.jpg": b"x"}, "has a name that no folder takes"),
        ({"a.txt": b"x"}, "the zip holds no photos"),
        (
            {"a.jpg": bytes(10**7)},
            "grows so much when it is unpacked",
        ),
        ({"b.zip": b"PK\3\4"}, "the zip holds no photos"),
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


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["album.zip", "-o", "out", "--engine", "ray"], 2, "ray takes folders, not zips"),
        (["a.jpg", "-o", "out.zip", "--contact-sheet", "x/s.html"], 1, "give its name alone"),
    ],
)
def test_what_does_not_go_with_a_zip(
    arguments: list[str], code: int, said: str, in_process: None, capsys: Printed
) -> None:
    assert main(["colorize", *arguments]) == code
    assert said in capsys.readouterr().err
