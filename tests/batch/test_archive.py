"""Zip archives: what is refused as a whole, what is named and passed by, and what comes out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import subprocess
import sys
import tarfile
import unicodedata
import zipfile
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from colorflow.batch.archive import UnpackError, pack, safe_path_of, unpack
from colorflow.errors import BatchError, WritePhotoError
from tests.batch.bench import LIMITS, MEBIBYTE, PHOTO, Bench, noise
from tests.batch.raw_zip import UTF8, File, deflated, write_raw


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
    litter = [
        "__MACOSX/._a.jpg", "__MACOSX/1931/._b.jpg", ".DS_Store", "1931/.DS_Store", "Thumbs.db",
        "1931/thumbs.db", "desktop.ini", "._a.jpg",
    ]  # fmt: skip
    bench.write(*(File(name=name, data=b"PK\x03\x04") for name in litter), File(name="a.jpg"))
    assert bench.unpack().files == [Path("a.jpg")]
    assert set(bench.contents()) == {"a.jpg"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../a.jpg", "outside"),
        ("1931/.. /a.jpg", "outside"),
        ("/etc/a.jpg", "outside"),
        ("C:/a.jpg", "outside"),
        ("1931/d:a.jpg", "outside"),
        ("..\\a.jpg", "not every system"),
        ("a\0.jpg", "not every system"),
        ("\x1b[2Ja.jpg", "not every system"),
        ("CON", "not every system"),
        ("1931/nul .jpg", "not every system"),
        ("lpt².jpg", "not every system"),
        ("é" * 126 + ".jpg", "not every system"),
        ("/".join(["x" * 200] * 6), "not every system"),
        ("", "without a name"),
        ("__MACOSX/../../a.jpg", "outside"),
    ],
)
def test_names_that_do_harm(bench: Bench, name: str, said: str) -> None:
    assert said in bench.refused(File(name="first.jpg", data=PHOTO), File(name=name, data=PHOTO))


@pytest.mark.parametrize("name", ["é" * 125 + ".jpg", "auxiliary.jpg", "con text.jpg", "…jpg"])
def test_names_that_look_alike_but_do_not(bench: Bench, name: str) -> None:
    assert bench.write(File(name=name, data=PHOTO)).unpack().files == [Path(name)]


@pytest.mark.parametrize(
    ("mode", "attributes", "said"),
    [
        (stat.S_IFLNK | 0o777, 0, "a link"),
        (0, 0x400, "a link"),
        (stat.S_IFIFO, 0, "a device"),
        (stat.S_IFBLK, 0, "a device"),
    ],
)
def test_links_and_devices(bench: Bench, mode: int, attributes: int, said: str) -> None:
    link = File(name="a.jpg", data=b"/etc/passwd", mode=mode, attributes=attributes)
    assert said in bench.refused(File(name="b.jpg", data=PHOTO), link)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.jpg", "a.jpg"),
        ("a.jpg", "A.JPG"),
        ("1931/a.jpg", "1931//a.jpg"),
        ("Ada/a.jpg", "ada/A.jpg"),
        ("straße.jpg", "STRASSE.jpg"),
        (unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.jpg")),
        ("a.jpg", "a.jpg."),
        ("a.jpg", "a.jpg "),
        ("1931", "1931/a.jpg"),
    ],
)
def test_names_that_are_one_on_some_system(bench: Bench, one: str, other: str) -> None:
    said = bench.refused(File(name=one, data=PHOTO), File(name=other, data=PHOTO))
    assert "of one name" in said


def test_the_same_name_in_two_folders_is_two_names(bench: Bench) -> None:
    bench.write(File(name="1931/a.jpg", data=PHOTO), File(name="1932/a.jpg", data=PHOTO))
    assert len(bench.unpack().files) == 2


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as inner:
        inner.writestr("a.jpg", PHOTO)
    return made.getvalue()


def tarred() -> bytes:
    """As tar was before 1988, without a magic number."""
    block = bytearray(tarfile.TarInfo("a.jpg").tobuf(tarfile.USTAR_FORMAT))
    block[257:265] = bytes(8)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    "inner",
    [
        zipped(), tarred(), gzip.compress(PHOTO), bz2.compress(PHOTO), lzma.compress(PHOTO),
        b"7z\xbc\xaf\x27\x1c\0\4" + noise(100), b"Rar!\x1a\x07\x01\0" + noise(100),
    ],
    ids=lambda inner: repr(inner[:4]),
)  # fmt: skip
def test_archives_inside_are_known_by_content(bench: Bench, inner: bytes) -> None:
    said = bench.refused(File(name="b.jpg", data=PHOTO), deflated("1931/a.jpg", inner))
    assert said.startswith("has an archive inside, 1931/a.jpg (")


@pytest.mark.parametrize("name", ["a.TAR", "a.jpg.gz", "a.7z"])
def test_archives_inside_are_known_by_name(bench: Bench, name: str) -> None:
    assert "archive inside" in bench.refused(File(name=name, data=PHOTO))


@pytest.mark.parametrize("flag", [0x1, 0x2000])
def test_passwords(bench: Bench, flag: int) -> None:
    assert "password" in bench.refused(File(name="a.jpg", data=PHOTO, flags=UTF8 | flag))


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


@pytest.mark.parametrize("share", [0.3, 0.999])
def test_half_an_archive(bench: Bench, share: float) -> None:
    bench.write(*(deflated(f"{number}.jpg", PHOTO) for number in range(5)))
    whole = bench.archive.read_bytes()
    bench.archive.write_bytes(whole[: int(share * len(whole))])
    assert "damaged or incomplete" in bench.refused()


def test_no_archive(bench: Bench) -> None:
    for content in (b"", b"no zip", PHOTO, b"PK\x05\x06" + bytes(10), b"PK\x05\x06" + b"\xff" * 18):
        bench.archive.write_bytes(content)
        bench.refused()


def test_an_archive_behind_another_file_and_with_a_comment(bench: Bench) -> None:
    write_raw(bench.archive, [deflated("a.jpg", PHOTO)], comment=b"album")
    bench.archive.write_bytes(b"MZ self-extracting" + bench.archive.read_bytes())
    bench.unpack()
    assert bench.contents() == {"a.jpg": PHOTO}


def test_a_full_disk_is_told(bench: Bench) -> None:
    bench.write(File(name="1931/a.jpg", data=noise(MEBIBYTE)))
    limited = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from colorflow.batch.archive import ArchiveLimits, unpack\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "limits = ArchiveLimits(entries=5, entry_bytes=2**30, total_bytes=2**30)\n"
        "try: unpack(Path(sys.argv[1]), Path(sys.argv[2]), limits)\n"
        "except Exception as error: print(f'{type(error).__name__}: {error}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, bench.archive, bench.folder],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert done.stdout == (
        "BatchError: album.zip: 1931/a.jpg in it cannot be stored here (File too large)\n"
    )
    assert bench.everything() == {"album.zip", "out"}


def test_a_folder_that_is_there_is_never_touched(bench: Bench) -> None:
    bench.folder.mkdir()
    (bench.folder / "own.txt").touch()
    bench.write(File(name="a.jpg", data=PHOTO))
    with pytest.raises(FileExistsError):
        bench.unpack()
    assert set(bench.contents()) == {"own.txt"}


ODD = st.sampled_from([
    "..", ".", "/", "\\", ":", "a", "A", "con", "NUL", "COM1", " ", "\0", "\n", "é", "e\u0301",
    ".jpg", "C:", "~", "\u202e", "\uff0e\uff0e", "\u2215", "\U0001f600", "x" * 130, "%2e%2e", "$",
])  # fmt: skip


@given(parts=st.lists(st.one_of(ODD, st.text(max_size=3)), max_size=12))
@settings(max_examples=200)
@example(parts=[".", ":"])  # Windows takes any letter before a colon for a drive
def test_no_name_leads_anywhere_else(parts: list[str]) -> None:
    name = "".join(parts)
    try:
        path = safe_path_of(name)
    except (UnpackError, UnicodeEncodeError):  # lone surrogates cannot be in a zip
        return
    assert os.path.normpath(f"/base/{path}").startswith("/base")
    assert "\0" not in str(path)
    as_windows_sees_it = PureWindowsPath(name)
    assert not as_windows_sees_it.drive
    assert not as_windows_sees_it.root
    assert ".." not in as_windows_sees_it.parts
    if sys.version_info < (3, 13):
        assert not any(PureWindowsPath(part).is_reserved() for part in path.parts)


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
        unpacked = unpack(archive, folder, LIMITS)
    except BatchError:
        assert not folder.exists()
        return
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert found == set(unpacked.files)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    assert {path.name for path in scratch.iterdir()} == {"album.zip"}


def test_what_is_packed_is_a_zip_for_everybody(tmp_path: Path) -> None:
    folder, archive = tmp_path / "made", tmp_path / "made.zip"
    contents = {"a.jpg": PHOTO, "1931/Übersee/b.png": PHOTO[::-1], "report.json": b"{}" * 5000}
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "link.jpg").symlink_to("/etc/passwd")
    os.utime(folder / "a.jpg", (0, 0))  # before the first date that zip knows
    archive.write_bytes(b"an older one")
    pack(folder, archive)
    with zipfile.ZipFile(archive) as packed:
        assert packed.testzip() is None
        assert {name: packed.read(name) for name in packed.namelist()} == contents
    assert archive.stat().st_size < 2 * len(PHOTO) + 1500, "text is compressed"
    unpack(archive, tmp_path / "again", LIMITS)
    assert {path.name for path in tmp_path.iterdir()} == {"made", "made.zip", "again"}


def test_names_that_are_no_text_are_packed(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.jpg")).write_bytes(PHOTO)
    pack(folder, tmp_path / "made.zip")
    assert zipfile.ZipFile(tmp_path / "made.zip").namelist() == ["&#56575;.jpg"]


def test_an_archive_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    with pytest.raises(WritePhotoError, match="cannot be written"):
        pack(folder, tmp_path / "absent" / "made.zip")
    (tmp_path / "made.zip").mkdir()
    with pytest.raises(WritePhotoError, match="cannot be written"):
        pack(folder, tmp_path / "made.zip")
    assert {path.name for path in tmp_path.iterdir()} == {"made", "made.zip"}
