"""Bad input: one PhotoError that names the file and the reason, whatever the file holds."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image, ImageFile

from benchmarks.damaged_files import by_pillow, corpus
from colorflow.errors import UnreadablePhotoError
from colorflow.photo import read_photo
from colorflow.photo.exif import DAMAGE
from tests.photo.conftest import Saved

KINDS = "not a JPEG, PNG, TIFF, WebP, GIF, JPEG 2000, AVIF, HEIC, BMP or PNM picture"


FILES = {
    name: content
    for name, content in corpus((96, 64)).items()
    if name != "PNM text" and not name.startswith(("TIFF pages", "TIFF old"))
}
TRAILER = {"PNG": 24, "PNG animated": 1 << 20, "GIF": 4, "GIF animated": 1 << 20}
"""Bytes after the last pixel, CRC included, that a complete picture can do without."""
SAMPLE_FORMAT = 8
"""Bytes of the tag SampleFormat, which OpenCV writes last; it often has its default value."""


@pytest.mark.parametrize("kind", FILES)
def test_a_truncated_file_is_an_error_and_not_a_half_picture(saved: Saved, kind: str) -> None:
    content = FILES[kind]
    whole = read_photo(saved(content, "whole")).pixels
    trailer = TRAILER.get(kind, TRAILER.get(kind.split()[0], SAMPLE_FORMAT if "LZW" in kind else 0))
    step = max(1, len(content) // 9)
    cuts = {*range(1, len(content), step), *range(max(1, len(content) - 30), len(content), 3)}
    for cut in sorted(cuts):
        path = saved(content[:cut], "cut.jpg")
        with contextlib.suppress(UnreadablePhotoError):
            np.testing.assert_array_equal(read_photo(path).pixels, whole)
            assert len(content) - cut <= trailer


def test_a_large_jpeg_cut_at_pillows_block_size_is_an_error(saved: Saved) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3)).astype(np.uint8)
    for progressive in (False, True):
        content = by_pillow(Image.fromarray(noise), "JPEG", progressive=progressive)
        assert len(content) > 3 * 65536
        for cut in (65536, 65537, 131072, len(content) - 2):
            with pytest.raises(UnreadablePhotoError, match="damaged, incomplete, or of a kind"):
                read_photo(saved(content[:cut], "cut.jpg"))


@pytest.mark.parametrize("kind", DAMAGE)
def test_whatever_pillow_raises_becomes_our_error(
    saved: Saved, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    fault = kind("broken\ndata stream")
    monkeypatch.setattr(ImageFile.ImageFile, "load", mock.Mock(side_effect=fault))
    path = saved(FILES["PNG"], "photo.png")
    with pytest.raises(UnreadablePhotoError, match="damaged, incomplete, or of a kind") as caught:
        read_photo(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is fault


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n", KINDS),
        (b"Dear grandmother, ", KINDS),
        (b"<html><body>404</body></html>", KINDS),
        (b"PK\3\4" + bytes(50), KINDS),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", KINDS),
        *((start, "damaged, incomplete, or of a kind") for start in (
            b"GIF89a" + bytes(50), b"\0\0\0\x18ftypavif" + bytes(50), b"BMW is a car", b"P6\n",
            b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n",
            b"RIFF\0\0\0\0WEBP", b"II*\0",
        )),
        (bytes(1000), KINDS),
    ],
)  # fmt: skip
def test_files_that_hold_no_picture(saved: Saved, content: bytes, reason: str) -> None:
    path = saved(content, "photo.jpg")
    with pytest.raises(UnreadablePhotoError, match=reason) as caught:
        read_photo(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.source == str(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.jpg", "there is no such file"),
        ("missing/photo.jpg", "there is no such file"),
        (".", "this is a folder, not a picture"),
        ("nul\0.jpg", "the file cannot be opened"),
        ("x" * 300, "the file cannot be opened"),
    ],
)
def test_paths_that_lead_to_no_file(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(UnreadablePhotoError, match=reason):
        read_photo(tmp_path / name)


def test_a_pipe_and_a_device_are_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero"):
        with pytest.raises(UnreadablePhotoError, match="not a regular file"):
            read_photo(path)


def test_no_permission(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(FILES["PNG"], "photo.png")
    refuse = mock.Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr("builtins.open", refuse)  # root may read everything
    with pytest.raises(UnreadablePhotoError, match="permission to read the file is denied"):
        read_photo(path)
