"""A photo with colors that a visitor gives to points of it, and the coloring that follows them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from colorflow.batch.hints import PhotoHints, Start
from colorflow.color.full_resolution import lightness_of
from colorflow.colorizer import ColoringSpec, PrincipalSpec
from colorflow.errors import ColorflowError
from colorflow.photo import Photo, read_photo
from colorflow.ui.colorings import ColoredPhoto
from colorflow.ui.photos import new_folder, storing, write_preview
from colorflow.ui.points import Hints, Points, read_points
from colorflow.ui.session import Session
from colorflow.ui.swatches import MATERIALS, Swatch, likely, material_swatches

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

_SAMPLES, _SWATCHES = 24, 6
"""Samples among which likely colors are looked for, and how many are offered."""
_PRINCIPAL = 4
"""Principal colorings that the button for other colors goes through."""

_RADIUS = 1 / 50
"""Radius of a mark divided by the picture's longer side."""
_LEAST_RADIUS = 4


@dataclass(slots=True, kw_only=True, eq=False)
class HintedPhoto(ColoredPhoto):
    """A photo, the points that have a color, and the coloring that follows them.

    Everything that reads or writes a picture raises `ColorflowError` when its file has gone, or
    cannot be written.
    """

    spec: ColoringSpec
    """What the coloring is made from, apart from the points."""
    points: Points
    target: tuple[int, int, Hints] | None = None
    """`Points.target` for which there are choices."""
    choices: Sequence[Swatch] = ()
    """Colors that are offered for that point: those of the materials, then likely ones."""

    @property
    def materials(self) -> Sequence[Swatch]:
        """The choices that are colors of materials."""
        return self.choices[: len(MATERIALS)]

    @property
    def likely(self) -> Sequence[Swatch]:
        """The choices that are likely colors; none until `offer` has found them."""
        return self.choices[len(MATERIALS) :]

    def click(self, x: float, y: float) -> None:
        """Take a position on the preview, in its pixels."""
        photo, small = self.photo, self.small
        scale = photo.width / small.width
        row = min(max(int((y + 0.5) * photo.height / small.height), 0), photo.height - 1)
        column = min(max(int((x + 0.5) * scale), 0), photo.width - 1)
        self.points.click(row, column, scale * radius_of(small.height, small.width))

    def pick(self, index: int) -> None:
        """Give the current point one of the choices.

        Raises:
            ColorflowError: there is no such choice, or no point for it.
        """
        if not 0 <= index < len(self.choices):
            raise ColorflowError("That color is gone; click the point again.")
        self.points.color(self.choices[index].a, self.choices[index].b)

    def load(self, path: Path, weights: str) -> None:
        """Replace the points by those of a file of hints, and take the coloring that it names.

        The coloring stays if the file names none, or one of other weights.

        Args:
            path: the file.
            weights: digest of the weights at hand.

        Raises:
            ColorflowError: it has none for this photo.
        """
        photo = self.photo
        given = read_points(path, photo.path.name, photo.height, photo.width)
        self.points.replace(given.hints)
        if given.start and given.start.weights == weights:
            self.spec = given.start.spec

    def save(self, weights: str) -> Path:
        """Write the points and the coloring to a file that `load` and the command line take.

        Args:
            weights: digest of the weights at hand.
        """
        path = self.folder / f"{self.photo.path.stem}_hints.json"
        given = PhotoHints(self.points.hints, Start(self.spec, weights))
        content = {self.photo.path.name: given.as_json()}
        text = json.dumps(content, ensure_ascii=False, indent=1)
        with storing():
            path.write_text(f"{text}\n", encoding="utf-8")
        return path

    def other_colors(self) -> None:
        """Go on to the next principal coloring or sample; the points stay."""
        spec, every_level = self.spec, range(len(self.spec.seeds))
        if (principal := spec.principal) is None:
            self.spec = spec.resampled(every_level, spec.seed + 1)
        else:
            following = replace(principal, number=(principal.number + 1) % principal.of)
            self.spec = replace(spec, seeds=(None,) * len(every_level), principal=following)

    def recolor(self, colorizer: Colorizer) -> None:
        """Color the photo anew, unless the points or the spec change meanwhile."""
        spec, hints = self.spec, self.points.hints
        with self.photo.read() as photo:
            (made,) = colorizer.reproduce(photo, [spec], hints=hints)
        coloring = self.written(made, self.small, "hints")
        if self.points.hints is hints and self.spec is spec:
            self.replace_colorings(coloring)
        else:
            shutil.rmtree(coloring.folder, ignore_errors=True)

    def aim(self) -> None:
        """Offer the colors of materials for the point that gets the next color, if it is new."""
        target = self.points.target()
        if target != self.target:
            lightness = self._lightness_at(self.small, *target[:2]) if target else None
            self.choices = () if lightness is None else material_swatches(lightness)
            self.target = target

    def offer(self, colorizer: Colorizer) -> None:
        """Offer likely colors of that point, unless the visitor goes on to another meanwhile."""
        target = self.target
        if target is None or self.likely:
            return
        row, column, others = target
        with self.photo.read() as photo:
            samples = colorizer.colorize(
                photo,
                _SAMPLES,
                self.spec.temperature,
                self.spec.seed,
                samples=True,
                force=True,
                hints=others,
            )
        ab = np.stack([one.ab for one in samples])
        height, width = ab.shape[-2:]
        here = ab[:, :, row * height // photo.height, column * width // photo.width]
        found = likely(here, self._lightness_at(self.small, row, column), _SWATCHES)
        if self.target == target == self.points.target():
            self.choices = [*self.materials, *found]

    def point_colors(self) -> list[Swatch]:
        """The points' colors, at the lightness that the photo has there."""
        small = self.small
        return [
            Swatch(self._lightness_at(small, hint.row, hint.column), hint.a, hint.b)
            for hint in self.points.hints
        ]

    def marked(self, colors: Sequence[Swatch]) -> Path:
        """A picture of the coloring with marks at the points, in these colors."""
        chosen, points = self.require_chosen(), self.points
        picture = read_photo(chosen.preview)
        image = Image.fromarray(picture.pixels)
        for index, (hint, color) in enumerate(zip(points.hints, colors, strict=True)):
            place = self._scaled(picture, hint.row, hint.column)
            draw_mark(image, place, color.hex, str(index + 1), chosen=index == points.current)
        if points.uncolored is not None:
            draw_mark(image, self._scaled(picture, *points.uncolored), chosen=True)
        path = new_folder(chosen.folder, "marked-") / f"marked{chosen.preview.suffix}"
        return write_preview(path, np.asarray(image), picture)

    def _scaled(self, small: Photo, row: float, column: float) -> tuple[float, float]:
        """Where the center of one of the photo's pixels is on a preview, in its pixels."""
        return (
            (int(row) + 0.5) * small.height / self.photo.height,
            (int(column) + 0.5) * small.width / self.photo.width,
        )

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
    return ColoringSpec(
        seeds=(None,) * len(levels), principal=PrincipalSpec(number=0, of=_PRINCIPAL, seed=0)
    )


def radius_of(height: int, width: int) -> float:
    """Radius of the marks on a picture of that size, in pixels."""
    return max(_LEAST_RADIUS, _RADIUS * max(height, width))


def draw_mark(
    image: Image.Image,
    place: tuple[float, float],
    color: str | None = None,
    text: str = "",
    *,
    chosen: bool = False,
) -> None:
    """Draw a mark into a picture: white and black rings, which are visible on any color.

    Args:
        image: the picture.
        place: row and column, in its pixels.
        color: #rrggbb that fills the mark; None for a ring, where no color is chosen yet.
        text: number beside the mark.
        chosen: whether the mark is drawn larger.
    """
    draw, (row, column) = ImageDraw.Draw(image), place
    plain = radius_of(image.height, image.width)
    radius = 1.35 * plain if chosen else plain
    line = max(1, round(plain / 5))
    draw.circle((column, row), radius, outline="black", width=line)
    draw.circle((column, row), radius - line, outline="white", width=2 * line)
    if color is not None:
        draw.circle((column, row), radius - 2 * line, fill=color)
    draw.text(
        (column + 1.2 * radius, row - 1.2 * radius),
        text,
        fill="white",
        stroke_fill="black",
        stroke_width=line,
        font=ImageFont.load_default(1.6 * plain),
        anchor="lm",
    )
