"""The kinds of packs, and what each stores of a photo.

Colors are learned from lightness and ab of whole photos; enlarging from four small squares of
lightness of every large and sharp photo, repair from two larger ones; heads from large photos with
labels of the things in them. Labels come from three sources: those that people have drawn, folders
of photos without people, and a teacher that sees color (`data_prep.teacher`), for all that is left.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from colorflow.color.full_resolution import lightness_of
from colorflow.color.grid import square_lightness, to_grid
from colorflow.enlarge.patches import LAYOUT as PATCHES_LAYOUT
from colorflow.enlarge.patches import PATCHES_PER_PHOTO, SIDE
from colorflow.errors import PackError, PhotoError
from colorflow.model.heads import HEADS_SIZE
from colorflow.model.segmentation import CLASSES, EVERY, OF_A_PERSON, SKIN, classes_of
from colorflow.photo import read_photo
from colorflow.repair import prints
from colorflow.training.large_pack import AB_SIDE, LABELS_SIDE
from colorflow.training.large_pack import LAYOUT as LARGE_LAYOUT
from colorflow.training.pack import DAMAGE
from colorflow.training.pixels import L_STEPS
from colorflow.training.pixels import LAYOUT as PIXELS_LAYOUT
from data_prep.pack import Batch, PackKind
from data_prep.scan import mask_file, read_pixels, reduced
from data_prep.teacher import Teacher

_CANDIDATES = 3
"""Places that are compared for each patch."""
_LARGEST_PRINT = 560
"""Pixels of the short side to which photos are reduced at most, for repair."""
_SMALLEST_MARKED = 0.6
"""Share of its size to which a print with marks is reduced at most, lest thin damage goes."""
_SAME_SHAPE = 0.01
"""Of the proportions of a photo: by how much a mask, which may be smaller, may differ."""
UNSURE_VALUES = 64, 192
"""Of masks: darker is black, lighter is white."""

LIKELY, UNLIKELY = 0.5, 0.05
"""Of what the teacher says: where a class is as likely as the first, it is; elsewhere nothing
is that is less likely than the second."""
LEAST_CHROMA, HUES = 4.0, (5.0, 90.0)
"""What the teacher takes for skin counts if its chroma, in CIELAB units, and its hue, in degrees,
can be those of skin."""

Array = NDArray[np.float32]


def squares_of(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Lightness (256, 256) and ab (2, 64, 64) of a photo, as a pack stores them."""
    lightness = np.clip(np.round(square_lightness(pixels) * L_STEPS), 0, 255)
    ab = np.clip(np.round(to_grid(pixels)), -128, 127)
    return lightness.astype(np.uint8), ab.astype(np.int8)


class _PixelRows:
    """Computes the squares of photos."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __call__(self, rows: range) -> Batch:
        squares = [squares_of(read_pixels(self.files[row])) for row in rows]
        lightness, ab = (torch.from_numpy(np.stack(part)) for part in zip(*squares, strict=True))
        return {"lightness": lightness, "ab": ab}


PIXELS = PackKind(layout=PIXELS_LAYOUT, rows=_PixelRows)


def patches_of(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Patches of a photo, (4, 128, 128) uint8, L* times 2.55.

    Of three random places, the one with the most contrast at half the resolution is taken: the sky
    teaches little. What the low resolution shows may decide; the details must not, since they are
    what is learned.

    Args:
        pixels: (H, W) or (H, W, 3), both sides at least 128 after `reduced`.
        rng: source of the random places.
    """
    lightness = lightness_of(reduced(pixels))
    height, width = lightness.shape
    found = []
    for _ in range(PATCHES_PER_PHOTO):
        places = [
            (int(rng.integers(height - SIDE + 1)), int(rng.integers(width - SIDE + 1)))
            for _ in range(_CANDIDATES)
        ]
        patches = [lightness[top : top + SIDE, left : left + SIDE] for top, left in places]
        found.append(max(patches, key=_contrast))
    return np.clip(np.round(np.stack(found) * L_STEPS), 0, 255).astype(np.uint8)


def _contrast(patch: NDArray[np.float32]) -> float:
    """Std of the steps between neighbors at half the resolution."""
    half = patch.reshape(SIDE // 2, 2, SIDE // 2, 2).mean((1, 3))
    return float(np.diff(half, axis=0).std() + np.diff(half, axis=1).std())


@dataclass
class _PatchRows:
    """Computes the patches of photos, which depend on the number of the photo."""

    files: list[Path]

    def __call__(self, rows: range) -> Batch:
        found = [
            patches_of(read_pixels(self.files[row]), np.random.default_rng(row)) for row in rows
        ]
        return {"patches": torch.from_numpy(np.stack(found))}


PATCHES = PackKind(layout=PATCHES_LAYOUT, rows=_PatchRows)


def print_squares_of(
    pixels: NDArray[np.uint8], rng: np.random.Generator, mask: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Squares of a photo that repair makes prints of, and their marks, (2, 2, 320, 320) uint8.

    The photo is reduced at random, so far that a square holds much of it or little; a small one is
    enlarged until a square fits in. An old print with a mask is reduced to three fifths at most,
    and of three random places, the one with the most damage is taken.

    Args:
        pixels: (H, W) or (H, W, 3).
        rng: source of the random sizes and places.
        mask: (H, W), white where damage is marked, black where there is none, gray where nobody
            was sure.

    Returns:
        L* times 2.55, and marks as `colorflow.repair.prints` has them.
    """
    lightness, side = lightness_of(pixels), prints.SIDE
    marks, places = np.full(lightness.shape, prints.UNMARKED, np.uint8), 1
    least = side / min(lightness.shape)
    most = max(least, min(1.0, _LARGEST_PRINT / min(lightness.shape)))
    if mask is not None:
        marks[:], places = prints.SOUND, _CANDIDATES
        marks[mask >= UNSURE_VALUES[0]] = prints.UNSURE
        marks[mask > UNSURE_VALUES[1]] = prints.DAMAGED
        least, most = max(least, _SMALLEST_MARKED), max(least, 1.0)
    found = []
    for _ in range(prints.SQUARES_PER_PHOTO):
        share = rng.uniform(least, most)
        size = [max(side, round(length * share)) for length in lightness.shape[::-1]]
        how = cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC
        sized = np.clip(np.round(cv2.resize(lightness, size, interpolation=how) * L_STEPS), 0, 255)
        both = np.stack([sized, cv2.resize(marks, size, interpolation=cv2.INTER_NEAREST)])
        squares = []
        for _ in range(places):
            top, left = (int(rng.integers(length - side + 1)) for length in sized.shape)
            squares.append(both[:, top : top + side, left : left + side])
        found.append(max(squares, key=lambda square: (square[1] == prints.DAMAGED).sum()))
    return np.stack(found, 1).astype(np.uint8)


@dataclass(kw_only=True)
class _PrintRows:
    """Computes squares of photos and their marks.

    Attributes:
        files: of the photos.
        masks: folder of masks, FOLDER/NAME.png for a photo FOLDER/NAME.jpg: white is damage, black
            is not, gray between 64 and 192 is unsure; or None.
    """

    files: list[Path]
    masks: Path | None = None

    def __call__(self, rows: range) -> Batch:
        parts = zip(*(self._photo(row) for row in rows), strict=True)
        squares, marks = (torch.from_numpy(np.stack(part)) for part in parts)
        return {"squares": squares, "marks": marks}

    def _photo(self, row: int) -> NDArray[np.uint8]:
        path, rng = self.files[row], np.random.default_rng(row)
        mask = _mask_of(self.masks, path)
        if mask is None:
            return print_squares_of(read_pixels(path), rng)
        pixels = read_photo(path, isolated=True).pixels
        (height, width), (rows, columns) = pixels.shape[:2], mask.shape
        if abs(width / height * rows / columns - 1) > _SAME_SHAPE:
            raise PhotoError(str(path), "has a mask of another shape")
        pixels = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA)
        return print_squares_of(np.asarray(pixels, np.uint8), rng, mask)


def print_kind(masks: Path | None = None) -> PackKind:
    """The kind of packs that repair learns from; `masks` as of `_PrintRows`."""
    return PackKind(layout=prints.LAYOUT, rows=lambda files: _PrintRows(files=files, masks=masks))


def _mask_of(masks: Path | None, path: Path) -> NDArray[np.uint8] | None:
    """The mask of a photo, (H, W), if it has one.

    Raises:
        PhotoError: if it cannot be read.
    """
    file = mask_file(masks, path)
    return None if file is None else _as_drawn(file, ("L",))


def _as_drawn(file: Path, as_stored: tuple[str, ...]) -> NDArray[np.uint8]:
    """A picture as one channel, (H, W): what it stores in these modes of Pillow, else its gray."""
    try:
        with Image.open(file) as image:
            return np.asarray(image if image.mode in as_stored else image.convert("L"), np.uint8)
    except (OSError, ValueError, SyntaxError) as error:
        raise PhotoError(str(file), "is no mask that can be read") from error


def read_classes(folder: Path) -> dict[int, int]:
    """The sets of classes by the values in the labels of a collection; 0 where it says nothing.

    Args:
        folder: of the labels, with classes.json: from values to lists of names, {"41": ["skin"]}.

    Raises:
        PackError: if that file cannot be read, or names a class that there is none of.
    """
    path = folder / "classes.json"
    try:
        sets = {
            int(value): classes_of(names)
            for value, names in json.loads(path.read_text(encoding="utf-8")).items()
        }
        if not all(0 <= value <= 255 for value in sets):
            raise ValueError(f"expected values from 0 to 255, got {sorted(sets)}")
        return sets
    except DAMAGE as error:
        raise PackError(
            f"{path}: says not which classes the labels beside it mean ({error}); "
            'write the names of classes for each value: {"41": ["skin"]}'
        ) from error


@dataclass(kw_only=True)
class LabeledRows:
    """Computes lightness, ab and labels of photos.

    Attributes:
        files: of the photos.
        labels: folder of labels, FOLDER/NAME.png for a photo FOLDER/NAME.jpg, of values that
            FOLDER/classes.json explains; or None.
        without_people: folders of photos that show no part of a person.
        teacher: weights of the teacher, or None.
    """

    files: list[Path]
    labels: Path | None = None
    without_people: list[Path] = field(default_factory=list)
    teacher: Path | None = None

    def __call__(self, rows: range) -> Batch:
        """The arrays of some photos."""
        parts = [self._photo(self.files[row]) for row in rows]
        names = ("lightness", "ab", "labels")
        return {
            name: torch.from_numpy(np.stack(part))
            for name, part in zip(names, zip(*parts, strict=True), strict=True)
        }

    def _photo(self, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int8], NDArray[np.uint32]]:
        pixels = read_photo(path, isolated=True).pixels
        lightness = np.clip(np.round(square_lightness(pixels, HEADS_SIZE) * L_STEPS), 0, 255)
        ab = np.clip(np.round(to_grid(pixels, AB_SIDE)), -128, 127)
        return lightness.astype(np.uint8), ab.astype(np.int8), self._sets(path, pixels)

    def _sets(self, path: Path, pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
        """The label of each cell, (192, 192); see `colorflow.training.large_pack`."""
        file = mask_file(self.labels, path)
        if file is not None:
            drawn = _as_drawn(file, ("L", "P"))
            known = np.zeros(256, np.uint32)
            for value, classes in self._classes(file.parent).items():
                known[value] = classes
            size = (LABELS_SIDE, LABELS_SIDE)
            values = cv2.resize(drawn, size, interpolation=cv2.INTER_NEAREST_EXACT)
            sets = known[values]
            return np.where(sets, sets | (values.astype(np.uint32) + 1) << len(CLASSES), 0)
        shows_none = any(folder in path.parents for folder in self.without_people)
        shown = EVERY & ~classes_of(OF_A_PERSON) if shows_none else 0
        sets = np.full((LABELS_SIDE, LABELS_SIDE), shown, np.uint32)
        if self._teacher is None:
            return sets
        marked = self._marked_by_teacher(pixels)
        # Where the teacher sees nothing but a person, the folder is right.
        sets = np.where(sets & marked, sets & marked, sets) if shows_none else marked
        return sets.astype(np.uint32)

    def _classes(self, folder: Path) -> dict[int, int]:
        if folder not in self._known:
            self._known[folder] = read_classes(folder)
        return self._known[folder]

    @cached_property
    def _known(self) -> dict[Path, dict[int, int]]:
        return {}

    @cached_property
    def _teacher(self) -> Teacher | None:
        return None if self.teacher is None else Teacher(self.teacher)

    def __getstate__(self) -> dict[str, object]:
        """For worker processes, which load the teacher themselves."""
        return {name: x for name, x in vars(self).items() if name != "_teacher"}

    def _marked_by_teacher(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
        assert self._teacher is not None
        likely = self._teacher(pixels)
        bits = (1 << np.arange(len(CLASSES))).astype(np.uint32)[:, None, None]
        best, ab = likely.argmax(0), to_grid(pixels, LABELS_SIDE)
        chroma, hue = np.hypot(*ab), np.degrees(np.arctan2(ab[1], ab[0]))
        can_be_skin = (chroma > LEAST_CHROMA) & (hue > HUES[0]) & (hue < HUES[1])
        sets = np.where(
            likely.max(0) > LIKELY, bits[best, 0, 0], (bits * (likely > UNLIKELY)).sum(0)
        )
        return np.where((best == SKIN) & ~can_be_skin, 0, sets).astype(np.uint32)


def large_kind(
    labels: Path | None = None,
    without_people: list[Path] | None = None,
    teacher: Path | None = None,
) -> PackKind:
    """The kind of these packs, with their sources of labels; arguments as of `LabeledRows`."""
    folders = [folder.resolve() for folder in without_people or []]
    rows = partial(LabeledRows, labels=labels, without_people=folders, teacher=teacher)
    return PackKind(layout=LARGE_LAYOUT, rows=lambda files: rows(files=files))
