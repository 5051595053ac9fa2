"""What a reading process and the one that asks it agree on: limits of time, and the answer.

The answer lies in memory that both share. That of a process that decodes hostile data is data
itself: JSON of bounded size, and arrays behind it, whose types, shapes and places are checked
before they are used. Nothing is unpickled.

    8 bytes     length of the JSON
    JSON        {"error": [class, reason]}, or a header, or a photo
    arrays      each at a multiple of 64 bytes; the JSON names type, shape and place
"""

from __future__ import annotations

import json
import math
import mmap
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from colorflow.photo.metadata import Metadata
from colorflow.photo.photo import Photo

if sys.platform != "win32":
    import fcntl
    import resource

FIXED_SECONDS, MEGAPIXEL_SECONDS = 5, 0.625
"""Of the processor: for whatever does not depend on the size of the picture, and for a million
pixels. The slowest honest files, JPEG 2000 of 16 bits without loss, take 0.8 (docs/reliability.md);
what is fixed helps the smaller ones."""
LARGE_SECONDS, MOST_SECONDS = 0.83, 90
"""For a million pixels of a picture that gets more so; and for any picture."""
PATIENCE = 4
"""Seconds by the clock for a second of the processor, since the machine may be busy."""
END = struct.Struct("<id")
"""How a child ended: its exit status, and its seconds of the processor."""
TOO_LITTLE_MEMORY, TOO_SMALL_FILES = 2, 3
"""Exit codes of a child with too little memory, or with more to answer than a file may hold."""
LARGEST_TEXT = 4 << 20
"""Bytes of the JSON: the texts of a file, see `metadata`, escaped."""
BYTES_A_PIXEL = 10
"""Of the arrays at most: 8 and 16 bits of RGB, and alpha."""
_LENGTH = struct.Struct("<Q")
_ALIGNMENT = 64
_LONGEST_REASON = 500
_ARRAYS = {"pixels": np.uint8, "pixels16": np.uint16, "alpha": np.uint8}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose JSON was read."""

    content: dict[str, Any]
    memory: mmap.mmap
    start: int
    """Of the arrays in the memory."""


class NoAnswerError(Exception):
    """The memory does not hold an answer."""


def seconds_for(pixels: int) -> int:
    """Seconds of the processor that a picture may take."""
    millions = pixels / 1e6
    seconds = max(FIXED_SECONDS + MEGAPIXEL_SECONDS * millions, LARGE_SECONDS * millions)
    return math.ceil(min(seconds, MOST_SECONDS))


def end_of(status: int, usage: resource.struct_rusage) -> bytes:
    """How a child ended, packed as `END`."""
    return END.pack(status, usage.ru_utime + usage.ru_stime)


def write_answer(descriptor: int, content: Mapping[str, object]) -> None:
    """Write an answer without arrays into an empty file."""
    _write(descriptor, content, ())


def write_photo(descriptor: int, photo: Photo) -> None:
    """Write a photo into an empty file."""
    metadata = photo.metadata
    found = {"pixels": photo.pixels, "pixels16": photo.pixels16, "alpha": photo.alpha}
    arrays = {name: array for name, array in found.items() if array is not None}
    places, end = {}, 0
    for name, array in arrays.items():
        places[name] = [list(array.shape), end]
        end += _aligned(array.nbytes)
    content = {
        "arrays": places,
        "format": metadata.format,
        "exif": None if metadata.exif is None else metadata.exif.decode("latin-1"),
        "dpi": metadata.dpi,
        "text": dict(metadata.text),
        "stated": metadata.stated,
        "remarks": photo.remarks,
    }
    _write(descriptor, content, list(arrays.values()))


def read_answer(descriptor: int) -> Answer:
    """Read the JSON of an answer; from now on nobody can change the memory or its size.

    Raises:
        NoAnswerError: there is none.
    """
    try:
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
        (length,) = _LENGTH.unpack_from(memory)
        if length > LARGEST_TEXT:
            raise NoAnswerError
        content = json.loads(memory[_LENGTH.size : _LENGTH.size + length])
        if not isinstance(content, dict):
            raise NoAnswerError
        return Answer(content, memory, _aligned(_LENGTH.size + length))
    except (OSError, ValueError, RecursionError, struct.error) as error:
        raise NoAnswerError from error


def photo_of(answer: Answer, source: str) -> Photo:
    """The photo in an answer; its arrays are the memory itself.

    Raises:
        NoAnswerError: it makes no sense.
    """
    content = answer.content
    try:
        arrays = {
            name: _array(answer, _ARRAYS[name], shape, place)
            for name, (shape, place) in content["arrays"].items()
        }
        exif, dpi = content["exif"], content["dpi"]
        text = {str(keyword): str(value) for keyword, value in content["text"].items()}
        metadata = Metadata(
            format=None if content["format"] is None else str(content["format"]),
            exif=None if exif is None else exif.encode("latin-1"),
            dpi=None if dpi is None else (float(dpi[0]), float(dpi[1])),
            text=text,
            stated=str(content["stated"]),
        )
        remarks = tuple(in_one_line(one) for one in content["remarks"])
        return Photo(**arrays, metadata=metadata, source=source, remarks=remarks)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise NoAnswerError from error


def in_one_line(text: object) -> str:
    """A sentence of the other side, without line breaks and control characters."""
    words = " ".join(str(text).split())[:_LONGEST_REASON]
    return "".join(one for one in words if one.isprintable())


def _write(descriptor: int, content: Mapping[str, object], arrays: Sequence[np.ndarray]) -> None:
    text = json.dumps(content).encode()
    if len(text) > LARGEST_TEXT:
        raise OSError("its texts are too long")
    start = _aligned(_LENGTH.size + len(text))
    with open(descriptor, "wb", closefd=False) as file:
        file.write((_LENGTH.pack(len(text)) + text).ljust(start, b"\0"))
        for array in arrays:
            file.write(np.ascontiguousarray(array).data)
            file.write(bytes(_aligned(array.nbytes) - array.nbytes))


def _array(answer: Answer, dtype: type, shape: Sequence[int], place: int) -> np.ndarray:
    if not all(type(number) is int and number >= 0 for number in (place, *shape)):
        raise NoAnswerError
    start = answer.start + place
    return np.frombuffer(answer.memory, dtype, math.prod(shape), start).reshape(shape)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
