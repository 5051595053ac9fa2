"""Checks the directory of a zip archive before anything is unpacked.

Names are checked for every operating system at once, so that what is unpacked here can be unpacked
anywhere, and no name stands for two files: Windows ignores case and trailing dots, macOS ignores
how an accent is encoded, and both have names that are not files.
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

_LONGEST_PATH = 1024
"""Bytes of a name with its folders, the limit of macOS."""
_LOCAL_HEADER = 30
"""Bytes before each file in an archive, not counting its name."""
_ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Flags: the file, strongly, or the directory."""
_REPARSE_POINT = 0x400
"""Attribute of links on Windows."""
_SHOWN = 60
"""Characters of a name that a message shows."""

_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *([.:].*)?", re.IGNORECASE | re.DOTALL
)

_SYSTEM_FOLDER = "__MACOSX"
_SYSTEM_FILES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})

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
"""First bytes of archives and of compressed files."""
_ARCHIVE_SUFFIXES = frozenset(
    f".{kind}"
    for kind in "zip gz tgz tar bz2 tbz tbz2 xz txz lzma 7z rar zst z cab cbz cbr".split()  # noqa: SIM905
)


class RefusedError(Exception):
    """An archive is not unpacked; the message follows its name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive.

    Attributes:
        path: relative to the archive's root, safe on every system.
        info: the archive's entry for it.
    """

    path: PurePosixPath
    info: ZipInfo


def checked_entries(source: ZipFile, most: int, most_names: int) -> tuple[list[Entry], int]:
    """Lists the files of an archive that is safe to unpack, and counts their names.

    Folders are left out, and so are system files: ``__MACOSX``, ``._*``, ``.DS_Store``,
    ``Thumbs.db``, ``desktop.ini``. All of them count as names, and so does every folder on the way
    to a file.

    Args:
        source: the archive.
        most: largest number of files.
        most_names: largest number of names.

    Raises:
        RefusedError: if it is not safe to unpack.
    """
    entries = []
    names = set[PurePosixPath]()
    for info in source.infolist():
        path = safe_path_of(info.orig_filename)
        names.update((path, *path.parents))
        if len(names) > most_names:
            raise RefusedError("holds too many files and folders; make several smaller ones")
        _check_kind(info)
        is_folder = info.orig_filename.endswith("/")
        if is_folder or _is_system_file(path):
            continue
        if not path.parts:
            raise RefusedError("has a file without a name; make it anew")
        entries.append(Entry(path, info))
    if len(entries) > most:
        raise RefusedError(f"holds more than {most} files; make several smaller ones")
    _check_distinct(entry.path for entry in entries)
    _check_apart(source)
    return entries, len(names)


def safe_path_of(name: str) -> PurePosixPath:
    """The relative path for a file, from its name in an archive.

    Raises:
        RefusedError: unless every system takes the name for a path inside the folder.
    """
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        raise RefusedError(f"has a name with a control character, {shown(name)}; rename that file")
    if "\\" in name:
        raise RefusedError(f"has a name with a backslash, {shown(name)}; make it with another tool")
    path = PurePosixPath(name)
    # Windows takes any character before a colon for a drive.
    if path.is_absolute() or any(part[1:2] == ":" for part in path.parts):
        raise RefusedError(f"names a path outside of it, {shown(name)}; make it anew")
    if any(not part.strip(". ") for part in path.parts):
        raise RefusedError(f"names a path outside of it, {shown(name)}; make it anew")
    if any(len(part.encode()) > LONGEST_NAME for part in path.parts):
        raise RefusedError(
            f"has a name of more than {LONGEST_NAME} bytes, {shown(name)}; rename that file"
        )
    if len(name.encode()) > _LONGEST_PATH:
        raise RefusedError(f"has folders in folders too deep, {shown(name)}; move them up")
    for part in path.parts:
        if _DEVICE.fullmatch(part):
            raise RefusedError(
                f"has a name that Windows keeps for a device, {shown(name)}; rename that file"
            )
    if sys.platform == "win32" and any(letter in name for letter in ':*?"<>|'):
        raise RefusedError(
            f"has a name that Windows does not take, {shown(name)}; rename that file"
        )
    return path


def archive_kind(head: bytes, name: PurePosixPath) -> str | None:
    """The kind of archive that a file is, from its first 512 bytes or more, and from its name."""
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
    """A name for a message: on one line, and shortened."""
    text = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(name)
    )
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def _check_kind(info: ZipInfo) -> None:
    """Refuses an entry that is not a plain file or folder, or that cannot be read."""
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


def _is_system_file(path: PurePosixPath) -> bool:
    name = path.name.lower()
    return _SYSTEM_FOLDER in path.parts or name in _SYSTEM_FILES or name.startswith("._")


def _check_distinct(paths: Iterable[PurePosixPath]) -> None:
    """Refuses two files that are one file on some system, and a file that is another's folder."""
    files: dict[tuple[str, ...], PurePosixPath] = {}
    folders: set[tuple[str, ...]] = set()
    for path in paths:
        key = tuple(map(_normalized, path.parts))
        if key in files:
            raise RefusedError(
                f"has two files of one name, {shown(files[key])} and {shown(path)}; rename one"
            )
        files[key] = path
        folders.update(key[:depth] for depth in range(1, len(key)))
    for key in files.keys() & folders:
        raise RefusedError(f"has a file and a folder of one name, {shown(files[key])}; rename one")


def _normalized(part: str) -> str:
    """Ignores what some system ignores: case, the encoding of accents, trailing dots and spaces."""
    return unicodedata.normalize("NFD", part.casefold()).rstrip(". ")


def _check_apart(source: ZipFile) -> None:
    """Refuses files that share bytes of the archive, as those of some zip bombs do."""
    end = 0
    for info in sorted(source.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise RefusedError("has files that overlap, as in a zip bomb; make it anew")
        end = info.header_offset + _LOCAL_HEADER + info.compress_size
    if end > source.start_dir:
        raise RefusedError("is damaged: its files are longer than it is; make it anew")
