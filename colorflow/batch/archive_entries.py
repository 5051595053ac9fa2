"""What the directory of a zip archive says, and whether that is fit to be unpacked.

Names are judged for every system at once, so that what is unpacked here can be unpacked anywhere
and no name means two places: Windows ignores case and dots at the end, macOS how an accent is
written, and both know names that are no files.
"""

from __future__ import annotations

import re
import stat
import sys
import tarfile
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from colorflow.batch.names import LONGEST_NAME

_LONGEST_PLACE = 1024
"""Bytes of a name with its folders; macOS takes no more."""
_LOCAL_HEADER = 30
"""Bytes before each file in an archive, without its name."""
_ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Flags: the file, strongly, or the directory."""
_REPARSE_POINT = 0x400
"""Attribute of Windows' own links."""
_SHOWN = 60
"""Letters of a name that a sentence shows."""

_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *([.:].*)?", re.IGNORECASE | re.DOTALL
)
_DRIVE = re.compile(r"[a-z]:", re.IGNORECASE)

_LITTER_FOLDER = "__MACOSX"
_LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})

_ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"PK\x07\x08": "zip",
    b"\x1f\x8b": "gzip",
    b"\x1f\x9d": "compress",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"MSCF": "cab",
}
"""First bytes of archives, and of files that are compressed as a whole."""
_ARCHIVE_SUFFIXES = frozenset(
    f".{kind}"
    for kind in "zip gz tgz tar bz2 tbz tbz2 xz txz lzma 7z rar zst z cab cbz cbr".split()  # noqa: SIM905
)


class RefusedError(Exception):
    """An archive is not unpacked; the message stands behind its name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive.

    Attributes:
        place: below the archive's root, safe on every system.
        info: what the archive says of it.
    """

    place: PurePosixPath
    info: ZipInfo


def checked_entries(source: ZipFile, most: int) -> list[Entry]:
    """The files of an archive, none of which is unpacked yet.

    Folders are left out, and what systems leave behind: ``__MACOSX``, ``._*``, ``.DS_Store``,
    ``Thumbs.db``, ``desktop.ini``.

    Args:
        source: the archive.
        most: files that it may hold.

    Raises:
        RefusedError: if it is not fit to be unpacked.
    """
    entries = []
    for info in source.infolist():
        place = place_of(info.orig_filename)
        _check_kind(info)
        is_folder = info.orig_filename.endswith("/")
        if is_folder or _is_litter(place):
            continue
        if not place.parts:
            raise RefusedError("has a file without a name; make it anew")
        entries.append(Entry(place, info))
    if len(entries) > most:
        raise RefusedError(f"holds more than {most} files; make several smaller ones")
    _check_distinct(entry.place for entry in entries)
    _check_apart(source)
    return entries


def place_of(name: str) -> PurePosixPath:
    """Where a file goes, from its name in an archive.

    Raises:
        RefusedError: if the name is none that every system takes for a place inside.
    """
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        raise RefusedError(f"has a name with a control character, {shown(name)}; rename that file")
    if "\\" in name:
        raise RefusedError(f"has a name with a backslash, {shown(name)}; make it with another tool")
    place = PurePosixPath(name)
    if place.is_absolute() or any(_DRIVE.match(part) for part in place.parts):
        raise RefusedError(f"names a place outside of it, {shown(name)}; make it anew")
    if any(not part.strip(". ") for part in place.parts):
        raise RefusedError(f"names a place outside of it, {shown(name)}; make it anew")
    if any(len(part.encode()) > LONGEST_NAME for part in place.parts):
        raise RefusedError(
            f"has a name of more than {LONGEST_NAME} bytes, {shown(name)}; rename that file"
        )
    if len(name.encode()) > _LONGEST_PLACE:
        raise RefusedError(f"has folders in folders too deep, {shown(name)}; move them up")
    for part in place.parts:
        if _DEVICE.fullmatch(part):
            raise RefusedError(
                f"has a name that Windows keeps for a device, {shown(name)}; rename that file"
            )
    if sys.platform == "win32" and any(letter in name for letter in ':*?"<>|'):
        raise RefusedError(
            f"has a name that Windows does not take, {shown(name)}; rename that file"
        )
    return place


def archive_kind(head: bytes, name: PurePosixPath) -> str | None:
    """Which kind of archive a file is, from its first 512 bytes or more, and from its name."""
    for magic, kind in _ARCHIVES.items():
        if head.startswith(magic):
            return kind
    try:
        tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        suffix = name.suffix.lower()
        return suffix.removeprefix(".") if suffix in _ARCHIVE_SUFFIXES else None
    return "tar"


def shown(name: str | PurePosixPath) -> str:
    """A name as a sentence shows it: on one line, and not too long."""
    text = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(name)
    )
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def _check_kind(info: ZipInfo) -> None:
    """Refuses what is no plain file or folder, or not to be read."""
    name = shown(info.orig_filename)
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode) or info.external_attr & _REPARSE_POINT:
        raise RefusedError(f"has a link inside, {name}; put the file itself there")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise RefusedError(f"has something inside that is no file, {name}; take it out")
    if info.flag_bits & _ENCRYPTED:
        raise RefusedError("is locked with a password; make it anew without one")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise RefusedError(
            f"is compressed in an unusual way ({name}); make it anew, with the method Deflate"
        )


def _is_litter(place: PurePosixPath) -> bool:
    name = place.name.lower()
    return _LITTER_FOLDER in place.parts or name in _LITTER or name.startswith("._")


def _check_distinct(places: Iterable[PurePosixPath]) -> None:
    """Refuses two files that are one on some system, and a file that is another's folder."""
    files: dict[tuple[str, ...], PurePosixPath] = {}
    folders: set[tuple[str, ...]] = set()
    for place in places:
        key = tuple(map(_as_the_laxest_system_sees_it, place.parts))
        if key in files:
            raise RefusedError(
                f"has two files of one name, {shown(files[key])} and {shown(place)}; rename one"
            )
        files[key] = place
        folders.update(key[:depth] for depth in range(1, len(key)))
    for key in files.keys() & folders:
        raise RefusedError(f"has a file and a folder of one name, {shown(files[key])}; rename one")


def _as_the_laxest_system_sees_it(part: str) -> str:
    """Without case, whichever way accents are written, without dots and spaces at the end."""
    return unicodedata.normalize("NFD", part.casefold()).rstrip(". ")


def _check_apart(source: ZipFile) -> None:
    """Refuses files that share bytes of the archive, with which a bomb multiplies itself."""
    end = 0
    for info in sorted(source.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise RefusedError("has files that overlap, as in a zip bomb; make it anew")
        end = info.header_offset + _LOCAL_HEADER + info.compress_size
    if end > source.start_dir:
        raise RefusedError("is damaged: its files are longer than it is; make it anew")
