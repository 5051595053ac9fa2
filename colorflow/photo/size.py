"""How large a photo is, without reading it."""

from __future__ import annotations

import os

from colorflow.photo.formats import DEFAULT_MAX_PIXELS, opened, reading, recognized


def count_pixels(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> int:
    """Width times height of a picture file, as its head says.

    Args:
        path: the file.
        max_pixels: width times height that is refused when exceeded.

    Raises:
        UnreadablePhotoError: missing, empty, not a picture, or its head is damaged.
        PhotoTooLargeError: more pixels than `max_pixels`.
    """
    source = os.fspath(path)
    with opened(source) as file, reading(source):
        image = recognized(file, source, max_pixels)
        return image.width * image.height
