"""The photos whose colors a batch takes: read once, for all photos and all workers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from colorflow.batch.task import AlbumReference
from colorflow.color.grid import resized, size_within
from colorflow.errors import PhotoError
from colorflow.photo import Kind, Photo, read_picture

MOST_REFERENCES = 16
"""Colorings of an album that its other photos take their colors from."""
_SIDE = 1024
"""Pixels of the longer side at most; the model sees 512."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A color photo, reduced.

    Attributes:
        photo: without metadata.
        digest: of its file.
    """

    photo: Photo
    digest: str


def read_reference(path: Path) -> Reference:
    """Reads a photo in a process of its own.

    Raises:
        PhotoError: if it cannot be read, or has no colors.
    """
    photo, digest = read_picture(path, isolated=True)
    assert digest  # it is a file
    if photo.kind is Kind.GRAY:
        reason = "has no colors that could be carried over; choose a color photo"
        raise PhotoError(path, reason)
    return Reference(photo=_reduced(photo), digest=digest)


@lru_cache(MOST_REFERENCES)
def album_photo(one: AlbumReference) -> Photo | None:
    """The coloring of an album's photo; None if it came out gray.

    Raises:
        PhotoError: if it cannot be read.
    """
    photo, _ = read_picture(one.path, isolated=True)
    return None if photo.kind is Kind.GRAY else _reduced(photo)


def _reduced(photo: Photo) -> Photo:
    size = size_within(photo.height, photo.width, _SIDE, _SIDE)
    return Photo(pixels=resized(photo.pixels, *size))
