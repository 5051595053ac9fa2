"""The pictures that the quiz of the page shows: a folder's photos, the installed packages', or the
player's own.

Photos that the weights were trained on would flatter them. Those of the packages are in no training
set of colorflow; a folder's are whoever gives it answerable for. Photos that README or page show
elsewhere, as scikit-image's, are not among them.
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
from colorflow.photo import (
    DEFAULT_MAX_PIXELS,
    Kind,
    Photo,
    find_photos,
    photo_from_image,
    read_photo,
)
from colorflow.quiz.store import PHOTO_DIGITS

LARGEST_SIDE = 1024
"""In pixels: larger photos are made smaller before they are colored."""

_EXAMPLE = ("gradio", "media_assets/images/cheetah1.jpg")
_PACKAGED = {
    "gradio": ("media_assets/images/lion.jpg", "media_assets/images/tower.jpg"),
    "matplotlib": ("mpl-data/sample_data/grace_hopper.jpg",),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
"""Color photographs inside packages. Only gradio is always there: colorflow needs it."""
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
    """Pictures to play with; those of a large folder can be shown while it is looked through.

    Args:
        files: color photos, in the order in which they are looked through. Those that cannot be
            read or have no colors, and the second of two that are alike, are left out.
        origin: a sentence on where they are from, for players.
        max_pixels: width times height of a photo that is left out when exceeded.
    """

    def __init__(
        self, files: Sequence[Path], origin: str, *, max_pixels: int = DEFAULT_MAX_PIXELS
    ) -> None:
        self.origin = origin
        self.files = files
        self._max_pixels = max_pixels
        self._known: set[str] = set()
        self._pictures: tuple[Picture, ...] = ()
        self._changed = threading.Condition()
        self._complete = threading.Event()

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Those found by now."""
        return self._pictures

    @property
    def complete(self) -> bool:
        """Whether all files have been looked at."""
        return self._complete.is_set()

    def wait_for_more(self, than: int) -> tuple[Picture, ...]:
        """More pictures than so many, unless no other file gives any."""
        with self._changed:
            self._changed.wait_for(lambda: self.complete or len(self._pictures) > than)
            return self._pictures

    def look_through(self) -> None:
        """Find the pictures; to be called once."""
        try:
            for path in self.files:
                found = self._of(path)
                if found:
                    with self._changed:
                        self._pictures += (found,)
                        self._changed.notify_all()
        finally:
            with self._changed:
                self._complete.set()
                self._changed.notify_all()

    def _of(self, path: Path) -> Picture | None:
        try:
            photo = read_photo(path, max_pixels=self._max_pixels)
        except (PhotoError, MemoryError):
            return None
        digest = digest_of(photo.pixels)[:PHOTO_DIGITS]
        if digest in self._known or photo.kind is not Kind.COLORED:
            return None
        self._known.add(digest)
        return Picture(photo=digest, path=path)


def open_deck(folder: Path | None) -> Deck:
    """The deck of a folder's photos, or of the installed packages', which is being looked through.

    Raises:
        UnreadablePhotoError: if there is no such folder.
        EvaluationError: if it holds no photo file.
    """
    files = packaged_photos() if folder is None else find_photos([folder])
    if folder and not files:
        raise EvaluationError(
            f"{folder}: holds no photo for the quiz; name a folder of color photos with --photos"
        )
    deck = Deck(files, _OF_A_FOLDER if folder else _OF_PACKAGES)
    threading.Thread(target=deck.look_through, name="quiz photos", daemon=True).start()
    return deck


def packaged_photos() -> list[Path]:
    """Color photos that the packages of this Python have brought, for the quiz alone."""
    return [path for package, names in _PACKAGED.items() for path in _inside(package, names)]


def example_photo() -> Path:
    """Another one, to be shown anywhere but in the quiz."""
    package, name = _EXAMPLE
    return _inside(package, (name,))[0]


def _inside(package: str, names: Sequence[str]) -> list[Path]:
    """Files of a package that are there; it is not imported."""
    spec = importlib.util.find_spec(package)
    roots = (spec.submodule_search_locations or ()) if spec else ()
    return [path for root in roots for name in names if (path := Path(root) / name).is_file()]
