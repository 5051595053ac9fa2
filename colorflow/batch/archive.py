"""Unpacks zip archives that are not trusted, and packs a folder into one.

An archive that could do harm is refused as a whole before any of its files is used. Its directory
is checked by `archive_entries.py`; what comes out is counted here, because a zip bomb lies about
its size. A file that is merely damaged is reported by name, and the others are unpacked.
"""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from colorflow.batch.archive_entries import (
    Entry,
    RefusedError,
    archive_kind,
    checked_entries,
    shown,
)
from colorflow.batch.task import Note
from colorflow.errors import BatchError, WritePhotoError
from colorflow.files import whole_file
from colorflow.photo import PHOTO_SUFFIXES

_PIECE = 1 << 16
"""Bytes that are unpacked at a time."""
_LARGEST_DIRECTORY = 1 << 20
"""Largest directory of an archive, in bytes; it takes ten times as many in memory."""
_TOO_SMALL_FOR_A_BOMB = 1 << 20
"""Bytes up to which the compression ratio of a file does not matter."""
_DAMAGE = (BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError)
"""What `zipfile` raises on damaged archives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """ArchiveLimits of what may come out of an archive.

    Attributes:
        entries: number of files, without system files, see `checked_entries`.
        entry_bytes: size of one file.
        total_bytes: size of all files.
        names: number of files and folders, see `checked_entries`.
        ratio: size of one file over its compressed size. Deflate reaches 1032 for one repeated
            byte; scans reach 10, a drawing on white 100.
    """

    entries: int
    entry_bytes: int
    total_bytes: int
    names: int = 10_000
    ratio: float = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What came out of an archive.

    Attributes:
        files: paths relative to the folder, in the archive's order.
        total_bytes: of these files.
        names: number of files and folders in the archive.
        unreadable: files that are damaged in the archive, by relative path, with the reason.
    """

    files: list[Path] = field(default_factory=list)
    total_bytes: int = 0
    names: int = 0
    unreadable: list[Note] = field(default_factory=list)


def unpack(archive: Path, folder: Path, limits: ArchiveLimits) -> Unpacked:
    """Unpacks a zip archive, with the folders inside it.

    Args:
        archive: the file.
        folder: created here; it must not exist. It is removed if the archive is refused.
        limits: of what comes out.

    Raises:
        BatchError: the archive is damaged as a whole, exceeds a limit, or contains what no album
            needs and what may do harm: links, names that lead out of the folder or that some
            systems take for others, passwords, archives.
    """
    folder.mkdir()
    try:
        with _BoundedFile(archive) as file:
            return _unpack(file, folder, limits)
    except RefusedError as refusal:
        shutil.rmtree(folder, ignore_errors=True)
        raise BatchError(f"{archive.name}: {refusal}") from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def pack(folder: Path, archive: Path) -> None:
    """Packs all files in and below a folder, except links.

    Args:
        folder: what to pack.
        archive: the file, in a folder of our own; it appears whole or not at all.

    Raises:
        WritePhotoError: the archive cannot be written.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    try:
        with (
            whole_file(archive, None) as file,
            ZipFile(file, "w", strict_timestamps=False) as target,
        ):
            for path in files:
                is_photo = path.suffix.lower() in PHOTO_SUFFIXES  # compressed already
                target.write(
                    path,
                    _as_utf8(path.relative_to(folder).as_posix()),
                    compress_type=ZIP_STORED if is_photo else ZIP_DEFLATED,
                )
    except OSError as error:
        raise WritePhotoError(archive, f"the file cannot be written ({error.strerror})") from error


class _BoundedFile(io.FileIO):
    """A file of which little is read at a time, whatever lengths its content claims."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LARGEST_DIRECTORY:
            raise RefusedError("holds more files than can be taken")
        return super().read(_LARGEST_DIRECTORY if size is None or size < 0 else size) or b""


def _unpack(file: _BoundedFile, folder: Path, limits: ArchiveLimits) -> Unpacked:
    try:
        source = ZipFile(file)
    except _DAMAGE as error:
        raise RefusedError(
            "is no zip archive, or damaged or incomplete; make it anew, or send it again"
        ) from error
    meter = _Meter(limits)
    files = []
    unreadable = []
    with source:
        entries, names = checked_entries(source, limits.entries, limits.names)
        for entry in entries:
            target = folder / entry.path
            try:
                _extract(source, entry, target, meter)
            except _DamagedError:
                target.unlink()
                reason = "it is damaged in the archive; make the archive anew"
                unreadable.append(Note(path=Path(entry.path), reason=reason))
            else:
                files.append(Path(entry.path))
    return Unpacked(files=files, total_bytes=meter.total, names=names, unreadable=unreadable)


class _DamagedError(Exception):
    """A file in an archive cannot be read."""


class _Meter:
    """Counts what comes out of an archive, and refuses the archive at a limit."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits
        self.total = 0

    def count(self, piece: int, size: int, entry: Entry) -> None:
        """Counts a piece of a file; `size` is the size of the file so far."""
        self.total += piece
        limits = self._limits
        if size > limits.entry_bytes:
            most = _as_megabytes(limits.entry_bytes)
            raise RefusedError(f"has a file inside of more than {most}, {shown(entry.path)}")
        if self.total > limits.total_bytes:
            most = _as_megabytes(limits.total_bytes)
            raise RefusedError(f"is more than {most} once it is unpacked; make several of it")
        if size > max(_TOO_SMALL_FOR_A_BOMB, limits.ratio * entry.info.compress_size):
            raise RefusedError(
                "grows so much when it is unpacked that it looks like a zip bomb; "
                "send its photos without the zip"
            )


def _extract(source: ZipFile, entry: Entry, target: Path, meter: _Meter) -> None:
    """Unpacks one file."""
    with _storing(entry):
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as file:
            size = 0
            for piece in _pieces(source, entry.info):
                if not size and (kind := archive_kind(piece, entry.path)):
                    raise RefusedError(
                        f"has an archive inside, {shown(entry.path)} ({kind}); unpack that first"
                    )
                size += len(piece)
                meter.count(len(piece), size, entry)
                file.write(piece)


@contextmanager
def _storing(entry: Entry) -> Iterator[None]:
    """Refuses the archive with the system's reason if a file cannot be written."""
    try:
        yield
    except OSError as error:
        raise RefusedError(
            f"{shown(entry.path)} in it cannot be stored here ({error.strerror})"
        ) from error


def _pieces(source: ZipFile, info: ZipInfo) -> Iterator[bytes]:
    """Yields a file's content; its checksum is compared at the end."""
    try:
        with source.open(info) as stream:
            while piece := stream.read(_PIECE):
                yield piece
    except _DAMAGE as error:
        raise _DamagedError from error


def _as_megabytes(size: int) -> str:
    return f"{size / 2**20:.4g} MB"


def _as_utf8(name: str) -> str:
    """A name that zip can hold; bytes that are not UTF-8 are escaped."""
    return name.encode("utf-8", "xmlcharrefreplace").decode()
