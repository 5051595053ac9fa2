"""EXIF blocks: read the orientation, and make a block true for the upright sRGB picture.

A block is patched in place rather than parsed and written anew: camera makers keep offsets into the
block in their notes, and texts in many encodings; both survive only where no byte moves.

Reference: CIPA DC-008 (Exif 2.32), TIFF 6.0 section 2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_PREFIX = b"Exif\0\0"

_ORIENTATION = 0x0112
_IMAGE_WIDTH, _IMAGE_HEIGHT = 0x0100, 0x0101
_EXIF_IFD = 0x8769
_COLOR_SPACE, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA001, 0xA002, 0xA003
_SRGB = 1
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_STRIP_OFFSETS, _STRIP_LENGTHS = 0x0111, 0x0117
_INTEGER_FORMATS = {3: "H", 4: "I"}  # field types SHORT and LONG
_ENTRY_BYTES = 12


class _GarbageError(Exception):
    """The block is not EXIF, or its directories lead nowhere."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One entry of a directory: where it lies, and how its integers are stored."""

    position: int
    tag: int
    format: str | None
    count: int


@dataclass(frozen=True, slots=True)
class _Directory:
    """One image file directory."""

    start: int
    end: int
    fields: list[_Field]
    following: int
    """Offset of the next directory; 0 for none."""


def orientation_of(exif: bytes) -> int:
    """Orientation, 1 to 8; 1 (upright) where the block does not say or is garbage."""
    try:
        block = _Block(exif)
        for entry in block.directory(block.first).fields:
            if entry.tag == _ORIENTATION and (values := block.integers(entry)):
                return values[0] if 1 <= values[0] <= 8 else 1
    except _GarbageError:
        pass
    return 1


def upright_exif(exif: bytes, width: int, height: int) -> bytes | None:
    """Make a block true for the upright sRGB picture.

    Orientation becomes 1, the sizes become the picture's, the colour space sRGB, and the thumbnail
    (still grey and unturned) is dropped.

    Args:
        exif: the block, with or without the leading ``Exif\\0\\0``.
        width: of the upright picture, in pixels.
        height: of the upright picture, in pixels.

    Returns:
        The block with the leading ``Exif\\0\\0``, or None where it is garbage.
    """
    try:
        block = _Block(exif)
        main = block.directory(block.first)
        block.put(main, {_ORIENTATION: 1, _IMAGE_WIDTH: width, _IMAGE_HEIGHT: height})
        for entry in main.fields:
            if entry.tag == _EXIF_IFD and (values := block.integers(entry)):
                sizes = {_PIXEL_WIDTH: width, _PIXEL_HEIGHT: height}
                block.put(block.directory(values[0]), {_COLOR_SPACE: _SRGB, **sizes})
        block.drop_thumbnail(main)
        if block.directory(block.first).fields != main.fields:  # the thumbnail lay over it
            return None
    except _GarbageError:
        return None
    return _PREFIX + bytes(block.data)


class _Block:
    """The bytes of a block and the few reads and writes that we need.

    Args:
        exif: the block, with or without the leading ``Exif\\0\\0``.

    Raises:
        _GarbageError: here and in every method, where the bytes make no sense.
    """

    def __init__(self, exif: bytes) -> None:
        while exif.startswith(_PREFIX):
            exif = exif[len(_PREFIX) :]
        self.data = bytearray(exif)
        self._order = {b"II": "<", b"MM": ">"}.get(exif[:2], "")
        if not self._order or self._read("H", 2) != (42,):
            raise _GarbageError
        (self.first,) = self._read("I", 4)

    def directory(self, start: int) -> _Directory:
        """The directory at an offset."""
        (count,) = self._read("H", start)
        end = start + 2 + count * _ENTRY_BYTES
        fields = []
        for position in range(start + 2, end, _ENTRY_BYTES):
            tag, kind, length = self._read("HHI4x", position)
            fields.append(_Field(position, tag, _INTEGER_FORMATS.get(kind), length))
        following = self._read("I", end)[0] if end + 4 <= len(self.data) else 0
        return _Directory(start, end, fields, following)

    def integers(self, entry: _Field) -> tuple[int, ...]:
        """The integers of an entry; none where it holds something else."""
        if entry.format is None or not 0 < entry.count <= len(self.data):
            return ()
        layout = f"{entry.count}{entry.format}"
        inline = struct.calcsize(self._order + layout) <= 4
        place = entry.position + 8
        return self._read(layout, place if inline else self._read("I", place)[0])

    def put(self, directory: _Directory, values: dict[int, int]) -> None:
        """Overwrite the single integers of the entries that are there; add none."""
        for entry in directory.fields:
            if entry.tag in values and entry.format is not None and entry.count == 1:
                value = values[entry.tag]
                if entry.format == "H" and value > 0xFFFF:
                    value = 0
                struct.pack_into(self._order + entry.format, self.data, entry.position + 8, value)

    def drop_thumbnail(self, main: _Directory) -> None:
        """Blank the second directory and the picture that it holds, and unlink it."""
        if not main.following:
            return
        struct.pack_into(self._order + "I", self.data, main.end, 0)
        second = self.directory(main.following)
        numbers = {entry.tag: self.integers(entry) for entry in second.fields}
        for offsets, lengths in (
            (_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH),
            (_STRIP_OFFSETS, _STRIP_LENGTHS),
        ):
            for start, length in zip(
                numbers.get(offsets, ()), numbers.get(lengths, ()), strict=False
            ):
                self._blank(start, start + length)
        self._blank(second.start, second.end + 4)

    def _blank(self, start: int, end: int) -> None:
        """Zero the bytes, or cut them off where nothing follows."""
        if end >= len(self.data):
            del self.data[start:]
        else:
            self.data[start:end] = bytes(max(0, end - start))

    def _read(self, layout: str, position: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self._order + layout, self.data, position)
        except struct.error as error:
            raise _GarbageError from error
