"""Reads and writes EXIF blocks with Pillow: corrected for the upright picture, and with texts.

Of a block the main directory and those of Exif and GPS are kept. Thumbnails are gray and not
turned, and the notes of camera makers hold offsets into the block that they were in; both are left
out, and so is what is damaged.

Reference: CIPA DC-008 (Exif 2.32), TIFF 6.0 section 2.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Collection
from contextlib import suppress
from typing import IO

from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import ImageFileDirectory_v2 as Directory

PREFIX = b"Exif\0\0"
LARGEST_BLOCK = (1 << 16) - 1
"""Bytes of a block that is kept; JPEG's segments hold no more."""
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What libraries raise on damaged files: their own code, struct, zlib and the decoders."""
TIFF_DESCRIPTION = (
    Base.DocumentName,
    Base.ImageDescription,
    Base.Make,
    Base.Model,
    Base.Orientation,
    Base.XResolution,
    Base.YResolution,
    Base.ResolutionUnit,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.HostComputer,
    Base.Copyright,
)
"""Tags of a TIFF directory that describe the photo; the others describe how it is stored."""
DIRECTORIES = (IFD.Exif, IFD.GPSInfo)
"""Those that are kept beside the main one."""
_LEFT_OUT = (*DIRECTORIES, IFD.MakerNote, IFD.Interop, Base.SubIFDs)
"""Entries that hold offsets; the directories are read on their own."""
_SRGB = 1


class Block:
    """The directories of an EXIF block or a TIFF file, empty where there are none.

    Args:
        content: a TIFF file, or what follows ``Exif\\0\\0``; None for a new block.
        tags: of the main directory's entries that are kept; None for all.
        start: offset of the main directory; None for the first one.
    """

    def __init__(
        self,
        content: IO[bytes] | None,
        tags: Collection[int] | None = None,
        start: int | None = None,
    ) -> None:
        self._order = b"II"
        self.main, self._exif, self._gps = (Directory(group=tag) for tag in (None, *DIRECTORIES))
        if content is not None:
            with suppress(*DAMAGE):
                self._load(content, tags, start)

    def _load(self, file: IO[bytes], tags: Collection[int] | None, start: int | None) -> None:
        file.seek(0)
        order, version, first = file.read(2), file.read(2), file.read(4)
        is_big = b"+" in version  # BigTIFF
        header = b"II+\0" + first + file.read(8) if is_big else b"II*\0" + first
        main, *inner = (Directory(header, order, tag) for tag in (None, *DIRECTORIES))
        file.seek(main.next if start is None else start)
        main.load(file)
        self._order = order
        self.main = _copy(main, tags)
        for tag, directory in zip(DIRECTORIES, inner, strict=True):
            with suppress(*DAMAGE):
                file.seek(main[tag])
                directory.load(file)
        self._exif, self._gps = map(_copy, inner)

    @property
    def is_big_endian(self) -> bool:
        """Whether the first byte of a number is the most significant one."""
        return self._order == b"MM"

    @property
    def orientation(self) -> int | None:
        """1 to 8; None where there is none."""
        said = self.main.get(Base.Orientation)
        return said if said in range(1, 9) else None

    def text(self, tag: int) -> str | None:
        """A text of the main directory; None where there is none."""
        stored = self.main.get(tag)
        return decoded(stored) if isinstance(stored, bytes) else None

    def put_text(self, tag: int, text: str) -> None:
        """Put a text into the main directory."""
        self.main[tag] = text.encode()

    def make_upright(self, width: int, height: int) -> None:
        """Correct orientation, sizes and color space, where they are said, for the sRGB picture.

        Args:
            width: of the upright picture, in pixels.
            height: of the upright picture, in pixels.
        """
        sizes = {Base.ImageWidth: width, Base.ImageLength: height}
        details = {Base.ExifImageWidth: width, Base.ExifImageHeight: height}
        for directory, changes in (
            (self.main, {Base.Orientation: 1, **sizes}),
            (self._exif, {Base.ColorSpace: _SRGB, **details}),
        ):
            for tag in changes.keys() & set(directory):
                directory.tagtype.pop(tag)
                directory[tag] = changes[tag]

    def to_tiff(self) -> bytes:
        """A TIFF file of the directories; its strips are to follow them."""
        content = bytes(8)
        for tag, directory in zip(DIRECTORIES, (self._exif, self._gps), strict=True):
            if len(directory):
                self.main[tag] = len(content)
                content += directory.tobytes(len(content))
        order = ">" if self.is_big_endian else "<"
        header = self._order + struct.pack(f"{order}HI", 42, len(content))
        return header + content[8:] + self.main.tobytes(len(content))

    def to_exif(self) -> bytes | None:
        """The block with the leading ``Exif\\0\\0``; None if it is empty."""
        if not (len(self.main) or len(self._exif) or len(self._gps)):
            return None
        return PREFIX + self.to_tiff()


def block_of(exif: bytes | None, tags: Collection[int] | None = None) -> Block:
    """The directories of a block, with or without the leading ``Exif\\0\\0``; see `Block`."""
    start = 0
    while exif and exif.startswith(PREFIX, start):
        start += len(PREFIX)
    return Block(io.BytesIO(exif[start:]) if exif else None, tags)


def _copy(loaded: Directory, tags: Collection[int] | None = None) -> Directory:
    """A directory of those entries that can be read, and written."""
    copy = Directory(prefix=loaded.prefix, group=loaded.group)
    for tag in set(loaded) - set(_LEFT_OUT):
        if tags is None or tag in tags:
            alone = Directory(prefix=loaded.prefix, group=loaded.group)
            with suppress(*DAMAGE):
                alone.tagtype[tag] = copy.tagtype[tag] = loaded.tagtype[tag]
                alone[tag] = value = _as_stored(loaded[tag])
                alone.tobytes()
                copy[tag] = value
    return copy


def _as_stored(value: object) -> object:
    """Text as the bytes of the file; Pillow reads Latin-1, but writes ASCII."""
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def decoded(stored: bytes) -> str | None:
    """Decode ASCII, as the standard says, or UTF-8 or Latin-1, as programs write it."""
    stored = stored.split(b"\0")[0].strip()
    try:
        return stored.decode("utf-8") or None
    except UnicodeDecodeError:
        return stored.decode("latin-1")
