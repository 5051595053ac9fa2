"""Bad input: one PhotoError that names the file and the reason, whatever the file holds."""

from __future__ import annotations

import contextlib
import io
import os
import random
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image, ImageFile

from colorflow.errors import ColorflowError, UnreadablePhotoError
from colorflow.photo import Kind, read_photo

Saved = Callable[..., Path]

KINDS = "not a JPEG, PNG, TIFF, WebP, GIF, JPEG 2000, AVIF, HEIC, BMP or PNM picture"


def picture() -> Image.Image:
    return Image.fromarray(skimage.data.chelsea()).resize((96, 64))


def encode(format: str, mode: str = "RGB", **options: object) -> bytes:
    image = picture().quantize(32) if mode == "P" else picture().convert(mode)
    if options.get("save_all"):
        options["append_images"] = [picture().rotate(90)]
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def tiff(samples: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, photometric="rgb", **options)
    return buffer.getvalue()


def by_opencv(suffix: str, samples: np.ndarray) -> bytes:
    return cv2.imencode(suffix, samples)[1].tobytes()


DEEP = np.asarray(picture()).astype(np.uint16) * 257
PLANES = np.moveaxis(DEEP, -1, 0)
FILES = {
    "jpeg": encode("JPEG"),
    "jpeg progressive": encode("JPEG", progressive=True),
    "jpeg restarts": encode("JPEG", restart_marker_rows=1),
    "jpeg gray": encode("JPEG", "L"),
    "jpeg cmyk": encode("JPEG", "CMYK"),
    "png": encode("PNG"),
    "png alpha": encode("PNG", "RGBA"),
    "png palette": encode("PNG", "P"),
    "png 1 bit": encode("PNG", "1"),
    "webp": encode("WEBP"),
    "webp lossless": encode("WEBP", "RGBA", lossless=True),
    "webp animated": encode("WEBP", save_all=True),
    "tiff": encode("TIFF"),
    "tiff lzw": encode("TIFF", compression="tiff_lzw"),
    "tiff deflate": encode("TIFF", compression="tiff_adobe_deflate"),
    "tiff jpeg": encode("TIFF", compression="jpeg"),
    "bmp": encode("BMP"),
    "bmp palette": encode("BMP", "P"),
    "gif": encode("GIF", "P"),
    "gif-animated": encode("GIF", save_all=True),
    "jp2": encode("JPEG2000"),
    "j2k lossy": encode("JPEG2000", no_jp2=True, irreversible=True),
    "avif": encode("AVIF"),
    "ppm": encode("PPM"),
    "png 16 bit": by_opencv(".png", DEEP),
    "png 16 bit gray": by_opencv(".png", DEEP[..., 0]),
    "tiff 16 bit": tiff(DEEP),
    "tiff 16 bit deflate": tiff(DEEP, compression="zlib", predictor=True),
    "tiff-lzw 16 bit": by_opencv(".tif", DEEP),
    "tiff 16 bit planes": tiff(PLANES, planarconfig="separate", compression="zlib"),
    "tiff float": tiff((DEEP / 65535).astype(np.float32)),
    "tiff float planes": tiff((PLANES / 65535).astype(np.float32), planarconfig="separate"),
}
TRAILER = {"png": 24, "gif": 4, "gif-animated": 1 << 20, "tiff-lzw": 8}
"""Bytes after the last pixel, CRC included, that a complete picture can do without.

Of TIFF it is the value of SampleFormat, which OpenCV writes last, and which has that by default.
"""


def assert_whole_or_refused(path: Path, whole: np.ndarray) -> None:
    with contextlib.suppress(UnreadablePhotoError):
        np.testing.assert_array_equal(read_photo(path).pixels, whole)


@pytest.mark.parametrize("kind", FILES)
def test_a_truncated_file_is_an_error_and_not_a_half_picture(saved: Saved, kind: str) -> None:
    content = FILES[kind]
    whole = read_photo(saved(content, "whole")).pixels
    step = max(1, len(content) // 60)
    cuts = {*range(1, len(content), step), *range(max(1, len(content) - 30), len(content))}
    for cut in sorted(cuts):
        path = saved(content[:cut], "cut.jpg")
        if len(content) - cut > TRAILER.get(kind.split()[0], 0):
            with pytest.raises(UnreadablePhotoError, match=f"^{path}: "):
                read_photo(path)
        else:
            assert_whole_or_refused(path, whole)


def test_a_large_jpeg_cut_at_pillows_block_size_is_an_error(saved: Saved) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3)).astype(np.uint8)
    for progressive in (False, True):
        buffer = io.BytesIO()
        Image.fromarray(noise).save(buffer, "JPEG", progressive=progressive)
        content = buffer.getvalue()
        assert len(content) > 3 * 65536
        for cut in (65536, 65537, 131072, len(content) - 2):
            with pytest.raises(UnreadablePhotoError, match="damaged or incomplete"):
                read_photo(saved(content[:cut], "cut.jpg"))


def end_of_headers(jpeg: bytes) -> int:
    return jpeg.index(b"\xff\xda") + 20


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind.startswith("jpeg")])
def test_a_truncated_jpeg_that_was_closed_is_an_error_too(saved: Saved, kind: str) -> None:
    content = FILES[kind]
    start, stop = end_of_headers(content), len(content) - 60  # but for the last block
    for cut in range(start, stop, max(1, (stop - start) // 50)):
        if 0xFF in content[cut - 1 : cut + 1]:
            continue  # perhaps between two scans, or within the marker
        with pytest.raises(UnreadablePhotoError, match="damaged or incomplete"):
            read_photo(saved(content[:cut] + b"\xff\xd9", "closed.jpg"))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_really_ends_in_gray_is_read(
    saved: Saved, mode: str, progressive: bool
) -> None:
    image = picture().convert(mode)
    image.paste((128, 128, 128) if mode == "RGB" else 128, (0, 24, 96, 64))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", progressive=progressive, restart_marker_rows=2)
    photo = read_photo(saved(buffer.getvalue() + b"trailing data \xff\xd9", "gray.jpg"))
    assert photo.pixels[-1, -1].tolist() == np.asarray(image)[-1, -1].tolist()


@pytest.mark.parametrize(
    "fault",
    [
        OSError("broken\ndata stream"),
        SyntaxError("broken PNG file"),
        ValueError("bad"),
        TypeError(),
        KeyError(5),
        IndexError("bytearray index out of range"),
        EOFError(),
        ZeroDivisionError("division by zero"),
        OverflowError("too large"),
        AttributeError("no fp"),
        AssertionError(),
        RuntimeError("decoder"),
        struct.error("unpack requires a buffer of 4 bytes"),
        zlib.error("Error -3"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_whatever_pillow_raises_becomes_our_error(
    saved: Saved, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    path = saved(FILES["png"], "photo.png")
    with pytest.raises(UnreadablePhotoError, match="damaged or incomplete") as caught:
        read_photo(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is fault


@pytest.mark.parametrize("kind", FILES)
def test_damaged_bytes_raise_nothing_but_our_errors(saved: Saved, kind: str) -> None:
    rng = random.Random(kind)
    for _ in range(60):
        content = bytearray(FILES[kind])
        for _ in range(rng.choice([1, 2, 8])):
            reach = rng.choice([40, 200, len(content)])
            content[rng.randrange(min(reach, len(content)))] = rng.choice(
                [0, 255, rng.randrange(256)]
            )
        path = saved(bytes(content), "damaged")
        message = message_of_reading(path)
        assert message is None or message.startswith(f"{path}: ")
        assert message is None or "\n" not in message


def message_of_reading(path: Path) -> str | None:
    try:
        assert read_photo(path, max_pixels=1_000_000).kind in Kind
    except ColorflowError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n", KINDS),
        (b"Dear grandmother, ", KINDS),
        (b"<html><body>404</body></html>", KINDS),
        (b"PK\3\4" + bytes(50), KINDS),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", KINDS),
        (b"GIF89a" + bytes(50), "damaged or incomplete"),
        (b"\0\0\0\x18ftypavif" + bytes(50), "damaged or incomplete"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "damaged or incomplete"),
        (b"P6\n", "damaged or incomplete"),
        (b"BMW is a car", "damaged or incomplete"),
        (b"\xff\xd8\xff", "damaged or incomplete"),
        (b"\x89PNG\r\n\x1a\n", "damaged or incomplete"),
        (b"RIFF\0\0\0\0WEBP", "damaged or incomplete"),
        (b"II*\0", "damaged or incomplete"),
        (bytes(1000), KINDS),
    ],
)
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
    path = saved(FILES["png"], "photo.png")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # root may read everything
    with pytest.raises(UnreadablePhotoError, match="permission to read the file is denied"):
        read_photo(path)


def test_pillows_warnings_stay_quiet_and_filters_come_back(saved: Saved) -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x0f\0\x02\0\0\xff\xff\0\0\xff\xff"
    path = saved(encode("JPEG", exif=exif), "photo.jpg")
    failures: list[BaseException] = []

    def read_often() -> None:
        try:
            for _ in range(30):
                read_photo(path)
        except BaseException as error:
            failures.append(error)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filters = list(warnings.filters)
        threads = [threading.Thread(target=read_often) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert warnings.filters == filters
        with pytest.raises(UserWarning, match="Truncated"), Image.open(path):
            pass  # as Pillow alone would have it
