"""Zip archives: what is refused as a whole, what is named and passed by, and what comes out."""

from __future__ import annotations

import bz2
import os
import stat
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from colorflow.batch.archive import UnpackError, pack, safe_path_of, unpack
from colorflow.errors import BatchError
from tests.batch.bench import MEBIBYTE, MOST, PHOTO, Bench, noise
from tests.batch.raw_zip import BZIP2, LZMA, UTF8, File, deflated, write_raw, zeros

PLAIN = File(name="first.jpg", data=PHOTO)


def test_what_another_tool_has_packed_keeps_its_path(bench: Bench) -> None:
    with zipfile.ZipFile(bench.archive, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", PHOTO)
        archive.writestr("1931/Übersee/b.jpg", PHOTO[::-1])
        archive.writestr("1931/empty/", b"")
        archive.writestr("./c.txt", b"to whom it may concern " * 1000)
    unpacked = bench.unpack()
    assert unpacked.files == [Path("a.jpg"), Path("1931/Übersee/b.jpg"), Path("c.txt")]
    assert unpacked.total_bytes == 2 * len(PHOTO) + 23_000
    assert unpacked.unreadable == []
    assert bench.contents() == {
        "a.jpg": PHOTO,
        "1931/Übersee/b.jpg": PHOTO[::-1],
        "c.txt": b"to whom it may concern " * 1000,
    }


def test_what_systems_leave_behind_is_left_out(bench: Bench) -> None:
    litter = ["__MACOSX/1931/b.jpg", "1931/.DS_Store", "._a.jpg", ".hidden/c.jpg"]
    bench.write(*(File(name=name, data=b"PK\x03\x04") for name in litter), File(name="a.jpg"))
    assert bench.unpack().files == [Path("a.jpg")]
    assert set(bench.contents()) == {"a.jpg"}


_BOMB = bz2.compress(bytes(10 * MEBIBYTE))
_DEVICES = (stat.S_IFLNK | 0o777, stat.S_IFIFO, stat.S_IFBLK)


@pytest.mark.parametrize(
    ("said", "files"),
    [
        *(
            ("has a name that no folder takes", [PLAIN, File(name=name, data=PHOTO)])
            for name in (
                *("../a.jpg", "1931/.. /a.jpg", "/etc/a.jpg", "..\\a.jpg", "a\0.jpg"),
                *("\x1b[2Ja.jpg", "__MACOSX/../../a.jpg"),
            )
        ),
        *(
            ("in it cannot be stored here (", [File(name=one), File(name=other)])
            for one, other in (
                *(("a.jpg", "a.jpg"), ("1931/a.jpg", "1931//a.jpg"), ("1931", "1931/a.jpg")),
                *(("1931/a.jpg", "1931"), ("a.jpg", ""), ("a.jpg", "é" * 126 + ".jpg")),
            )
        ),
        *(("a link or a device", [PLAIN, File(name="a.jpg", mode=mode)]) for mode in _DEVICES),
        ("a link or a device", [PLAIN, File(name="a.jpg", mode=0, attributes=0x400)]),
        *(("password", [File(name="a.jpg", flags=UTF8 | flag)]) for flag in (0x1, 0x2000)),
        *(
            # Pieces of these may be of any size.
            ("Deflate", [File(name="a.jpg", data=_BOMB, method=method, size=10 * MEBIBYTE)])
            for method in (BZIP2, LZMA, 9, 97)
        ),
        (
            "too many files and folders",
            [File(name=f"{number:03}/{'a/' * 90}b") for number in range(120)],
        ),
        ("folders more than 100 deep", [PLAIN, File(name="a/" * 1500 + "b.jpg")]),
        ("folders more than 100 deep", [File(name="a/" * 32_000)]),
        ("holds more files than can", [File(name=str(number)) for number in range(25_000)]),
        ("holds more than 5 files", [File(name=f"{number}.jpg") for number in range(6)]),
        ("once it is unpacked", [deflated(f"{n}.jpg", noise(6 * MEBIBYTE)) for n in range(3)]),
        ("zip bomb", [zeros("a.bmp", 16)]),
    ],
)
def test_what_may_do_harm_is_refused_as_a_whole(bench: Bench, said: str, files: list[File]) -> None:
    assert said in bench.refused(*files)


def test_a_damaged_file_is_named_and_the_others_go_on(bench: Bench) -> None:
    good = deflated("a.jpg", PHOTO)
    wrong = [
        deflated("1931/sum.jpg", PHOTO, crc=1),
        deflated("short.jpg", PHOTO, size=len(PHOTO) - 1),
        File(name="stream.jpg", data=noise(500), method=8, size=3000),
        File(name="half.jpg", data=good.data[:100], method=8, crc=good.crc, size=good.size),
    ]
    unpacked = bench.write(*wrong, good).unpack()
    assert unpacked.files == [Path("a.jpg")]
    assert [note.path.as_posix() for note in unpacked.unreadable] == [  # type: ignore[union-attr]
        "1931/sum.jpg", "short.jpg", "stream.jpg", "half.jpg",
    ]  # fmt: skip
    assert {note.reason for note in unpacked.unreadable} == {
        "it is damaged in the archive; make the archive anew"
    }
    assert bench.contents() == {"a.jpg": PHOTO}


def test_no_archive(bench: Bench) -> None:
    for content in (b"", b"no zip", PHOTO, b"PK\x05\x06" + bytes(10), b"PK\x05\x06" + b"\xff" * 18):
        bench.archive.write_bytes(content)
        bench.refused()


def test_a_folder_that_is_there_is_never_touched(bench: Bench) -> None:
    bench.folder.mkdir()
    (bench.folder / "own.txt").touch()
    bench.write(File(name="a.jpg", data=PHOTO))
    with pytest.raises(FileExistsError):
        bench.unpack()
    assert set(bench.contents()) == {"own.txt"}


ODD = st.sampled_from(["..", ".", "/", "\\", "a", " ", "\0", "\n", "\uff0e\uff0e", "\u2215", "C:"])


@given(parts=st.lists(st.one_of(ODD, st.text(max_size=3)), max_size=12))
@example(parts=["C:", "/"])
@settings(max_examples=200)
def test_no_name_leads_anywhere_else(parts: list[str]) -> None:
    name = "".join(parts)
    try:
        path = safe_path_of(name)
    except UnpackError:
        return
    assert os.path.normpath(f"/base/{path}").startswith("/base")
    assert "\0" not in str(path)
    assert not PureWindowsPath(name).root
    assert ".." not in PureWindowsPath(name).parts


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@given(data=st.data())
@settings(max_examples=100)
def test_no_damage_gives_more_than_a_sentence(scratch: Path, data: st.DataObject) -> None:
    archive, folder = scratch / "album.zip", scratch / "album"
    write_raw(archive, [deflated("1931/a.jpg", PHOTO), File(name="b.jpg", data=PHOTO[:200])])
    whole = bytearray(archive.read_bytes())
    headers = [*range(40), *range(len(whole) - 180, len(whole))]
    for index in data.draw(st.lists(st.sampled_from(headers), min_size=1, max_size=6)):
        whole[index] = data.draw(st.integers(0, 255))
    archive.write_bytes(whole)
    try:
        unpacked = unpack(archive, folder, most_bytes=MOST)
    except BatchError:
        assert not folder.exists()
        return
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert found == set(unpacked.files)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    assert {path.name for path in scratch.iterdir()} == {"album.zip"}


# too large, too many, or less than it says


def test_a_bomb_that_says_it_is_small(bench: Bench) -> None:
    bench.write(replace(zeros("a.bmp", 2048), size=1000), File(name="b.jpg", data=PHOTO))
    unpacked = bench.unpack()
    assert [note.path for note in unpacked.unreadable] == [Path("a.bmp")]
    assert bench.contents() == {"b.jpg": PHOTO}


def test_files_that_share_their_bytes_count_each_time(bench: Bench) -> None:
    kernel = deflated("0.bmp", PHOTO * 100)
    shared = [deflated(f"{number}.bmp", PHOTO * 100, at=0) for number in range(1, 5)]
    most = 200 * len(PHOTO)
    bench.write(kernel, *shared)
    with suppress(BatchError):  # newer versions of Python take them for damaged instead
        assert bench.unpack(most).total_bytes <= most
    assert sum(map(len, bench.contents().values())) <= most


def test_drawings_on_white_are_no_bombs(bench: Bench) -> None:
    white = b"\xff" * 900_000
    page = b"".join(noise(60, row) + b"\xff" * 3940 for row in range(1000))
    bench.write(deflated("small.bmp", white), deflated("page.bmp", page))
    assert bench.archive.stat().st_size < len(white + page) / 50
    bench.unpack()
    assert bench.contents() == {"small.bmp": white, "page.bmp": page}


# packing


def test_what_is_packed_is_a_zip_for_everybody(tmp_path: Path) -> None:
    folder, archive = tmp_path / "made", tmp_path / "made.zip"
    contents = {"a.jpg": PHOTO, "1931/Übersee/b.png": PHOTO[::-1], "report.json": b"{}" * 5000}
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.jpg")).write_bytes(PHOTO)  # is no text
    (folder / "link.jpg").symlink_to("/etc/passwd")
    os.utime(folder / "a.jpg", (0, 0))  # before the first date that zip knows
    archive.write_bytes(b"an older one")
    pack(folder, archive)
    with zipfile.ZipFile(archive) as packed:
        assert packed.testzip() is None
        assert {name: packed.read(name) for name in packed.namelist()} == {
            **contents,
            "&#56575;.jpg": PHOTO,
        }
    assert archive.stat().st_size < 3 * len(PHOTO) + 1700, "text is compressed"
    unpack(archive, tmp_path / "again", most_bytes=MOST)
    assert {path.name for path in tmp_path.iterdir()} == {"made", "made.zip", "again"}
