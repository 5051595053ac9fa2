"""The pictures that the quiz of the page shows: photos of a folder, or of the installed packages.

Photos that the weights were trained on would flatter them. Those of the packages are in no training
set of colorflow; a folder's are whoever gives it answerable for.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from colorflow.color.resize import resize_by_area
from colorflow.errors import EvaluationError, PhotoError
from colorflow.evaluation.subject import digest_of
from colorflow.photo import Kind, Photo, find_photos, photo_from_image, read_photo
from colorflow.quiz.store import PHOTO_DIGITS

LARGEST_SIDE = 1024
"""In pixels: larger photos are made smaller before they are coloured."""

_PACKAGED = {
    "gradio": (
        "media_assets/images/cheetah1.jpg",
        "media_assets/images/lion.jpg",
        "media_assets/images/tower.jpg",
    ),
    "matplotlib": ("mpl-data/sample_data/grace_hopper.jpg",),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
    "skimage": (
        "data/astronaut.png",
        "data/chelsea.png",
        "data/coffee.png",
        "data/motorcycle_left.png",
        "data/rocket.jpg",
    ),
}
"""Colour photographs inside packages. Only gradio is always there: colorflow needs it."""
_OF_PACKAGES = (
    "The photos are from installed software packages; colorflow's weights were not trained on them."
)
_OF_A_FOLDER = (
    "The photos are from a folder of whoever runs this page; the rates hold if the weights were "
    "not trained on them."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A photo to play with."""

    photo: str
    """First digits of the digest of its pixels: the same wherever the file is."""
    path: Path

    def read(self) -> Photo:
        """Read it, no side longer than LARGEST_SIDE, without metadata.

        Raises:
            PhotoError: if that is no longer possible.
        """
        pixels = read_photo(self.path).pixels
        height, width = pixels.shape[:2]
        scale = min(1.0, LARGEST_SIDE / max(height, width))
        if scale < 1:
            rows, columns = (max(1, round(side * scale)) for side in (height, width))
            pixels = resize_by_area(pixels, rows, columns).round().astype("uint8")
        return photo_from_image(pixels)


class Deck:
    """Pictures to play with; a large folder is looked through while the first ones are shown.

    Args:
        files: colour photos, in the order in which they are looked through. Those that cannot be
            read or have no colours, and the second of two that are alike, are left out.
        origin: a sentence on where they are from, for players.
    """

    def __init__(self, files: Sequence[Path], origin: str) -> None:
        self.origin = origin
        self._files = files
        self._known: set[str] = set()
        self._pictures: tuple[Picture, ...] = ()
        self._enough = threading.Event()
        self._complete = threading.Event()
        threading.Thread(target=self._look_through, name="quiz photos", daemon=True).start()

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Those found by now."""
        return self._pictures

    @property
    def complete(self) -> bool:
        """Whether all files have been looked at."""
        return self._complete.is_set()

    def wait_for_one(self) -> tuple[Picture, ...]:
        """At least one picture, unless no file gives any."""
        self._enough.wait()
        return self._pictures

    def _look_through(self) -> None:
        try:
            for path in self._files:
                found = self._of(path)
                if found:
                    self._pictures += (found,)
                    self._enough.set()
        finally:
            self._complete.set()
            self._enough.set()

    def _of(self, path: Path) -> Picture | None:
        try:
            photo = read_photo(path)
        except (PhotoError, MemoryError):
            return None
        digest = digest_of(photo.pixels)[:PHOTO_DIGITS]
        if digest in self._known or photo.kind is not Kind.COLOURED:
            return None
        self._known.add(digest)
        return Picture(photo=digest, path=path)


def open_deck(folder: Path | None) -> Deck:
    """The deck of a folder's photos, or of the installed packages'.

    Raises:
        UnreadablePhotoError: if there is no such folder.
        EvaluationError: if it holds no photo file.
    """
    if folder is None:
        return Deck(packaged_photos(), _OF_PACKAGES)
    files = find_photos([folder])
    if not files:
        raise EvaluationError(
            f"{folder}: holds no photo for the quiz; name a folder of colour photos with --photos"
        )
    return Deck(files, _OF_A_FOLDER)


def packaged_photos() -> list[Path]:
    """Colour photos that the packages of this Python have brought; none of these is imported."""
    found = []
    for package, names in _PACKAGED.items():
        spec = importlib.util.find_spec(package)
        for root in spec.submodule_search_locations or () if spec else ():
            found += [path for name in names if (path := Path(root) / name).is_file()]
    return found
