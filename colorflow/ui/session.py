"""One visitor's photo and its colourings, kept as files.

What the page shows are small previews. Only the colouring that the visitor chooses is painted at
full size, which takes seconds for a large photo. Between two clicks no pixels stay in memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of, render
from colorflow.errors import ColorflowError
from colorflow.photo import Photo, Provenance, read_photo
from colorflow.ui.open_map import openness
from colorflow.ui.opened import OpenPhoto, new_folder, open_photo, paint, reduced, write

if TYPE_CHECKING:
    from colorflow.colorize import Draws, Recipe, Uncertainty

Part = Literal["details", "colours"]
"""What is drawn anew of a colouring: its fine levels, or the coarse ones, which decide the colours
of objects."""

_COARSE_LEVELS = 2
_READ, _DRAWN = 0.1, 0.7
"""Share of the work that is done when the photo is read, and when its colours are drawn."""


class PhotoColorizer(Protocol):
    """What the tab needs of `colorflow.colorize.Colorizer`."""

    digest: str

    @property
    def levels(self) -> tuple[int, ...]:
        """Names of the levels, coarse to fine."""
        ...

    def draw(
        self, photo: Photo, n: int, temperature: float, seed: int, /, *, diverse: bool
    ) -> Draws:
        """Draw the colours of n colourings, and say the recipe of each."""
        ...

    def redraw(
        self, photo: Photo, colouring: Recipe, levels: Collection[int], seed: int, n: int, /
    ) -> Draws:
        """Draw some levels of a colouring anew, n times."""
        ...

    def uncertainty(self, photo: Photo, /) -> Uncertainty:
        """Tell how far the colours are open at each place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the visitor wants the photo coloured."""

    n: int
    """Number of colourings."""
    temperature: float
    """Multiplies the shipped temperatures; 1 is as trained."""
    seed: int
    """Of the first colouring; the next ones count on."""
    diverse: bool
    """The most different among many draws, whose seeds are then not in a row."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Colouring:
    """One result."""

    recipe: Recipe
    """What it is made of."""
    ab: NDArray[np.float32]
    """Its colours, CIELAB (2, h, w), on a small grid."""
    preview: Path
    path: Path
    """Where it is written in full size, with the photo's metadata, once it is chosen."""

    @property
    def seed(self) -> int:
        """Of its colours, and of the details too unless these were drawn anew."""
        return self.recipe.seeds[0]

    @property
    def caption(self) -> str:
        """Its seed, or that of its colours and that of its details."""
        return f"Seed {seeds_of(self.recipe)}"


class Session:
    """What the server keeps of one visitor.

    The visitor may go on while something is being made: the methods may run at the same time in
    several threads, and those that find that the visitor has gone on give None.

    Args:
        root: folder in which the session makes its own.

    Raises:
        ColorflowError: it cannot.
    """

    def __init__(self, root: Path) -> None:
        self._folder = new_folder(root, "session-")
        self.photo: OpenPhoto | None = None
        self.colourings: Sequence[Colouring] = ()
        self.chosen: Colouring | None = None

    def open(self, upload: Path) -> OpenPhoto:
        """Read another photo; the one before is forgotten even if this one cannot be read.

        Raises:
            ColorflowError: it cannot be read, or its preview not written.
        """
        self.forget_photo()
        self.photo = open_photo(upload, self._folder)
        return self.photo

    def colourise(
        self, colorizer: PhotoColorizer, wish: Wish, report: Callable[[float, str], None]
    ) -> OpenPhoto | None:
        """Colour the open photo and choose the first colouring.

        The colourings before are replaced when the new ones are there.

        Args:
            colorizer: does it.
            wish: how.
            report: told the share that is done, in [0, 1], and what comes next.

        Returns:
            The photo that was coloured; None if the visitor has opened another meanwhile.

        Raises:
            ColorflowError: there is no photo, or it cannot be read again, coloured, or written.
        """

        def draw(photo: Photo) -> Draws:
            return colorizer.draw(photo, wish.n, wish.temperature, wish.seed, diverse=wish.diverse)

        return self._make(draw, (), report)

    def vary(
        self,
        colorizer: PhotoColorizer,
        part: Part,
        n: int,
        report: Callable[[float, str], None],
    ) -> OpenPhoto | None:
        """Draw a part of the chosen colouring anew, n times; it stays the first and chosen one.

        Returns and raises what `colourise` does.
        """
        chosen = self.chosen
        if chosen is None:
            raise ColorflowError("There is no colouring here yet; colour the photo first.")
        levels = colorizer.levels
        anew = levels[_COARSE_LEVELS:] if part == "details" else levels[:_COARSE_LEVELS]
        seed = 1 + max(seed for one in self.colourings for seed in one.recipe.seeds)

        def draw(photo: Photo) -> Draws:
            return colorizer.redraw(photo, chosen.recipe, anew, seed, n)

        return self._make(draw, [chosen], report)

    def map_openness(self, colorizer: PhotoColorizer) -> Path | None:
        """Make a picture of how far the photo's colours are open, unless that has been done.

        Returns:
            The picture; None if the visitor has opened another photo meanwhile.

        Raises:
            ColorflowError: there is no photo, or it cannot be read again, or the map not written.
        """
        photo = self._open_photo()
        path = photo.folder / "open.png"
        try:
            if not path.exists():
                original = read_photo(photo.upload)
                small = reduced(original)
                uncertainty = colorizer.uncertainty(original)
                write(path, openness(lightness_of(small.pixels), uncertainty), small)
        except ColorflowError:
            if self.photo is not photo:  # its folder has gone
                return None
            raise
        return path if self.photo is photo else None

    def choose(self, index: int) -> tuple[OpenPhoto, Colouring] | None:
        """Choose a colouring; None if there is none of that index, or its files are too old."""
        photo, colourings = self.photo, self.colourings
        if photo is None or index >= len(colourings) or not colourings[index].preview.exists():
            return None
        self.chosen = colourings[index]
        return photo, self.chosen

    def paint_chosen(self, model: str) -> Path | None:
        """Paint the chosen colouring at full size, unless that has been done.

        Args:
            model: digest of the weights, to be written into the file.

        Returns:
            The file; None if nothing is chosen, or another colouring or photo by now.

        Raises:
            ColorflowError: the photo cannot be read again, or the result not written.
        """
        photo, chosen = self.photo, self.chosen
        if photo is None or chosen is None:
            return None
        try:
            if not chosen.path.exists():
                provenance = Provenance(chosen.seed, chosen.recipe.temperature, model)
                paint(photo, chosen.ab, chosen.path, provenance)
        except ColorflowError:
            if self.chosen is not chosen:  # its folder may have gone
                return None
            raise
        return chosen.path if self.chosen is chosen else None

    def forget_photo(self) -> None:
        """Delete all that was made of the open photo, if there is one."""
        before = self.photo
        self.photo, self.colourings, self.chosen = None, (), None
        if before:
            shutil.rmtree(before.folder, ignore_errors=True)

    def close(self) -> None:
        """Delete everything."""
        self.forget_photo()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open_photo(self) -> OpenPhoto:
        if self.photo is None:
            raise ColorflowError("There is no photo here any more; choose it again.")
        return self.photo

    def _make(
        self,
        draw: Callable[[Photo], Draws],
        kept: Sequence[Colouring],
        report: Callable[[float, str], None],
    ) -> OpenPhoto | None:
        """Put some that are kept and new colourings in the place of those before."""
        photo = self._open_photo()
        try:
            made = _colourings(photo, draw, kept, report)
        except ColorflowError:
            if self.photo is not photo:  # its folder has gone
                return None
            raise
        if self.photo is not photo:
            return None
        before, self.colourings, self.chosen = self.colourings, made, made[0]
        if before:
            shutil.rmtree(before[0].path.parent, ignore_errors=True)
        return photo


def seeds_of(recipe: Recipe) -> str:
    """The seed, or that of the colours and that of the details with a hyphen between."""
    colours, details = recipe.seeds[0], recipe.seeds[-1]
    return str(colours) if colours == details else f"{colours}-{details}"


def _colourings(
    opened: OpenPhoto,
    draw: Callable[[Photo], Draws],
    kept: Sequence[Colouring],
    report: Callable[[float, str], None],
) -> list[Colouring]:
    report(0, "Reading the photo")
    photo = read_photo(opened.upload)
    report(_READ, "Imagining its colours")
    draws = draw(photo)
    all_of_them = [
        *((one.recipe, one.ab) for one in kept),
        *zip(draws.recipes, draws.ab, strict=True),
    ]
    folder = new_folder(opened.folder, "run-")
    small = reduced(photo)
    lightness = lightness_of(small.pixels)
    made = []
    for index, (recipe, ab) in enumerate(all_of_them):
        done = _DRAWN + (1 - _DRAWN) * index / len(all_of_them)
        report(done, f"Painting {index + 1} of {len(all_of_them)}")
        name = seeds_of(recipe)
        made.append(
            Colouring(
                recipe=recipe,
                ab=ab,
                preview=write(folder / f"{name}.png", render(lightness, ab), small),
                path=folder / f"{opened.upload.stem}_s{name}{opened.suffix}",
            )
        )
    return made
