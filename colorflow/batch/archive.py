"""Unpacks zip archives that are not trusted, and packs results into one.

An archive that could do harm is refused as a whole before any of its files is used. What comes out
is counted, because a zip bomb lies about its size. A file that is merely damaged is reported by
name, and the others are unpacked.
"""

from __future__ import annotations

import io
import shutil
import stat
import struct
import sys
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from colorflow.batch.task import Note
from colorflow.errors import BatchError, WritePhotoError, printable
from colorflow.files import whole_file
from colorflow.photo import PHOTO_SUFFIXES
from colorflow.photo.find import MOST_NESTED

MOST_FILES = 10_000
"""Files and folders in an archive, system files and folders on the way included."""
_PIECE = 1 << 16
"""Bytes that are unpacked at a time."""
_LARGEST_DIRECTORY = 1 << 20
"""Largest directory of an archive, in bytes; it takes ten times as many in memory."""
_LARGEST_RATIO = 200
"""Size of a file over its compressed size. Deflate reaches 1032 for one repeated byte; scans reach
10, a drawing on white 100."""
_TOO_SMALL_FOR_A_BOMB = 1 << 20
"""Bytes up to which the ratio does not matter."""
_DAMAGE = (BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError)
"""What `zipfile` raises on damaged archives."""
_ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Flags: the file, strongly, or the directory."""
_REPARSE_POINT = 0x400
"""Attribute of links on Windows."""
_SHOWN = 60
"""Characters of a name that a message shows."""
_ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}
"""First bytes of archives and of compressed files."""


class UnpackError(Exception):
    """An archive is not unpacked; the message follows its name."""


@dataclass(slots=True, kw_only=True)
class Unpacked:
    """What came out of an archive.

    Attributes:
        files: paths relative to the folder, in the archive's order.
        total_bytes: of these files, and of what came out of damaged ones.
        unreadable: files that are damaged in the archive, by relative path, with the reason.
    """

    files: list[Path] = field(default_factory=list)
    total_bytes: int = 0
    unreadable: list[Note] = field(default_factory=list)


def unpack(
    archive: Path, folder: Path, *, most_bytes: int, most_files: int = MOST_FILES
) -> Unpacked:
    """Unpacks a zip archive, with the folders inside it, without hidden files.

    Args:
        archive: the file.
        folder: new, or empty. It is removed if the archive is refused.
        most_bytes: size of all files that may come out.
        most_files: number of files that may come out, without hidden ones.

    Raises:
        BatchError: the archive is damaged as a whole, exceeds a limit, or contains what no album
            needs and what may do harm: links, names that lead out of the folder, two files of one
            name, passwords.
    """
    folder.mkdir(exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(folder)
    try:
        with _BoundedFile(archive) as file, _opened(file) as source:
            return _extract(source, folder, most_bytes, most_files)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, UnpackError):
            raise BatchError(f"{archive.name}: {error}") from None
        raise


def pack(folder: Path, archive: Path) -> None:
    """Packs a folder of our own, with the folders inside it, without links.

    Args:
        folder: holds the files.
        archive: the file; it appears whole or not at all.

    Raises:
        WritePhotoError: the archive cannot be written.
    """
    try:
        with (
            whole_file(archive, None) as file,
            ZipFile(file, "w", strict_timestamps=False) as target,
        ):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    is_photo = path.suffix.lower() in PHOTO_SUFFIXES  # compressed already
                    name = path.relative_to(folder).as_posix()
                    target.write(
                        path,
                        name.encode("utf-8", "xmlcharrefreplace").decode(),  # it may be no UTF-8
                        compress_type=ZIP_STORED if is_photo else ZIP_DEFLATED,
                    )
    except OSError as error:
        raise WritePhotoError(archive, f"the file cannot be written ({error.strerror})") from error


def safe_path_of(name: str) -> PurePosixPath:
    """The relative path for a file, from its name in an archive.

    Raises:
        UnpackError: unless it is a path inside the folder, here as on other systems.
    """
    path = PurePosixPath(name)
    forbidden = "\\:" if sys.platform == "win32" else "\\"
    if (
        PureWindowsPath(name).root  # as of "/a", and of "C:/a" there
        or ".." in PureWindowsPath(name).parts  # "C:.." is a name here, and leads out there
        or any(not part.strip(". ") for part in path.parts)  # Windows ignores a blank behind dots
        or any(letter in forbidden or unicodedata.category(letter) == "Cc" for letter in name)
    ):
        raise UnpackError(f"has a name that no folder takes, {_shown(name)}; rename that file")
    return path


def archive_kind(head: bytes) -> str | None:
    """The kind of archive that a file is, from its first 512 bytes or more."""
    if head[257:262] == b"ustar":
        return "tar"
    return next((kind for magic, kind in _ARCHIVES.items() if head.startswith(magic)), None)


class _BoundedFile(io.FileIO):
    """A file of which little is read at a time, whatever lengths its content claims."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LARGEST_DIRECTORY:
            raise UnpackError("holds more files than can be taken")
        return super().read(_LARGEST_DIRECTORY if size is None or size < 0 else size) or b""


class _DamagedError(Exception):
    """A file in an archive cannot be read."""


def _opened(file: _BoundedFile) -> ZipFile:
    try:
        return ZipFile(file)
    except _DAMAGE as error:
        raise UnpackError(
            "is no zip archive, or damaged or incomplete; make it anew, or send it again"
        ) from error


def _extract(source: ZipFile, folder: Path, most_bytes: int, most_files: int) -> Unpacked:
    """Unpacks the files, and counts their bytes; takes and raises as `unpack`."""
    unpacked = Unpacked()
    for path, info in _checked_entries(source, most_files):
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as file:
                for piece in _pieces(source, info):
                    unpacked.total_bytes += len(piece)
                    if unpacked.total_bytes > most_bytes:
                        most = f"{most_bytes / 2**20:.4g} MB"
                        raise UnpackError(
                            f"is more than {most} once it is unpacked; make several of it"
                        )
                    size = file.tell() + len(piece)
                    if size > max(_TOO_SMALL_FOR_A_BOMB, _LARGEST_RATIO * info.compress_size):
                        raise UnpackError(
                            "grows so much when it is unpacked that it looks like a zip bomb; "
                            "send its photos without the zip"
                        )
                    file.write(piece)
        except _DamagedError:
            target.unlink()
            reason = "it is damaged in the archive; make the archive anew"
            unpacked.unreadable.append(Note(path=Path(path), reason=reason))
        except OSError as error:  # also if two files have one name, as this system sees it
            raise UnpackError(
                f"{_shown(path)} in it cannot be stored here ({error.strerror})"
            ) from error
        else:
            unpacked.files.append(Path(path))
    return unpacked


def _pieces(source: ZipFile, info: ZipInfo) -> Iterator[bytes]:
    """Yields a file's content; its checksum is compared at the end."""
    try:
        with source.open(info) as stream:
            while piece := stream.read(_PIECE):
                yield piece
    except _DAMAGE as error:
        raise _DamagedError from error


def _checked_entries(source: ZipFile, most_files: int) -> list[tuple[PurePosixPath, ZipInfo]]:
    """The files of an archive that is safe to unpack; all names are counted.

    Raises:
        UnpackError: if it is not safe to unpack.
    """
    entries: list[tuple[PurePosixPath, ZipInfo]] = []
    names = set[PurePosixPath]()
    for info in source.infolist():
        path = safe_path_of(info.orig_filename)
        if len(path.parts) > MOST_NESTED:
            raise UnpackError(f"holds folders more than {MOST_NESTED} deep; make it anew without")
        names.update((path, *path.parents))
        if len(names) > MOST_FILES:
            raise UnpackError("holds too many files and folders; make several smaller ones")
        _check_kind(info)
        # macOS puts a hidden file beside each.
        hidden = any(part == "__MACOSX" or part.startswith(".") for part in path.parts)
        if not (info.orig_filename.endswith("/") or hidden):
            entries.append((path, info))
    if len(entries) > most_files:
        raise UnpackError(f"holds more than {most_files} files; make several smaller ones")
    return entries


def _check_kind(info: ZipInfo) -> None:
    """Refuses an entry that is not a plain file or folder, or that cannot be read."""
    name = _shown(info.orig_filename)
    mode = info.external_attr >> 16
    plain = stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR)
    if not plain or info.external_attr & _REPARSE_POINT:
        raise UnpackError(f"has a link or a device inside, {name}; put the file itself there")
    if info.flag_bits & _ENCRYPTED:
        raise UnpackError("is locked with a password; make it anew without one")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise UnpackError(
            f"is compressed in an unusual way ({name}); make it anew, with the method Deflate"
        )


def _shown(name: str | PurePosixPath) -> str:
    """A name for a message: on one line, and shortened."""
    text = printable(str(name))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."
