"""Reads and patches image file directories, the structure of EXIF blocks and TIFF files.

No byte that is there is moved: the notes of camera makers hold offsets into the block, and survive
only so. What has to grow is written again behind everything else.

Reference: TIFF 6.0 section 2; CIPA DC-008 (Exif 2.32).
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import IO

_INTEGER_FORMATS = {3: "H", 4: "I"}  # field types SHORT and LONG
_ENTRY_BYTES = 12
_MOST_ENTRIES = 1000
"""Of a directory; cameras write fewer than 100."""
_ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 2, 3, 4, 5, 7  # field types


_BYTES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8,
    17: 8, 18: 8,
}  # fmt: skip
"""Of a value, by field type."""


class GarbageError(Exception):
    """The bytes are not such a block, or an offset in it leads nowhere."""


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of a directory: its position, and how its integers are stored."""

    position: int
    tag: int
    format: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Directory:
    """One image file directory."""

    start: int
    end: int
    fields: list[Field]
    following: int
    """Offset of the next directory; 0 for none."""

    def find(self, tag: int) -> Field | None:
        """The first entry with a tag."""
        return next((entry for entry in self.fields if entry.tag == tag), None)


def extent_of(
    file: IO[bytes], start: int, order: str, *, is_big: bool, pointers: Collection[int] = ()
) -> int:
    """Count the bytes of all values of a directory; those that share bytes count repeatedly.

    Args:
        file: a TIFF file.
        start: offset of the directory.
        order: byte order, ``<`` or ``>``.
        is_big: whether the file is BigTIFF.
        pointers: tags of directories inside it, which count, too.

    Raises:
        GarbageError: a directory is cut off or has too many entries.
    """
    head, entry = (
        struct.Struct(order + one) for one in (("Q", "HHQQ") if is_big else ("H", "HHII"))
    )
    try:
        file.seek(start)
        (count,) = head.unpack(file.read(head.size))
        if count > _MOST_ENTRIES:
            raise GarbageError
        entries = list(entry.iter_unpack(file.read(count * entry.size)))
    except (struct.error, OSError, OverflowError) as error:
        raise GarbageError from error
    total = sum(count * _BYTES.get(kind, 0) for _, kind, count, _ in entries)
    for inner in (value for tag, _, _, value in entries if tag in pointers):
        total += extent_of(file, inner, order, is_big=is_big)
    return total


Value = str | bytes | int | tuple[int, ...] | Fraction
"""What `Block.rewrite` stores: text as ASCII, bytes as UNDEFINED, an offset as LONG, integers as
SHORT or LONG, a fraction as RATIONAL."""


class Block:
    """The bytes of a block, with methods that read and change its directories.

    Args:
        content: a TIFF file, or an EXIF block without the leading ``Exif\\0\\0``.

    Raises:
        GarbageError: by the constructor and every method, where the bytes make no sense.
    """

    def __init__(self, content: bytes) -> None:
        self.data = bytearray(content)
        self.big_endian = content[:2] == b"MM"
        self._order = ">" if self.big_endian else "<"
        if content[:2] not in (b"II", b"MM") or self._read("H", 2) != (42,):
            raise GarbageError
        (self.first,) = self._read("I", 4)

    def directory(self, start: int) -> Directory:
        """The directory at an offset."""
        (count,) = self._read("H", start)
        if count > _MOST_ENTRIES:
            raise GarbageError
        end = start + 2 + count * _ENTRY_BYTES
        fields = []
        for position in range(start + 2, end, _ENTRY_BYTES):
            tag, kind, length = self._read("HHI4x", position)
            fields.append(Field(position, tag, _INTEGER_FORMATS.get(kind), length))
        following = self._read("I", end)[0] if end + 4 <= len(self.data) else 0
        return Directory(start, end, fields, following)

    def integers(self, entry: Field | None) -> tuple[int, ...]:
        """The integers of an entry; none if the entry is None or holds something else."""
        if entry is None or entry.format is None or not 0 < entry.count <= len(self.data):
            return ()
        layout = f"{entry.count}{entry.format}"
        inline = struct.calcsize(self._order + layout) <= 4
        offset = entry.position + 8
        return self._read(layout, offset if inline else self._read("I", offset)[0])

    def content(self, entry: Field | None) -> bytes:
        """The content of an entry of text or of bytes; empty if the entry is None."""
        if entry is None or not 0 < entry.count <= len(self.data):
            return b""
        offset = entry.position + 8
        start = offset if entry.count <= 4 else self._read("I", offset)[0]
        return bytes(self.data[start : start + entry.count])

    def erase(self, entry: Field | None) -> None:
        """Zero the content of an entry of text or of bytes; None is ignored."""
        if entry is not None and 4 < entry.count <= len(self.data):
            (start,) = self._read("I", entry.position + 8)
            end = min(start + entry.count, len(self.data))
            self.data[start:end] = bytes(max(0, end - start))

    def put(self, directory: Directory, values: dict[int, int]) -> None:
        """Overwrite the integers of entries that hold one; entries that are missing stay so."""
        for entry in directory.fields:
            if entry.tag in values and entry.format is not None and entry.count == 1:
                value = values[entry.tag]
                if entry.format == "H" and value > 0xFFFF:
                    value = 0
                struct.pack_into(self._order + entry.format, self.data, entry.position + 8, value)

    def rewrite(self, directory: Directory | None, changes: Mapping[int, Value | None]) -> int:
        """Write a changed copy of a directory behind everything else, as the last one.

        Args:
            directory: what to copy, entry by entry; None for an empty one.
            changes: the new values by tag; None leaves the entry out.

        Returns:
            The offset of the copy.
        """
        self.data += bytes(len(self.data) % 2)
        start = len(self.data)
        old = directory.fields if directory else []
        entries = {
            entry.tag: bytes(self.data[entry.position : entry.position + _ENTRY_BYTES])
            for entry in old
            if entry.tag not in changes
        }
        new = {tag: value for tag, value in changes.items() if value is not None}
        values_start = start + 2 + (len(entries) + len(new)) * _ENTRY_BYTES + 4
        values = bytearray()
        for tag, value in new.items():
            kind, count, stored = self._stored(value)
            if len(stored) > 4:
                field = struct.pack(self._order + "I", values_start + len(values))
                values += stored + bytes(len(stored) % 2)
            else:
                field = stored.ljust(4, b"\0")
            entries[tag] = struct.pack(self._order + "HHI", tag, kind, count) + field
        self.data += struct.pack(self._order + "H", len(entries))
        self.data += b"".join(entries[tag] for tag in sorted(entries))
        self.data += bytes(4) + values
        return start

    def begin_with(self, start: int) -> None:
        """Make the directory at an offset the first one."""
        struct.pack_into(self._order + "I", self.data, 4, start)
        self.first = start

    def end_after(self, directory: Directory) -> None:
        """Make a directory the last one."""
        struct.pack_into(self._order + "I", self.data, directory.end, 0)

    def blank(self, start: int, end: int) -> None:
        """Zero the bytes, or cut them off if nothing follows."""
        if end >= len(self.data):
            del self.data[start:]
        else:
            self.data[start:end] = bytes(max(0, end - start))

    def _stored(self, value: Value) -> tuple[int, int, bytes]:
        """Field type, count and bytes."""
        if isinstance(value, str):
            text = value.encode("utf-8") + b"\0"
            return _ASCII, len(text), text
        if isinstance(value, bytes):
            return _UNDEFINED, len(value), value
        if isinstance(value, Fraction):
            return _RATIONAL, 1, struct.pack(self._order + "II", *value.as_integer_ratio())
        if isinstance(value, int):
            return _LONG, 1, struct.pack(self._order + "I", value)
        kind = _SHORT if max(value) <= 0xFFFF else _LONG
        layout = f"{len(value)}{_INTEGER_FORMATS[kind]}"
        return kind, len(value), struct.pack(self._order + layout, *value)

    def _read(self, layout: str, position: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self._order + layout, self.data, position)
        except struct.error as error:
            raise GarbageError from error
