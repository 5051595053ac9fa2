"""A photo with colors that a visitor gives to points of it, and the coloring that follows them.

The small preview is what is colored, so that a change shows at once whatever the photo's size. The
same colors are put on the photo in its own size for the download.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from colorflow.color.full_resolution import lightness_of
from colorflow.errors import ColorflowError
from colorflow.photo import Photo, read_photo
from colorflow.ui.colorings import ColoredPhoto, ShownColoring
from colorflow.ui.photos import new_folder, write_colored, write_preview
from colorflow.ui.points import Points, read_points, write_points
from colorflow.ui.session import Session
from colorflow.ui.swatches import Swatch, likely, material_swatches

if TYPE_CHECKING:
    from colorflow.colorizer import ColoringSpec, Colorizer, Hint

_SAMPLES, _SWATCHES = 24, 6
"""Samples among which likely colors are looked for, and how many are offered."""
_PRINCIPAL = 4
"""Principal colorings that the button for other colors goes through."""

_RADIUS = 1 / 50
"""Radius of a mark divided by the picture's longer side."""
_LEAST_RADIUS = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of the picture.

    Attributes:
        row: in pixels of the picture.
        column: in pixels of the picture.
        color: #rrggbb that fills the mark; None for a ring, where no color is chosen yet.
        text: number beside the mark.
        chosen: whether the mark is drawn larger.
    """

    row: float
    column: float
    color: str | None
    text: str = ""
    chosen: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class HintedPhoto(ColoredPhoto):
    """A photo, the points that have a color, and the coloring that follows them."""

    spec: ColoringSpec
    """What the coloring is made from, apart from the points."""
    points: Points
    offered: tuple[Swatch, ...] = ()
    """Likely colors that were shown last."""

    def click(self, x: float, y: float) -> None:
        """Take a position on the preview, in its pixels."""
        photo, small = self.photo, read_photo(self.photo.preview)
        scale = photo.width / small.width
        row = min(max(int((y + 0.5) * photo.height / small.height), 0), photo.height - 1)
        column = min(max(int((x + 0.5) * scale), 0), photo.width - 1)
        self.points.click(row, column, scale * radius_of(small.height, small.width))

    def pick(self, index: int) -> None:
        """Give the current point one of the likely colors that were shown last.

        Raises:
            ColorflowError: there is no such color, or no point for it.
        """
        self._pick(self.offered, index)

    def pick_material(self, index: int) -> None:
        """Give the current point the color of one of the materials; errors as those of `pick`."""
        self._pick(self.materials(), index)

    def materials(self) -> Sequence[Swatch]:
        """Colors of the materials at the point that gets the next color; none without a point.

        Raises:
            ColorflowError: the preview has gone.
        """
        target = self.points.target()
        if target is None:
            return ()
        row, column, _ = target
        return material_swatches(self._lightness_at(read_photo(self.photo.preview), row, column))

    def load(self, path: Path) -> None:
        """Replace the points by those of a file of hints.

        Raises:
            ColorflowError: it has none for this photo.
        """
        photo = self.photo
        self.points.replace(read_points(path, photo.path.name, photo.height, photo.width))

    def save(self) -> Path:
        """Write the points to a file.

        Raises:
            ColorflowError: it cannot be written.
        """
        path = self.folder / f"{self.photo.path.stem}_hints.json"
        return write_points(path, self.photo.path.name, self.points.hints)

    def other_colors(self) -> None:
        """Go on to the next principal coloring or sample; the points stay."""
        spec, every_level = self.spec, range(len(self.spec.seeds))
        if (principal := spec.principal) is None:
            self.spec = spec.resampled(every_level, spec.seed + 1)
        else:
            following = replace(principal, number=(principal.number + 1) % principal.of)
            self.spec = replace(spec, seeds=(None,) * len(every_level), principal=following)

    def recolor(self, colorizer: Colorizer) -> None:
        """Color the photo anew, unless the points or the spec change meanwhile.

        Raises:
            ColorflowError: the photo cannot be colored, or a file not written.
        """
        spec, hints = self.spec, self.points.hints
        small = read_photo(self.photo.preview)
        with self.photo.budget.reserve(small.width * small.height):
            (made,) = colorizer.reproduce(small, [spec], hints=self._on(small, hints))
        folder = new_folder(self.folder, "run-")
        coloring = ShownColoring(
            spec=spec,
            ab=made.ab,
            preview=write_colored(folder / "plain", made.ab, small),
            stem=f"{self.photo.path.stem}_hints",
        )
        if self.points.hints is hints and self.spec is spec:
            self.replace_colorings(coloring)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def offer(self, colorizer: Colorizer) -> bool:
        """Find likely colors of the point that gets the next color, given the other points.

        Returns:
            Whether `offered` is about that point; not if the visitor has gone on to another one.

        Raises:
            ColorflowError: the preview has gone.
        """
        target = self.points.target()
        if target is None:
            self.offered = ()
            return True
        row, column, others = target
        photo, small = self.photo, read_photo(self.photo.preview)
        with photo.budget.reserve(small.width * small.height):
            samples = colorizer.colorize(
                small,
                _SAMPLES,
                self.spec.temperature,
                self.spec.seed,
                samples=True,
                force=True,
                hints=self._on(small, others),
            )
        ab = np.stack([one.ab for one in samples])
        height, width = ab.shape[-2:]
        here = ab[:, :, row * height // photo.height, column * width // photo.width]
        found = likely(here, self._lightness_at(small, row, column), _SWATCHES)
        if self.points.target() != target:
            return False
        self.offered = tuple(found)
        return True

    def point_colors(self) -> list[Swatch]:
        """The points' colors, at the lightness that the photo has there.

        Raises:
            ColorflowError: the preview has gone.
        """
        small = read_photo(self.photo.preview)
        return [
            Swatch(self._lightness_at(small, hint.row, hint.column), hint.a, hint.b)
            for hint in self.points.hints
        ]

    def marked(self) -> Path | None:
        """A picture of the coloring with marks at the points; None if there is no coloring.

        Raises:
            ColorflowError: the preview has gone, or the picture cannot be written.
        """
        if self.chosen is None:
            return None
        picture, points = read_photo(self.chosen.preview), self.points
        marks = [
            Mark(
                *self._scaled(picture, hint.row, hint.column),
                color.hex,
                text=str(index + 1),
                chosen=index == points.current,
            )
            for index, (hint, color) in enumerate(
                zip(points.hints, self.point_colors(), strict=True)
            )
        ]
        if points.uncolored is not None:
            marks.append(Mark(*self._scaled(picture, *points.uncolored), None, chosen=True))
        path = new_folder(self.chosen.folder, "marked-") / f"marked{self.chosen.preview.suffix}"
        return write_preview(path, with_marks(picture.pixels, marks), picture)

    def _pick(self, swatches: Sequence[Swatch], index: int) -> None:
        if not 0 <= index < len(swatches):
            raise ColorflowError("That color is gone; click the point again.")
        self.points.color(swatches[index].a, swatches[index].b)

    def _scaled(self, small: Photo, row: float, column: float) -> tuple[float, float]:
        """Where the center of one of the photo's pixels is on a preview, in its pixels."""
        return (
            (int(row) + 0.5) * small.height / self.photo.height,
            (int(column) + 0.5) * small.width / self.photo.width,
        )

    def _on(self, small: Photo, hints: Sequence[Hint]) -> list[Hint]:
        """Hints in pixels of a preview."""
        from colorflow.colorizer import Hint

        return [Hint(*self._scaled(small, one.row, one.column), one.a, one.b) for one in hints]

    def _lightness_at(self, small: Photo, row: float, column: float) -> float:
        """L* at a pixel of the photo: the mean of 3x3 pixels of the preview, to leave grain out."""
        top, left = (int(center) for center in self._scaled(small, row, column))
        around = small.pixels[max(top - 1, 0) : top + 2, max(left - 1, 0) : left + 2]
        return float(lightness_of(np.ascontiguousarray(around)).mean())


HintSession = Session[HintedPhoto]


def mean_spec(levels: Sequence[int]) -> ColoringSpec:
    """The spec of a photo at first: the mean of all colorings, which is calm.

    Args:
        levels: names of the levels.
    """
    from colorflow.colorizer import ColoringSpec, PrincipalSpec

    return ColoringSpec(
        seeds=(None,) * len(levels), principal=PrincipalSpec(number=0, of=_PRINCIPAL, seed=0)
    )


def radius_of(height: int, width: int) -> float:
    """Radius of the marks on a picture of that size, in pixels."""
    return max(_LEAST_RADIUS, _RADIUS * max(height, width))


def with_marks(rgb: NDArray[np.uint8], marks: Sequence[Mark]) -> NDArray[np.uint8]:
    """Draw marks: white and black rings, which are visible on any color.

    Args:
        rgb: (H, W, 3), which stays as it is.
        marks: the later ones are drawn above the earlier ones.
    """
    picture = Image.fromarray(rgb)
    draw = ImageDraw.Draw(picture)
    plain = radius_of(*rgb.shape[:2])
    line = max(1, round(plain / 5))
    for mark in marks:
        radius = 1.35 * plain if mark.chosen else plain
        center = (mark.column, mark.row)
        draw.circle(center, radius, outline="black", width=line)
        draw.circle(center, radius - line, outline="white", width=2 * line)
        if mark.color is not None:
            draw.circle(center, radius - 2 * line, fill=mark.color)
        if mark.text:
            draw.text(
                (mark.column + 1.2 * radius, mark.row - 1.2 * radius),
                mark.text,
                fill="white",
                stroke_fill="black",
                stroke_width=line,
                font=ImageFont.load_default(1.6 * plain),
                anchor="lm",
            )
    return np.asarray(picture)
