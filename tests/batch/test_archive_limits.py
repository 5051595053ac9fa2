"""Archives that are too large, have too many files, or say less than they hold."""

from __future__ import annotations

import bz2
from dataclasses import replace
from pathlib import Path

import pytest

from colorflow.batch.archive import ArchiveLimits
from tests.batch.bench import LIMITS, MEBIBYTE, PHOTO, Bench, noise
from tests.batch.raw_zip import BZIP2, LZMA, File, deflated, zeros


@pytest.mark.parametrize("method", [BZIP2, LZMA, 9, 97])
def test_methods_whose_pieces_may_be_of_any_size(bench: Bench, method: int) -> None:
    bomb = bz2.compress(bytes(10 * MEBIBYTE))
    assert len(bomb) < 100
    said = bench.refused(File(name="a.jpg", data=bomb, method=method, size=10 * MEBIBYTE))
    assert "Deflate" in said


def test_more_files_than_may_be(bench: Bench) -> None:
    files = [File(name=f"{number}.jpg", data=PHOTO) for number in range(6)]
    bench.write(*files[:5], File(name="folder/"), File(name=".DS_Store")).unpack()
    assert bench.refused_anew(*files).startswith("holds more than 5 files")


def test_folders_count_even_those_on_the_way_to_a_file(bench: Bench) -> None:
    deep = [File(name=f"{number}/{'a/' * 9}b.jpg", data=PHOTO) for number in range(2)]
    few = replace(LIMITS, names=1 + 2 * 11)
    assert bench.write(*deep).unpack(few).names == few.names
    for one_more in (File(name="c/"), File(name=".DS_Store"), File(name="c.jpg", data=PHOTO)):
        assert "too many files and folders" in bench.refused_anew(*deep, one_more, limits=few)
        bench.folder.mkdir()


def test_a_small_archive_of_a_hundred_thousand_folders(bench: Bench) -> None:
    deep = [File(name=f"{number:03}/{'a/' * 509}b") for number in range(195)]
    assert "too many files and folders" in bench.refused(*deep)


def test_a_directory_that_would_fill_the_memory(bench: Bench) -> None:
    said = bench.refused(*(File(name=str(number)) for number in range(25_000)))
    assert said == "holds more files than can be taken"


def test_a_file_larger_than_may_be(bench: Bench) -> None:
    most = ArchiveLimits(entries=5, entry_bytes=len(PHOTO), total_bytes=MEBIBYTE)
    bench.write(deflated("a.jpg", PHOTO), deflated("b.jpg", PHOTO)).unpack(most)
    said = bench.refused_anew(deflated("a.jpg", PHOTO + b"x"), limits=most)
    assert said.startswith("has a file inside of more than 0.002864 MB, a.jpg")


def test_more_in_all_than_may_be(bench: Bench) -> None:
    most = ArchiveLimits(entries=5, entry_bytes=MEBIBYTE, total_bytes=2 * len(PHOTO))
    files = [deflated(f"{number}.jpg", PHOTO) for number in range(3)]
    bench.write(*files[:2]).unpack(most)
    assert "once it is unpacked" in bench.refused_anew(*files, limits=most)


def test_a_bomb_is_small_and_ends_early(bench: Bench) -> None:
    bench.write(zeros("a.bmp", 256))
    assert bench.archive.stat().st_size < 0.26 * MEBIBYTE
    roomy = ArchiveLimits(entries=5, entry_bytes=2**40, total_bytes=2**40)
    assert "zip bomb" in bench.refused(limits=roomy)


def test_a_bomb_that_says_it_is_small(bench: Bench) -> None:
    bench.write(replace(zeros("a.bmp", 2048), size=1000), File(name="b.jpg", data=PHOTO))
    unpacked = bench.unpack()
    assert [note.path for note in unpacked.unreadable] == [Path("a.bmp")]
    assert bench.contents() == {"b.jpg": PHOTO}


def test_a_bomb_may_be_padded_but_not_larger_than_the_limits(bench: Bench) -> None:
    bomb = zeros("a.bmp", 64)
    padded = replace(bomb, data=bomb.data + noise(MEBIBYTE))
    assert "more than 8 MB" in bench.refused(File(name="b.jpg", data=PHOTO), padded)


def test_files_that_share_their_bytes(bench: Bench) -> None:
    kernel = deflated("0.bmp", bytes(MEBIBYTE))
    shared = [deflated(f"{number}.bmp", bytes(MEBIBYTE), at=0) for number in range(1, 5)]
    assert "overlap" in bench.refused(kernel, *shared)
    inside = File(name="b.jpg", data=PHOTO, at=100)
    assert "overlap" in bench.refused(File(name="a.jpg", data=PHOTO), inside)


def test_drawings_on_white_are_no_bombs(bench: Bench) -> None:
    white = b"\xff" * 900_000
    page = b"".join(noise(60, row) + b"\xff" * 3940 for row in range(1000))
    bench.write(deflated("small.bmp", white), deflated("page.bmp", page))
    assert bench.archive.stat().st_size < len(white + page) / 50
    bench.unpack()
    assert bench.contents() == {"small.bmp": white, "page.bmp": page}
