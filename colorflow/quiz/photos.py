"""Photos for the page's quiz: those of a folder, of installed packages, or of the player.

Photos that the weights were trained on would give too good rates. Those of the packages are in no
training set of colorflow; for a folder, whoever runs the page is responsible. Photos that README
and page show elsewhere, such as scikit-image's, are not used here.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
from colorflow.quiz.pictures import resized, size_within
from colorflow.quiz.store import PHOTO_DIGITS

LARGEST_SIDE = 1024
"""Longest side in pixels; larger photos are reduced before they are colored."""

_EXAMPLE = ("gradio", "media_assets/images/cheetah1.jpg")
_PACKAGED = {
    "gradio": ("media_assets/images/lion.jpg", "media_assets/images/tower.jpg"),
    "matplotlib": ("mpl-data/sample_data/grace_hopper.jpg",),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
"""Color photos inside packages. Only Gradio is always installed."""
_FROM_PACKAGES = (
    "The photos are from installed software packages; colorflow's weights were not trained on them."
)
_FROM_FOLDER = (
    "The photos are from a folder of whoever runs this page; the rates hold if the weights were "
    "not trained on them."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizPhoto:
    """A color photo, identified by the first digits of the digest of its pixels."""

    digest: str
    path: Path

    def read(self) -> Photo:
        """Read the photo, reduced to `LARGEST_SIDE`, without metadata.

        Raises:
            PhotoError: the file can no longer be read.
        """
        pixels = read_photo(self.path, isolated=True).pixels
        height, width = pixels.shape[:2]
        size = size_within(height, width, LARGEST_SIDE, LARGEST_SIDE)
        return photo_from_image(pixels if size == (height, width) else resized(pixels, *size))


class PhotoPool:
    """Photos to play with. Those of a large folder can be used while it is being scanned.

    Args:
        files: scanned in this order. Files that cannot be read, photos without colors, and copies
            of earlier photos are left out.
        origin: a sentence for players on where the photos are from.
        max_pixels: larger photos are left out.
    """

    def __init__(
        self, files: Sequence[Path], origin: str, *, max_pixels: int = DEFAULT_MAX_PIXELS
    ) -> None:
        self.origin = origin
        self.files = files
        self._max_pixels = max_pixels
        self._photos: dict[str, QuizPhoto] = {}
        self._changed = threading.Condition()
        self._complete = False

    @property
    def photos(self) -> tuple[QuizPhoto, ...]:
        """The photos that have been found so far."""
        with self._changed:
            return tuple(self._photos.values())

    @property
    def complete(self) -> bool:
        """Whether all files have been scanned."""
        return self._complete

    def wait_for_more(self, than: int) -> tuple[QuizPhoto, ...]:
        """Wait for more photos than so many, or for the end of the scan."""
        with self._changed:
            self._changed.wait_for(lambda: self._complete or len(self._photos) > than)
            return tuple(self._photos.values())

    def scan(self) -> None:
        """Find the photos among the files; to be called once."""
        try:
            for path in self.files:
                if found := self._photo_in(path):
                    with self._changed:
                        self._photos.setdefault(found.digest, found)
                        self._changed.notify_all()
        finally:
            with self._changed:
                self._complete = True
                self._changed.notify_all()

    def _photo_in(self, path: Path) -> QuizPhoto | None:
        try:
            photo = read_photo(path, max_pixels=self._max_pixels, isolated=True)
        except (PhotoError, MemoryError):
            return None
        if photo.kind is not Kind.COLORED:
            return None
        return QuizPhoto(digest=digest_of(photo.pixels)[:PHOTO_DIGITS], path=path)


def open_pool(folder: Path | None) -> PhotoPool:
    """Start to scan a folder, or the photos of the installed packages.

    Raises:
        UnreadablePhotoError: there is no such folder.
        EvaluationError: the folder holds no photo file.
    """
    files = packaged_photos() if folder is None else find_photos([folder])
    if folder and not files:
        raise EvaluationError(
            f"{folder}: holds no photo for the quiz; name a folder of color photos with --photos"
        )
    pool = PhotoPool(files, _FROM_FOLDER if folder else _FROM_PACKAGES)
    threading.Thread(target=pool.scan, name="quiz photos", daemon=True).start()
    return pool


def packaged_photos() -> list[Path]:
    """Color photos of the installed packages that are used in the quiz alone."""
    return [path for package, names in _PACKAGED.items() for path in _inside(package, names)]


def example_photo() -> Path:
    """A color photo for all other purposes."""
    package, name = _EXAMPLE
    return _inside(package, (name,))[0]


def _inside(package: str, names: Sequence[str]) -> list[Path]:
    """Existing files of a package, without importing it."""
    spec = importlib.util.find_spec(package)
    roots = (spec.submodule_search_locations or ()) if spec else ()
    return [path for root in roots for name in names if (path := Path(root) / name).is_file()]
