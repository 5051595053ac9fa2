"""A photo with colors that a visitor gives to points of it, and the coloring that follows them."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from colorflow.batch.hints import PhotoHints, Start
from colorflow.color.full_resolution import LightnessRows, lightness_of, render
from colorflow.color.grid import to_grid
from colorflow.colorizer import ColoringSpec, Hint, PrincipalSpec
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

ZOOMS = (1, 2, 4, 8)
"""How many times larger a part of the photo may be shown than the whole."""
_RADIUS = 1 / 50
"""Radius of a mark divided by the picture's longer side."""
_LEAST_RADIUS = 4


@dataclass(frozen=True, slots=True)
class View:
    """The part of a photo that is shown, in its pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def part(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        columns = slice(self.left, self.left + self.width)
        return slice(self.top, self.top + self.height), columns

    def has(self, row: float, column: float) -> bool:
        """Whether a pixel of the photo is in it."""
        return (
            self.top <= row < self.top + self.height
            and self.left <= column < self.left + self.width
        )


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
    zoom: int = 1
    """One of `ZOOMS`."""
    center: tuple[float, float] | None = None
    """Row and column of the middle of what is shown, as far as the photo's borders allow."""
    _seen: tuple[View, Path] | None = None
    """The last view and its own picture, without colors, as large as the preview."""

    @property
    def materials(self) -> Sequence[Swatch]:
        """The choices that are colors of materials."""
        return self.choices[: len(MATERIALS)]

    @property
    def likely(self) -> Sequence[Swatch]:
        """The choices that are likely colors; none until `offer` has found them."""
        return self.choices[len(MATERIALS) :]

    def click(self, x: float, y: float, seen: View | None = None) -> None:
        """Take a position on a picture of a view, in its pixels; by default of what is shown."""
        view, small = seen or self.view, self.small
        scale = view.width / small.width
        down = min(max(int((y + 0.5) * view.height / small.height), 0), view.height - 1)
        across = min(max(int((x + 0.5) * scale), 0), view.width - 1)
        radius = scale * radius_of(small.height, small.width)
        self.points.click(view.top + down, view.left + across, radius)

    @property
    def view(self) -> View:
        """What is shown of the photo."""
        size = self.photo.height, self.photo.width
        middle = self.center or (size[0] / 2, size[1] / 2)
        height, width = (max(1, round(length / self.zoom)) for length in size)
        top, left = (
            min(max(0, round(at - own / 2)), length - own)
            for at, own, length in zip(middle, (height, width), size, strict=True)
        )
        return View(top, left, height, width)

    def magnify(self, zoom: int) -> None:
        """Show the photo in another zoom, around the point that gets the next color, if any."""
        self.zoom = zoom
        if target := self.points.target():
            self.center = target[:2]

    def look_at(self, x: float, y: float) -> None:
        """Show the surroundings of a position on the picture of the whole, in its pixels."""
        scale = self.photo.preview_scale
        self.center = y / scale, x / scale

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
        start = before = self._start(weights)
        if given.start and given.start.weights == weights:
            start = given.start
        self._begin_from(start)
        self.points.replace(given.hints, partial(self._begin_from, before))

    def save(self, weights: str) -> Path:
        """Write the points and the coloring to a file that `load` and the command line take.

        Args:
            weights: digest of the weights at hand.
        """
        path = self.folder / f"{self.photo.path.stem}_hints.json"
        given = PhotoHints(self.points.hints, self._start(weights))
        content = {self.photo.path.name: given.as_json()}
        text = json.dumps(content, ensure_ascii=False, indent=1)
        with storing():
            path.write_text(f"{text}\n", encoding="utf-8")
        return path

    def _start(self, weights: str) -> Start:
        """The coloring that the points are given on."""
        chosen = self.require_chosen()
        return Start(self.spec, weights, chosen.saturation, chosen.pale)

    def _begin_from(self, start: Start) -> None:
        self.saturate(start.saturation, start.pale)
        self.spec = start.spec

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
            if target and not self.view.has(*target[:2]):
                self.center = target[:2]
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

    def point_colors(self, hints: Sequence[Hint]) -> list[Swatch]:
        """Colors of points, at the lightness that the photo has there."""
        small = self.small
        return [
            Swatch(self._lightness_at(small, hint.row, hint.column), hint.a, hint.b)
            for hint in hints
        ]

    def marked(self) -> Path:
        """A picture of the view in its colors, with marks at the points in their colors."""
        hints = self.points.hints  # may be changed meanwhile
        colors = self.point_colors(hints)
        chosen, points, view = self.require_chosen(), self.points, self.view
        picture = read_photo(chosen.preview)
        if self.zoom > 1:
            picture = self._magnified(picture, view)
        image = Image.fromarray(picture.pixels)

        def place(row: float, column: float) -> tuple[float, float]:
            return (
                (int(row) - view.top + 0.5) * picture.height / view.height,
                (int(column) - view.left + 0.5) * picture.width / view.width,
            )

        for index, (hint, color) in enumerate(zip(hints, colors, strict=True)):
            at, chosen_one = place(hint.row, hint.column), index == points.current
            draw_mark(image, at, color.hex, str(index + 1), chosen=chosen_one)
        if points.uncolored is not None:
            draw_mark(image, place(*points.uncolored), chosen=True)
        path = new_folder(chosen.folder, "marked-") / f"marked{chosen.preview.suffix}"
        return write_preview(path, np.asarray(image), picture)

    def overview(self) -> Path:
        """A picture of the whole coloring, with a frame around the view."""
        chosen, view, scale = self.require_chosen(), self.view, self.photo.preview_scale
        picture = read_photo(chosen.preview)
        image = Image.fromarray(picture.pixels)
        edges = view.left, view.top, view.left + view.width - 1, view.top + view.height - 1
        draw, line = ImageDraw.Draw(image), max(2, round(max(image.size) / 150))
        for color, width in (("black", 2 * line), ("white", line)):
            draw.rectangle([scale * edge for edge in edges], outline=color, width=width)
        path = new_folder(chosen.folder, "marked-") / f"overview{chosen.preview.suffix}"
        return write_preview(path, np.asarray(image), picture)

    def _magnified(self, colored: Photo, view: View) -> Photo:
        """The view as large as the preview: the photo's own lightness in the preview's colors."""
        if self._seen is None or self._seen[0] != view:
            with self.photo.read() as photo:
                part = Image.fromarray(photo.pixels[view.part]).resize(colored.pixels.shape[1::-1])
                alpha = photo.alpha
                if alpha is not None:
                    alpha = np.array(Image.fromarray(alpha[view.part]).resize(part.size))
            like = Photo(pixels=np.array(part.convert("RGB")), alpha=alpha)
            path = new_folder(self.folder, "view-") / "view.png"
            before, self._seen = self._seen, (view, write_preview(path, like.pixels, like))
            if before:
                shutil.rmtree(before[1].parent, ignore_errors=True)
        seen, (rows, columns) = read_photo(self._seen[1]), view.part
        part_of_preview = colored.pixels[
            _reduced(rows, colored.height / self.photo.height),
            _reduced(columns, colored.width / self.photo.width),
        ]
        ab = to_grid(np.ascontiguousarray(part_of_preview))
        return replace(seen, pixels=render(LightnessRows(seen.pixels), ab))

    def _lightness_at(self, small: Photo, row: float, column: float) -> float:
        """L* at a pixel of the photo: the mean of 3x3 pixels of the preview, to leave grain out."""
        top = int((int(row) + 0.5) * small.height / self.photo.height)
        left = int((int(column) + 0.5) * small.width / self.photo.width)
        around = small.pixels[max(top - 1, 0) : top + 2, max(left - 1, 0) : left + 2]
        return float(lightness_of(np.ascontiguousarray(around)).mean())


HintSession = Session[HintedPhoto]


def _reduced(pixels: slice, scale: float) -> slice:
    """The pixels of a preview that show pixels of the photo, along an axis."""
    return slice(math.floor(scale * pixels.start), math.ceil(scale * pixels.stop))


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
