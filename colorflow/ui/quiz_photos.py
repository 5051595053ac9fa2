"""A player's own photos for the quiz."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from colorflow.batch.archive import ArchiveLimits
from colorflow.errors import ColorflowError
from colorflow.photo import KINDS
from colorflow.quiz.free_play import APART
from colorflow.quiz.photos import PhotoPool
from colorflow.ui.album import take_in

MOST_PHOTOS = 200
OWN_PHOTOS = (
    f"Play with your own color photos: a folder, a zip or single files, {MOST_PHOTOS} at most. "
    f"With more than {APART} you can play on, since a photo comes again only after {APART} others. "
    "Your answers to them are not kept."
)


def own_pool(
    uploads: Sequence[Path], folder: Path, megabytes: int, max_pixels: int
) -> tuple[PhotoPool, int]:
    """Bring uploads into a folder and scan them.

    Args:
        uploads: photos and zip archives. Of more than there may be, the first are taken, since a
            whole folder of a family has more.
        folder: is made, or emptied.
        megabytes: largest size of all uploads after unpacking.
        max_pixels: largest size of one photo.

    Returns:
        The photos, and how many uploads were left out.

    Raises:
        ColorflowError: the uploads are too large, an archive is refused, or none is a color photo.
    """
    shutil.rmtree(folder, ignore_errors=True)
    size = megabytes * 2**20
    taken = _first_of(uploads, size)
    intake = take_in(
        taken,
        folder,
        ArchiveLimits(entries=MOST_PHOTOS, entry_bytes=size, total_bytes=size),
    )
    pool = PhotoPool([folder / one for one in intake.photos], "", max_pixels=max_pixels)
    pool.scan()
    if not pool.photos:
        raise ColorflowError(
            f"None of these files is a photo that can be read and has colors; photos are {KINDS} "
            "files."
        )
    return pool, len(uploads) - len(taken)


def _first_of(uploads: Sequence[Path], size: int) -> Sequence[Path]:
    """The first uploads, as many as there may be photos and as fit in a number of bytes."""
    total, kept = 0, list[Path]()
    for upload in uploads[:MOST_PHOTOS]:
        total += upload.stat().st_size
        if total > size and kept:
            break
        kept.append(upload)
    return kept


def summary_of(pool: PhotoPool, left_out: int) -> str:
    """How many of the files can be played with, and for how long; `own_pool` gives both."""
    found = len(pool.photos)
    first = "the first " if left_out else ""
    summary = f"{found} of {first}{len(pool.files)} files are color photos."
    return summary if found > APART else f"{summary} After {found} rounds you have seen them all."
