"""One visitor's photo as the visitor's hints color it, kept as files.

The page shows the small preview, and it is what is drawn on, so that a change shows at once
whatever the photo's size. The same colors are put on the photo in its own size for the download.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of, render
from colorflow.errors import ColorflowError
from colorflow.photo import Photo, read_photo
from colorflow.ui.colorings import provenance_of
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.marks import Mark, radius_of, with_marks
from colorflow.ui.opened import OpenPhoto, new_folder, open_photo, paint, write
from colorflow.ui.points import Points, read_points, write_points
from colorflow.ui.swatches import Swatch, likely

if TYPE_CHECKING:
    from colorflow.colorizer import ColoringSpec, Hint, Predictions

_DRAWS, _SWATCHES = 24, 6
"""Predictions among which likely colors are looked for, and how many are offered."""
_CARDS = 4
"""Principal colorings that the button for other colors goes through."""


class HintColorizer(Protocol):
    """What the tab needs of `colorflow.colorizer.Colorizer`."""

    digest: str

    @property
    def takes_hints(self) -> bool:
        """Whether the weights take color hints."""
        ...

    @property
    def levels(self) -> tuple[int, ...]:
        """Names of the levels, coarse to fine."""
        ...

    def predict(
        self,
        photo: Photo,
        n: int,
        temperature: float,
        seed: int,
        /,
        *,
        samples: bool,
        hints: Sequence[Hint],
    ) -> Predictions:
        """Draw the colors of n principal colorings or samples."""
        ...

    def reproduce(
        self, photo: Photo, recipes: Sequence[ColoringSpec], /, *, hints: Sequence[Hint]
    ) -> Predictions:
        """Make the colorings of recipes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """The photo as it was drawn last."""

    recipe: ColoringSpec
    ab: NDArray[np.float32]
    """Its colors, CIELAB (2, 64, 64)."""
    folder: Path
    """Ours, for its files."""
    plain: Path
    """Small, without marks."""
    full: Path
    """Where it is written in full size when it is asked for."""


@dataclass(eq=False)
class HintedPhoto:
    """A photo, its points, and what its colors are drawn from."""

    photo: OpenPhoto
    recipe: ColoringSpec
    points: Points
    drawing: Drawing | None = None
    offered: tuple[Swatch, ...] = ()
    """Likely colors that were shown last."""


class HintSession:
    """What the server keeps of one visitor of the tab.

    Args:
        root: folder in which the session makes its own.
        budget: memory for photos, shared by all visitors.

    Raises:
        ColorflowError: it cannot.
    """

    def __init__(self, root: Path, budget: MemoryBudget) -> None:
        self._folder = new_folder(root, "hints-")
        self._budget = budget
        self._open: HintedPhoto | None = None

    def open(self, upload: Path, recipe: ColoringSpec) -> OpenPhoto:
        """Read another photo, which has no points yet.

        Raises:
            ColorflowError: it cannot be read, or its preview not written.
        """
        self.forget_photo()
        photo = open_photo(upload, self._folder, self._budget)
        self._open = HintedPhoto(photo, recipe, Points(photo.height, photo.width))
        return photo

    @property
    def opened(self) -> HintedPhoto:
        """The open photo.

        Raises:
            ColorflowError: there is none.
        """
        if self._open is None:
            raise ColorflowError("There is no photo here any more; choose it again.")
        return self._open

    def click(self, x: float, y: float) -> None:
        """Say a place on the preview, in its pixels."""
        photo, points = self.opened.photo, self.opened.points
        small = read_photo(photo.preview)
        scale = photo.width / small.width
        row = min(max(int((y + 0.5) * photo.height / small.height), 0), photo.height - 1)
        column = min(max(int((x + 0.5) * scale), 0), photo.width - 1)
        points.click(row, column, scale * radius_of(small.height, small.width))

    def pick(self, index: int) -> None:
        """Choose one of the likely colors that were shown last.

        Raises:
            ColorflowError: there is no such color, or no point for it.
        """
        offered = self.opened.offered
        if not 0 <= index < len(offered):
            raise ColorflowError("That color is gone; click the point again.")
        self.opened.points.color(offered[index].a, offered[index].b)

    def load(self, path: Path) -> None:
        """Replace the points by those of a file of hints.

        Raises:
            ColorflowError: it has none for this photo.
        """
        photo = self.opened.photo
        hints = read_points(path, photo.upload.name, photo.height, photo.width)
        self.opened.points.replace(hints)

    def save(self) -> Path:
        """Write the points to a file.

        Raises:
            ColorflowError: there is no photo, or it cannot be written.
        """
        photo = self.opened.photo
        path = photo.folder / f"{photo.upload.stem}_hints.json"
        return write_points(path, photo.upload.name, self.opened.points.hints)

    def other_colors(self) -> None:
        """Go on to the next principal coloring, or sample, with the same hints."""
        recipe, every_level = self.opened.recipe, range(len(self.opened.recipe.seeds))
        if (card := recipe.principal) is None:
            self.opened.recipe = recipe.resampled(every_level, recipe.seed + 1)
        else:
            following = replace(card, number=(card.number + 1) % card.of)
            self.opened.recipe = replace(
                recipe, seeds=(None,) * len(every_level), principal=following
            )

    def offer(self, colorizer: HintColorizer) -> tuple[Swatch, ...] | None:
        """Find likely colors of the point that gets the next color, given the other points.

        Returns:
            None if the visitor has gone on to another point meanwhile.

        Raises:
            ColorflowError: there is no photo, or its preview has gone.
        """
        now = self.opened
        target = now.points.target()
        if target is None:
            now.offered = ()
            return now.offered
        row, column, others = target
        small = read_photo(now.photo.preview)
        with self._budget.reserve(small.width * small.height):
            draws = colorizer.predict(
                small,
                _DRAWS,
                now.recipe.temperature,
                now.recipe.seed,
                samples=True,
                hints=_on(small, now.photo, others),
            )
        height, width = draws.ab.shape[-2:]
        here = draws.ab[:, :, row * height // now.photo.height, column * width // now.photo.width]
        lightness = _lightness_at(small, now.photo, row, column)
        found = tuple(likely(here, lightness, _SWATCHES))
        if self._open is not now or now.points.target() != target:
            return None
        now.offered = found
        return now.offered

    def shown_points(self) -> list[Swatch]:
        """The points' colors as the photo's lightness lets them be.

        Raises:
            ColorflowError: there is no photo, or its preview has gone.
        """
        now = self.opened
        small = read_photo(now.photo.preview)
        return [
            Swatch(_lightness_at(small, now.photo, hint.row, hint.column), hint.a, hint.b)
            for hint in now.points.hints
        ]

    def redraw(self, colorizer: HintColorizer) -> bool:
        """Draw the photo with its hints.

        Returns:
            Whether that is how things stand; not if the visitor has gone on meanwhile.

        Raises:
            ColorflowError: there is no photo, or it cannot be drawn or written.
        """
        now = self.opened
        photo, recipe, hints = now.photo, now.recipe, now.points.hints
        try:
            small = read_photo(photo.preview)
            with self._budget.reserve(small.width * small.height):
                (ab,) = colorizer.reproduce(small, [recipe], hints=_on(small, photo, hints)).ab
            folder = new_folder(photo.folder, "run-")
            drawing = Drawing(
                recipe=recipe,
                ab=ab,
                folder=folder,
                plain=write(folder / "plain.png", render(lightness_of(small.pixels), ab), small),
                full=folder / f"{photo.upload.stem}_hints{photo.suffix}",
            )
        except ColorflowError:
            if self._open is not now:  # its folder has gone
                return False
            raise
        if self._open is not now or now.points.hints is not hints or now.recipe is not recipe:
            return False
        before, now.drawing = now.drawing, drawing
        if before:
            shutil.rmtree(before.folder, ignore_errors=True)
        return True

    def marked(self) -> Path | None:
        """The drawing with marks of the points; None if nothing is drawn.

        Raises:
            ColorflowError: the drawing has gone, or the picture cannot be written.
        """
        now = self.opened
        if now.drawing is None:
            return None
        picture, photo, points = read_photo(now.drawing.plain), now.photo, now.points
        marks = [
            Mark(
                *_scaled(photo, picture, hint.row, hint.column),
                color.hex,
                text=str(index + 1),
                chosen=index == points.current,
            )
            for index, (hint, color) in enumerate(
                zip(points.hints, self.shown_points(), strict=True)
            )
        ]
        if points.place is not None:
            marks.append(Mark(*_scaled(photo, picture, *points.place), None, chosen=True))
        folder = new_folder(now.drawing.folder, "marked-")
        return write(folder / "marked.png", with_marks(picture.pixels, marks), picture)

    def paint(self, model: str) -> Path | None:
        """Paint the drawing in full size, unless that has been done.

        Args:
            model: digest of the weights, to be written into the file.

        Returns:
            The file; None if nothing is drawn.

        Raises:
            ColorflowError: the photo cannot be read again, or the result not written.
        """
        drawing = self.opened.drawing
        if drawing is None:
            return None
        if not drawing.full.exists():
            provenance = provenance_of(drawing.recipe, None, model)
            paint(self.opened.photo, drawing.ab, drawing.full, provenance)
        return drawing.full

    def forget_photo(self) -> None:
        """Delete all that was made of the open photo, if there is one."""
        before, self._open = self._open, None
        if before:
            shutil.rmtree(before.photo.folder, ignore_errors=True)

    def close(self) -> None:
        """Delete everything."""
        self.forget_photo()
        shutil.rmtree(self._folder, ignore_errors=True)


def first_card(levels: Sequence[int]) -> ColoringSpec:
    """What a photo is drawn from at first: the mean of all samples, which is calm.

    Args:
        levels: names of the levels.
    """
    from colorflow.colorizer import ColoringSpec, PrincipalSpec

    return ColoringSpec(
        seeds=(None,) * len(levels), principal=PrincipalSpec(number=0, of=_CARDS, seed=0)
    )


def _scaled(photo: OpenPhoto, small: Photo, row: float, column: float) -> tuple[float, float]:
    """The place on the preview, in its pixels, of the center of one of the photo's pixels."""
    return (
        (int(row) + 0.5) * small.height / photo.height,
        (int(column) + 0.5) * small.width / photo.width,
    )


def _on(small: Photo, photo: OpenPhoto, hints: Sequence[Hint]) -> list[Hint]:
    """Hints in pixels of the preview."""
    from colorflow.colorizer import Hint

    return [Hint(*_scaled(photo, small, hint.row, hint.column), hint.a, hint.b) for hint in hints]


def _lightness_at(small: Photo, photo: OpenPhoto, row: float, column: float) -> float:
    """L* around a place of the photo: the mean of 3x3 pixels of the preview, less the grain."""
    at_row, at_column = (int(place) for place in _scaled(photo, small, row, column))
    around = small.pixels[max(at_row - 1, 0) : at_row + 2, max(at_column - 1, 0) : at_column + 2]
    return float(lightness_of(np.ascontiguousarray(around)).mean())
