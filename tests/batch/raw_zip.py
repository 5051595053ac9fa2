"""Zip archives written byte by byte, so that they may say of themselves what they like."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14
UNIX = 3
UTF8 = 0x800


@dataclass(frozen=True, kw_only=True)
class File:
    """A file in an archive; what is None is as it should be."""

    name: str
    data: bytes = b""
    """As it is in the archive."""
    method: int = STORED
    crc: int | None = None
    size: int | None = None
    """Unpacked, as both headers say."""
    mode: int = 0o100644
    attributes: int = 0
    """Windows' own."""
    flags: int = UTF8
    at: int | None = None
    """Where the directory says that it is."""


def deflated(name: str, content: bytes, **changes: object) -> File:
    """A file as usual, with changes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(content) + packer.flush()
    usual = {"method": DEFLATED, "crc": zlib.crc32(content), "size": len(content)}
    return File(name=name, data=data, **{**usual, **changes})  # type: ignore[arg-type]


def zeros(name: str, mebibytes: int) -> File:
    """A bomb: zeros, a thousand times as many as the archive has bytes; 16 MiB are repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    data = piece * (mebibytes // 16) + packer.flush()
    return File(name=name, data=data, method=DEFLATED, crc=0, size=mebibytes * 2**20)


def write_raw(path: Path, files: Sequence[File], *, comment: bytes = b"") -> Path:
    """Writes an archive."""
    body, directory = bytearray(), bytearray()
    for file in files:
        name = file.name.encode()
        crc = zlib.crc32(file.data) if file.crc is None else file.crc
        size = len(file.data) if file.size is None else file.size
        shared = struct.pack(
            "<HHHHHIIIHH", 20, file.flags, file.method, 0, 0x21, crc, len(file.data), size,
            len(name), 0,
        )  # fmt: skip
        at = len(body) if file.at is None else file.at
        attributes = file.mode << 16 | file.attributes
        directory += b"PK\x01\x02" + bytes([20, UNIX]) + shared
        directory += struct.pack("<HHHII", 0, 0, 0, attributes, at) + name
        body += b"PK\x03\x04" + shared + name + file.data
    end = struct.pack(
        "<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(files) & 0xFFFF, len(files) & 0xFFFF,
        len(directory), len(body), len(comment),
    )  # fmt: skip
    path.write_bytes(bytes(body + directory) + end + comment)
    return path
