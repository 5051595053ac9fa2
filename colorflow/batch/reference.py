"""The photo whose colors a batch carries over: read once, for all photos and all workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from colorflow.color.grid import resized, size_within
from colorflow.errors import PhotoError
from colorflow.limits import REFERENCE_STRENGTH, check_range
from colorflow.photo import Kind, Photo, read_picture

_SIDE = 1024
"""Pixels of the longer side at most; the model sees 256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A color photo, reduced, and how strongly its colors are wanted.

    Attributes:
        photo: without metadata.
        digest: of its file.
        strength: how far colors go towards its colors, in [0, 1].

    Raises:
        ValueError: if the strength is out of range.
    """

    photo: Photo
    digest: str
    strength: float = REFERENCE_STRENGTH

    def __post_init__(self) -> None:
        check_range("strength", self.strength, 0, 1)


def read_reference(path: Path, strength: float = REFERENCE_STRENGTH) -> Reference:
    """Reads a photo in a process of its own.

    Raises:
        PhotoError: if it cannot be read, or has no colors.
    """
    photo, digest = read_picture(path, isolated=True)
    assert digest  # it is a file
    if photo.kind is Kind.GRAY:
        reason = "has no colors that could be carried over; choose a color photo as the reference"
        raise PhotoError(path, reason)
    pixels = resized(photo.pixels, *size_within(photo.height, photo.width, _SIDE, _SIDE))
    return Reference(photo=Photo(pixels=pixels), digest=digest, strength=strength)
