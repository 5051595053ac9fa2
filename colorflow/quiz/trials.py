"""Trials of the page's quiz: a photo to play with, as k pictures with the true one among them.

The photos are shipped (photos/README.md), those of a folder, or the player's. Photos that the
weights were trained on would give too good rates; for a folder, whoever runs the page is
responsible.

A trial is shown as one sheet, its pictures one below the other. So no picture has a name, a size or
a time of its own that could tell which one is true. No photo is shown twice alike: otherwise the
true picture, the only one that stays the same, could be recognized by its bytes or pixels.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from colorflow.color.grid import resized, size_within
from colorflow.errors import EvaluationError, PhotoError
from colorflow.evaluation.subject import digest_of
from colorflow.limits import LARGEST_SEED, check_range
from colorflow.photo import Kind, Photo, find_photos, photo_from_image, read_photo, write_image
from colorflow.quiz.pictures import Pixels, colored_pictures, true_picture
from colorflow.quiz.store import PHOTO_DIGITS

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

MIN_PICTURES, MAX_PICTURES = 2, 5
"""Pictures to choose from."""
LARGEST_SIDE = 1024
"""Longest side in pixels; larger photos are reduced before they are colored."""
SIDE = 720
"""Longest side of each picture, in pixels; two fit beside each other in a wide window."""
MARGIN = 4
"""Repetitions of each picture's first and last row. A browser that reduces the sheet mixes the
edge with these and not with the neighboring picture."""
MIN_CROP = 0.8
"""Least share of each side of a photo that a crop shows."""
GRAIN = 1.0
"""Standard deviation of the grain in each channel, in steps of 255: less than the eye sees."""
TEMPERATURE = 1.0
"""The shipped temperatures."""

SHIPPED_PHOTOS = Path(__file__).with_name("photos")
_SHIPPED = "The photos come with colorflow; its weights were not knowingly trained on them."
_FROM_FOLDER = (
    "The photos are from a folder of whoever runs this page; the rates hold if the weights were "
    "not trained on them."
)


@dataclass(frozen=True, slots=True)
class QuizPhoto:
    """A color photo, identified by the first digits of the digest of its pixels."""

    digest: str
    path: Path

    def read(self) -> Photo:
        """Read the photo, reduced to `LARGEST_SIDE`, without metadata.

        Raises:
            PhotoError: the file can no longer be read.
        """
        return photo_from_image(_reduced(read_photo(self.path, isolated=True).pixels, LARGEST_SIDE))


class PhotoPool:
    """Photos to play with. Those of a large folder can be used while it is being scanned.

    Args:
        files: scanned in this order. Files that cannot be read, photos without colors, and copies
            of earlier photos are left out.
        origin: a sentence for players on where the photos are from.
    """

    def __init__(self, files: Sequence[Path], origin: str) -> None:
        self.origin = origin
        self.files = files
        self.complete = False
        """Whether all files have been scanned."""
        self._photos: dict[str, QuizPhoto] = {}
        self._changed = threading.Condition()

    @property
    def photos(self) -> tuple[QuizPhoto, ...]:
        """The photos that have been found so far."""
        return self.wait_for_more(-1)

    def wait_for_more(self, than: int) -> tuple[QuizPhoto, ...]:
        """Wait for more photos than so many, or for the end of the scan."""
        with self._changed:
            self._changed.wait_for(lambda: self.complete or len(self._photos) > than)
            return tuple(self._photos.values())

    def scan(self, opened: Callable[[Path], AbstractContextManager[Photo]]) -> None:
        """Find the photos among the files; to be called once.

        Args:
            opened: reads a file within a context, which may hold memory for it.
        """
        try:
            for path in self.files:
                with suppress(PhotoError, MemoryError), opened(path) as photo:
                    if photo.kind is Kind.COLORED:
                        digest = digest_of(photo.pixels)[:PHOTO_DIGITS]
                        with self._changed:
                            self._photos.setdefault(digest, QuizPhoto(digest, path))
                            self._changed.notify_all()
        finally:
            with self._changed:
                self.complete = True
                self._changed.notify_all()


@contextmanager
def _opened(path: Path) -> Iterator[Photo]:
    yield read_photo(path, isolated=True)


def open_pool(folder: Path | None) -> PhotoPool:
    """Start to scan a folder, or the shipped photos.

    Raises:
        UnreadablePhotoError: there is no such folder.
        EvaluationError: the folder holds no photo file.
    """
    files = find_photos([folder or SHIPPED_PHOTOS])
    if not files:
        raise EvaluationError(
            f"{folder}: holds no photo for the quiz; name a folder of color photos with --photos"
        )
    pool = PhotoPool(files, _FROM_FOLDER if folder else _SHIPPED)
    threading.Thread(target=pool.scan, args=[_opened], name="quiz photos", daemon=True).start()
    return pool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """One question to a player."""

    token: str
    """Random name, by which the trial is answered."""
    photo: QuizPhoto
    seed: int
    """Seed of the first sample; the next samples have the next seeds. Decides crop and grain."""
    k: int
    truth: int = field(repr=False)
    """Position of the true picture, from 0; secret until the answer."""
    width: int
    height: int
    """Size of each picture in pixels, without margins."""
    sheet: Path
    """PNG: the k pictures one below the other, each with MARGIN rows above and below."""


def make_trial(colorizer: Colorizer, photo: QuizPhoto, k: int, folder: Path) -> Trial:
    """Color a photo k - 1 times, and insert the truth at an unpredictable position.

    Args:
        colorizer: samples the colors.
        photo: the photo.
        k: number of pictures, MIN_PICTURES to MAX_PICTURES.
        folder: where the sheet is written, under a random name.

    Raises:
        PhotoError: the photo cannot be read, or the sheet not written.
        ValueError: k is out of range.
    """
    check_range("k", k, MIN_PICTURES, MAX_PICTURES)
    seed = secrets.randbits(LARGEST_SEED.bit_length())
    true_picture, *pictures = _pictures(colorizer, photo, k - 1, seed)
    truth = secrets.randbelow(k)
    pictures.insert(truth, true_picture)
    pixels = np.concatenate(
        [np.pad(one, ((MARGIN, MARGIN), (0, 0), (0, 0)), mode="edge") for one in pictures]
    )
    sheet = folder / f"{secrets.token_hex(16)}.png"
    write_image(sheet, pixels, photo_from_image(pixels))
    height, width = true_picture.shape[:2]
    return Trial(
        token=secrets.token_hex(16),
        photo=photo,
        seed=seed,
        k=k,
        truth=truth,
        width=width,
        height=height,
        sheet=sheet,
    )


def _pictures(colorizer: Colorizer, photo: QuizPhoto, n: int, seed: int) -> list[Pixels]:
    """A photo in its own colors and in n sampled ones, (h, w, 3) uint8, with one crop and grain.

    The true picture is made like every coloring: see `colorflow.quiz.pictures`. All are rendered
    at full size and then reduced, as players would see them.
    """
    rng = np.random.default_rng(seed)
    crop = random_crop(photo.read(), rng)
    made = [true_picture(crop), *colored_pictures(colorizer, crop, seed, n)]
    pictures = [_reduced(one, SIDE) for one in made]
    grain = np.round(GRAIN * rng.standard_normal(pictures[0].shape, np.float32)).astype(np.int16)
    return [np.clip(picture + grain, 0, 255).astype(np.uint8) for picture in pictures]


def random_crop(photo: Photo, rng: np.random.Generator) -> Photo:
    """A rectangle of random size and position, without metadata."""
    pixels = photo.pixels
    for axis in (0, 1):
        length = pixels.shape[axis]
        kept = max(1, round(length * rng.uniform(MIN_CROP, 1)))
        start = rng.integers(length - kept + 1)
        pixels = pixels.take(range(start, start + kept), axis)
    return photo_from_image(pixels)


def _reduced(pixels: Pixels, side: int) -> Pixels:
    """A picture (H, W, 3) whose longest side has at most `side` pixels."""
    height, width = pixels.shape[:2]
    return resized(pixels, *size_within(height, width, side, side))
