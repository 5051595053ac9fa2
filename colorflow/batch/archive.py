"""Unpacks zip archives that are not trusted, and packs a folder into one.

An archive that could do harm is refused as a whole before any of its files is used. Its directory
is checked first, for every operating system at once, so that no name stands for two files: Windows
ignores case and trailing dots, macOS ignores how an accent is encoded, and both have names that are
not files. What comes out is counted, because a zip bomb lies about its size. A file that is merely
damaged is reported by name, and the others are unpacked.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import stat
import struct
import sys
import tarfile
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from colorflow.batch.names import LONGEST_NAME
from colorflow.batch.task import Note
from colorflow.errors import BatchError, WritePhotoError, printable
from colorflow.files import FileKind, is_temporary_name, statement_of, whole_file
from colorflow.photo import PHOTO_SUFFIXES

MOST_FILES = 10_000
"""In an archive of photos, and of results."""
_PIECE = 1 << 16
"""Bytes that are unpacked at a time."""
_LARGEST_DIRECTORY = 1 << 20
"""Largest directory of an archive, in bytes; it takes ten times as many in memory."""
_TOO_SMALL_FOR_A_BOMB = 1 << 20
"""Bytes up to which the compression ratio of a file does not matter."""
_DAMAGE = (BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError)
"""What `zipfile` raises on damaged archives."""
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
"""Names that Windows keeps for devices."""
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


RESULTS: FileKind = FileKind("zip of results", lambda path: _ends_with(path, _comment()))
"""The kind of zip that a command writes: the comment at its end says so."""


class UnpackError(Exception):
    """An archive is not unpacked; the message follows its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """Limits of what may come out of an archive.

    Attributes:
        entries: number of files, without system files such as ``.DS_Store``.
        entry_bytes: size of one file.
        total_bytes: size of all files.
        names: number of files and folders, system files and folders on the way included.
        ratio: size of one file over its compressed size. Deflate reaches 1032 for one repeated
            byte; scans reach 10, a drawing on white 100.
    """

    entries: int
    entry_bytes: int
    total_bytes: int
    names: int = MOST_FILES
    ratio: float = 200.0


@dataclass(slots=True, kw_only=True)
class Unpacked:
    """What came out of an archive.

    Attributes:
        files: paths relative to the folder, in the archive's order.
        total_bytes: of these files, and of what came out of damaged ones.
        names: number of files and folders in the archive.
        unreadable: files that are damaged in the archive, by relative path, with the reason.
    """

    files: list[Path] = field(default_factory=list)
    total_bytes: int = 0
    names: int = 0
    unreadable: list[Note] = field(default_factory=list)


def unpack(archive: Path, folder: Path, limits: ArchiveLimits) -> Unpacked:
    """Unpacks a zip archive, with the folders inside it, without system files.

    Args:
        archive: the file.
        folder: new, or empty. It is removed if the archive is refused.
        limits: of what comes out.

    Raises:
        BatchError: the archive is damaged as a whole, exceeds a limit, or contains what no album
            needs and what may do harm: links, names that lead out of the folder or that some
            systems take for others, passwords, archives.
    """
    folder.mkdir(exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
    try:
        with _BoundedFile(archive) as file:
            return _unpack(file, folder, limits)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, UnpackError):
            raise BatchError(f"{archive.name}: {error}") from None
        raise


def usual_limits(folder: Path) -> ArchiveLimits:
    """Limits for archives of this machine's user: half of the room that a folder's disk has."""
    room = shutil.disk_usage(folder).free // 2
    return ArchiveLimits(entries=MOST_FILES, entry_bytes=room, total_bytes=room)


def packed_files(folder: Path) -> list[Path]:
    """All files in and below a folder, except links and unfinished files."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not is_temporary_name(path.name)
    ]


def pack(
    folder: Path, archive: Path, kind: FileKind | None = None, files: Iterable[Path] | None = None
) -> None:
    """Packs files, with the folders that they lie in.

    Args:
        folder: holds them.
        archive: the file; it appears whole or not at all.
        kind: `RESULTS`, which replace only their kind; None in a folder of our own.
        files: in or below the folder; None for its `packed_files`.

    Raises:
        WritePhotoError: the archive cannot be written.
    """
    files = packed_files(folder) if files is None else files
    try:
        with (
            whole_file(archive, kind) as file,
            ZipFile(file, "w", strict_timestamps=False) as target,
        ):
            target.comment = _comment() if kind else b""
            for path in files:
                is_photo = path.suffix.lower() in PHOTO_SUFFIXES  # compressed already
                name = path.relative_to(folder).as_posix()
                target.write(
                    path,
                    name.encode("utf-8", "xmlcharrefreplace").decode(),  # names may be no UTF-8
                    compress_type=ZIP_STORED if is_photo else ZIP_DEFLATED,
                )
    except OSError as error:
        raise WritePhotoError(archive, f"the file cannot be written ({error.strerror})") from error


def safe_path_of(name: str) -> PurePosixPath:
    """The relative path for a file, from its name in an archive.

    Raises:
        UnpackError: unless every system takes the name for a path inside the folder.
    """
    path = PurePosixPath(name)
    # Windows takes any character before a colon for a drive.
    if path.is_absolute() or any(p[1:2] == ":" or not p.strip(". ") for p in path.parts):
        raise UnpackError(f"names a path outside of it, {_shown(name)}; make it anew")
    forbidden = '\\:*?"<>|' if sys.platform == "win32" else "\\"
    if (
        any(letter in forbidden or unicodedata.category(letter) == "Cc" for letter in name)
        or any(_DEVICE.fullmatch(p) or len(p.encode()) > LONGEST_NAME for p in path.parts)
        or len(name.encode()) > _LONGEST_PATH
    ):
        raise UnpackError(
            f"has a name that not every system takes, {_shown(name)}; rename that file"
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


def _comment() -> bytes:
    return statement_of(RESULTS).encode()


def _ends_with(path: Path, ending: bytes) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - len(ending)))
        return file.read() == ending


class _BoundedFile(io.FileIO):
    """A file of which little is read at a time, whatever lengths its content claims."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LARGEST_DIRECTORY:
            raise UnpackError("holds more files than can be taken")
        return super().read(_LARGEST_DIRECTORY if size is None or size < 0 else size) or b""


class _DamagedError(Exception):
    """A file in an archive cannot be read."""


def _unpack(file: _BoundedFile, folder: Path, limits: ArchiveLimits) -> Unpacked:
    try:
        source = ZipFile(file)
    except _DAMAGE as error:
        raise UnpackError(
            "is no zip archive, or damaged or incomplete; make it anew, or send it again"
        ) from error
    unpacked = Unpacked()
    with source:
        for path, info in _checked_entries(source, limits, unpacked).items():
            target = folder / path
            try:
                _extract(source, path, info, target, limits, unpacked)
            except _DamagedError:
                target.unlink()
                reason = "it is damaged in the archive; make the archive anew"
                unpacked.unreadable.append(Note(path=Path(path), reason=reason))
            except OSError as error:
                raise UnpackError(
                    f"{_shown(path)} in it cannot be stored here ({error.strerror})"
                ) from error
            else:
                unpacked.files.append(Path(path))
    return unpacked


def _extract(
    source: ZipFile,
    path: PurePosixPath,
    info: ZipInfo,
    target: Path,
    limits: ArchiveLimits,
    unpacked: Unpacked,
) -> None:
    """Unpacks one file, and counts its bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with open(target, "xb") as file:
        for piece in _pieces(source, info):
            if not size and (kind := archive_kind(piece, path)):
                raise UnpackError(
                    f"has an archive inside, {_shown(path)} ({kind}); unpack that first"
                )
            size += len(piece)
            unpacked.total_bytes += len(piece)
            if size > limits.entry_bytes:
                most = _as_megabytes(limits.entry_bytes)
                raise UnpackError(f"has a file inside of more than {most}, {_shown(path)}")
            if unpacked.total_bytes > limits.total_bytes:
                most = _as_megabytes(limits.total_bytes)
                raise UnpackError(f"is more than {most} once it is unpacked; make several of it")
            if size > max(_TOO_SMALL_FOR_A_BOMB, limits.ratio * info.compress_size):
                raise UnpackError(
                    "grows so much when it is unpacked that it looks like a zip bomb; "
                    "send its photos without the zip"
                )
            file.write(piece)


def _pieces(source: ZipFile, info: ZipInfo) -> Iterator[bytes]:
    """Yields a file's content; its checksum is compared at the end."""
    try:
        with source.open(info) as stream:
            while piece := stream.read(_PIECE):
                yield piece
    except _DAMAGE as error:
        raise _DamagedError from error


def _checked_entries(
    source: ZipFile, limits: ArchiveLimits, unpacked: Unpacked
) -> dict[PurePosixPath, ZipInfo]:
    """The files of an archive that is safe to unpack; all names are counted.

    Raises:
        UnpackError: if it is not safe to unpack.
    """
    entries: dict[PurePosixPath, ZipInfo] = {}
    seen: dict[tuple[str, ...], PurePosixPath] = {}
    names = set[PurePosixPath]()
    for info in source.infolist():
        path = safe_path_of(info.orig_filename)
        names.update((path, *path.parents))
        if len(names) > limits.names:
            raise UnpackError("holds too many files and folders; make several smaller ones")
        _check_kind(info)
        if info.orig_filename.endswith("/") or _is_system_file(path):
            continue
        if not path.parts:
            raise UnpackError("has a file without a name; make it anew")
        if (other := seen.setdefault(_normalized(path), path)) is not path:
            _refuse_alike(other, path)
        entries[path] = info
    for path in entries:
        for folder in path.parents:
            if file := seen.get(_normalized(folder)):
                _refuse_alike(file, path)
    if len(entries) > limits.entries:
        raise UnpackError(f"holds more than {limits.entries} files; make several smaller ones")
    _check_apart(source)
    unpacked.names = len(names)
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


def _check_apart(source: ZipFile) -> None:
    """Refuses files that share bytes of the archive, as those of some zip bombs do."""
    end = 0
    for info in sorted(source.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise UnpackError("has files that overlap, as in a zip bomb; make it anew")
        end = info.header_offset + _LOCAL_HEADER + info.compress_size
    if end > source.start_dir:
        raise UnpackError("is damaged: its files are longer than it is; make it anew")


def _refuse_alike(one: PurePosixPath, other: PurePosixPath) -> None:
    raise UnpackError(
        f"has two files, or a file and a folder, of one name, {_shown(one)} and {_shown(other)}; "
        "rename one"
    )


def _normalized(path: PurePosixPath) -> tuple[str, ...]:
    """Ignores what some system ignores: case, the encoding of accents, trailing dots and spaces."""
    return tuple(unicodedata.normalize("NFD", part.casefold()).rstrip(". ") for part in path.parts)


def _is_system_file(path: PurePosixPath) -> bool:
    name = path.name.lower()
    return _SYSTEM_FOLDER in path.parts or name in _SYSTEM_FILES or name.startswith("._")


def _as_megabytes(size: int) -> str:
    return f"{size / 2**20:.4g} MB"


def _shown(name: str | PurePosixPath) -> str:
    """A name for a message: on one line, and shortened."""
    text = printable(str(name))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."
