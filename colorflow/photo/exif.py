"""Reads and changes EXIF blocks: orientation, sizes, color space, thumbnail and texts.

A block is patched in place, not parsed and written anew, so that parts of it that nobody has
documented, such as the notes of camera makers, survive.

Reference: CIPA DC-008 (Exif 2.32), TIFF 6.0 section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

from colorflow.photo.ifd import Block, Directory, GarbageError, Value

PREFIX = b"Exif\0\0"
_EMPTY = b"II*\0\x08\0\0\0" + bytes(6)
"""A block whose only directory has no entry."""

_ORIENTATION = 0x0112
_IMAGE_WIDTH, _IMAGE_HEIGHT = 0x0100, 0x0101
_DESCRIPTION, _SOFTWARE = 0x010E, 0x0131
_EXIF_IFD = 0x8769
_COLOR_SPACE, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA001, 0xA002, 0xA003
_USER_COMMENT = 0x9286
_SRGB = 1
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_STRIP_OFFSETS, _STRIP_LENGTHS = 0x0111, 0x0117
_ASCII, _UNICODE, _UNDEFINED_CODE = b"ASCII\0\0\0", b"UNICODE\0", bytes(8)
"""Character codes that a user comment begins with."""
_CODE_BYTES = 8
_MOST_STRIPS = 64
"""Strips of a thumbnail that are blanked."""
LARGEST_BLOCK = (1 << 16) - 1
"""Bytes of a block that is kept; JPEG's segments hold no more."""


def orientation_in_exif(exif: bytes) -> int | None:
    """The orientation, 1 to 8; None where the block has none or is garbage."""
    try:
        block = _block(exif)
        values = block.integers(block.directory(block.first).find(_ORIENTATION))
        return values[0] if values and 1 <= values[0] <= 8 else None
    except GarbageError:
        return None


def upright_exif(exif: bytes, width: int, height: int) -> bytes | None:
    """Correct a block for the upright sRGB picture.

    The orientation becomes 1, the sizes become the picture's, the color space becomes sRGB, and the
    thumbnail, which is gray and not turned, is dropped.

    Args:
        exif: the block, with or without the leading ``Exif\\0\\0``.
        width: of the upright picture, in pixels.
        height: of the upright picture, in pixels.

    Returns:
        The block with the leading ``Exif\\0\\0``, or None where it is garbage or, without the
        thumbnail, larger than `LARGEST_BLOCK`.
    """
    try:
        block = _block(exif)
        main = block.directory(block.first)
        block.put(main, {_ORIENTATION: 1, _IMAGE_WIDTH: width, _IMAGE_HEIGHT: height})
        if details := _details(block, main):
            sizes = {_PIXEL_WIDTH: width, _PIXEL_HEIGHT: height}
            block.put(details, {_COLOR_SPACE: _SRGB, **sizes})
        _drop_thumbnail(block, main)
        if block.directory(block.first).fields != main.fields:  # the thumbnail overlapped it
            return None
    except GarbageError:
        return None
    return PREFIX + bytes(block.data) if len(block.data) <= LARGEST_BLOCK else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExifTexts:
    """Texts of a block that people read; None for a text that is missing or illegible."""

    description: str | None = None
    """Description of the picture (ImageDescription)."""
    software: str | None = None
    """Program that wrote the file (Software)."""
    comment: str | None = None
    """Comment of a user (UserComment)."""
    comment_is_legible: bool = True
    """Whether there is no comment, or one that could be read."""


def texts_of(exif: bytes | None) -> ExifTexts:
    """Read the texts of a block; none where it is garbage or None."""
    try:
        block = _block(exif or _EMPTY)
        main = block.directory(block.first)
        details = _details(block, main)
        stored = block.content(details.find(_USER_COMMENT)) if details else b""
        comment = _comment(stored, big_endian=block.big_endian)
        return ExifTexts(
            description=_text(block.content(main.find(_DESCRIPTION))),
            software=_text(block.content(main.find(_SOFTWARE))),
            comment=comment or None,
            comment_is_legible=comment is not None,
        )
    except GarbageError:
        return ExifTexts()


def with_texts(exif: bytes | None, texts: ExifTexts) -> bytes | None:
    """Put texts into a block; those that are None stay as they are.

    Args:
        exif: the block; None for a new one. A block that is garbage is returned unchanged.
        texts: what to write.

    Returns:
        The block with the leading ``Exif\\0\\0``.
    """
    try:
        block = _block(exif or _EMPTY)
        main = block.directory(block.first)
        changes: dict[int, Value | None] = {}
        if texts.description is not None:
            block.erase(main.find(_DESCRIPTION))
            changes[_DESCRIPTION] = texts.description
        if texts.software is not None:
            block.erase(main.find(_SOFTWARE))
            changes[_SOFTWARE] = texts.software
        if texts.comment is not None:
            details = _details(block, main)
            block.erase(details.find(_USER_COMMENT) if details else None)
            stored = _stored_comment(texts.comment, big_endian=block.big_endian)
            changes[_EXIF_IFD] = block.rewrite(details, {_USER_COMMENT: stored})
        block.begin_with(block.rewrite(main, changes))
    except GarbageError:
        return exif
    return PREFIX + bytes(block.data)


def block_of(exif: bytes | None) -> tuple[Block, Directory]:
    """Parse a block and its main directory; both are empty if it is garbage or None."""
    try:
        block = _block(exif or _EMPTY)
        return block, block.directory(block.first)
    except GarbageError:
        return block_of(None)


def _block(exif: bytes) -> Block:
    start = 0
    while exif.startswith(PREFIX, start):
        start += len(PREFIX)
    return Block(exif[start:])


def _details(block: Block, main: Directory) -> Directory | None:
    """The Exif directory, below the main one."""
    values = block.integers(main.find(_EXIF_IFD))
    return block.directory(values[0]) if values else None


def _drop_thumbnail(block: Block, main: Directory) -> None:
    """Blank the second directory and the picture that it holds, and unlink it."""
    if not main.following:
        return
    block.end_after(main)
    second = block.directory(main.following)
    for tags in ((_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH), (_STRIP_OFFSETS, _STRIP_LENGTHS)):
        offsets, lengths = (block.integers(second.find(tag))[:_MOST_STRIPS] for tag in tags)
        for start, length in zip(offsets, lengths, strict=False):
            block.blank(start, start + length)
    block.blank(second.start, second.end + 4)


def _text(stored: bytes) -> str | None:
    """Decode ASCII, as the standard says, or UTF-8 or Latin-1, as programs write it."""
    stored = stored.split(b"\0")[0].strip()
    try:
        return stored.decode("utf-8") or None
    except UnicodeDecodeError:
        return stored.decode("latin-1")


def _comment(stored: bytes, *, big_endian: bool) -> str | None:
    """Decode a user comment with its character code; None where it is illegible."""
    code, stored = stored[:_CODE_BYTES], stored[_CODE_BYTES:]
    if code == _UNICODE:
        text = stored.decode("utf-16-be" if big_endian else "utf-16-le", "replace")
        return text.strip(" \0")
    if code in (_ASCII, _UNDEFINED_CODE, b""):
        return _text(stored) or ""
    return None


def _stored_comment(text: str, *, big_endian: bool) -> bytes:
    if text.isascii():
        return _ASCII + text.encode("ascii")
    return _UNICODE + text.encode("utf-16-be" if big_endian else "utf-16-le")
