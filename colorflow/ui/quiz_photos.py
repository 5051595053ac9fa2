"""Photos that a player of the quiz brings: uploads, and the deck that is made of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from colorflow.batch.archive import ArchiveLimits
from colorflow.errors import ColorflowError
from colorflow.quiz.deck import Deck
from colorflow.quiz.game import APART
from colorflow.ui.folder_intake import take_in

MOST_PHOTOS = 200
OWN_PHOTOS = (
    f"Play with your own color photos, or a zip of them: more than {APART}, for none comes again "
    f"before {APART} others, and {MOST_PHOTOS} at most. Your answers to them are not kept."
)


def own_deck(uploads: Sequence[Path], folder: Path, megabytes: int, max_pixels: int) -> Deck:
    """Brings uploads into a folder and looks through them.

    Args:
        uploads: photos and zip archives.
        folder: made here; what is in it from before goes.
        megabytes: of all uploads, once they are unpacked.
        max_pixels: of one photo.

    Raises:
        ColorflowError: there is too much, an archive is refused, or no file is a color photo.
    """
    shutil.rmtree(folder, ignore_errors=True)
    size = megabytes * 2**20
    intake = take_in(
        uploads, folder, ArchiveLimits(entries=MOST_PHOTOS, entry_bytes=size, total_bytes=size)
    )
    deck = Deck([folder / one for one in intake.photos], "", max_pixels=max_pixels)
    deck.look_through()
    if not deck.pictures:
        raise ColorflowError("None of these files is a photo that can be read and has colors.")
    return deck


def said_of(deck: Deck) -> str:
    """How many of the files can be played with, and for how long."""
    found = len(deck.pictures)
    said = f"{found} of {len(deck.files)} files are color photos."
    return said if found > APART else f"{said} After {found} rounds you have seen them all."
