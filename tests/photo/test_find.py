"""Files and folders to a list of photos."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest
from PIL import Image

from colorflow.batch.find import find_inputs
from colorflow.errors import UnreadablePhotoError
from colorflow.photo import PHOTO_SUFFIXES, find_photos


@pytest.fixture
def album(tmp_path: Path) -> Path:
    names = ["b.jpg", "a.PNG", "notes.txt", "c/d.tiff", "c/e/f.webp", ".hidden/g.jpg", "._b.jpg"]
    for name in names:
        path = tmp_path / "album" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "album"


def found(album: Path, *paths: Path) -> list[str]:
    return [path.relative_to(album).as_posix() for path in find_photos(paths)]


def test_folders_are_sorted_and_files_are_taken_as_given_and_once(album: Path) -> None:
    assert found(album, album) == ["a.PNG", "b.jpg", "c/d.tiff", "c/e/f.webp"]
    given = [album / "notes.txt", album / "c", album / "b.jpg", album]
    assert found(album, *given) == ["notes.txt", "c/d.tiff", "c/e/f.webp", "b.jpg", "a.PNG"]


@pytest.mark.parametrize("inside", ["d.jpg", "folder"])
def test_a_link_that_leads_out_of_the_folder_is_refused_by_name(
    album: Path, tmp_path: Path, inside: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "private.jpg").touch()
    target = tmp_path / "elsewhere"
    (album / "c" / inside).symlink_to(target / "private.jpg" if inside == "d.jpg" else target)
    with pytest.raises(UnreadablePhotoError, match=f"{inside}: is a link that leads outside the"):
        find_photos([album])
    (tmp_path / "link").symlink_to(target)
    assert find_photos([tmp_path / "link"]) == [tmp_path / "link" / "private.jpg"]  # it is named


def test_the_command_and_everything_else_find_the_same_photos(album: Path) -> None:
    (album / "again.jpg").symlink_to("b.jpg")
    (album / "c" / "up").symlink_to(album)
    inputs = find_inputs([album], album.parent / "out", recursive=True)
    photos = find_photos([album])
    assert sorted(photo.path for photo in inputs.photos) == photos
    assert [photo.name for photo in photos] == ["a.PNG", "again.jpg", "b.jpg", "d.tiff", "f.webp"]


def test_what_is_not_there_is_told_when_it_is_listed_or_read(album: Path) -> None:
    (album / "c" / "broken.jpg").symlink_to(album / "nowhere.jpg")
    assert "c/broken.jpg" in found(album, album)
    with pytest.raises(UnreadablePhotoError, match=r"nowhere: there is no such file or folder"):
        find_photos([album, album / "nowhere"])


def test_a_folder_that_cannot_be_read_is_an_error(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = mock.Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    with pytest.raises(UnreadablePhotoError, match="the folder cannot be read"):
        find_photos([album])


def test_every_suffix_of_the_formats_that_are_read_is_found(tmp_path: Path) -> None:
    Image.init()
    read = ["JPEG", "MPO", "PNG", "TIFF", "WEBP", "GIF", "JPEG2000", "AVIF", "BMP", "DIB", "PPM"]
    expected = {suffix for suffix, name in Image.registered_extensions().items() if name in read}
    expected |= {".heic", ".heif", ".heics", ".heifs", ".hif"}  # those of pillow-heif
    expected -= {".pfm"}  # floats
    for suffix in expected:
        (tmp_path / f"p{suffix.upper()}").touch()
    assert {path.suffix.lower() for path in find_photos([tmp_path])} == expected <= PHOTO_SUFFIXES
    assert all(suffix == suffix.lower() for suffix in PHOTO_SUFFIXES)
