"""Colourings of one photo, which come one by one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of, render
from colorflow.errors import ColorflowError
from colorflow.photo import Photo
from colorflow.ui.opened import OpenPhoto, new_folder, reduced, write
from colorflow.ui.run import Run

if TYPE_CHECKING:
    from colorflow.colorize import Recipe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Colouring:
    """One result."""

    recipe: Recipe
    """What it is made of."""
    ab: NDArray[np.float32]
    """Its colours, CIELAB (2, h, w), on a small grid."""
    folder: Path
    """Of this and of what was made with it."""
    stem: str
    """Of its file in full size."""
    preview: Path

    def path(self, suffix: str) -> Path:
        """Where it is written in full size, with the photo's metadata, once it is chosen."""
        return self.folder / f"{self.stem}{suffix}"

    @property
    def seed(self) -> int:
        """Of its colours, and of the details too unless these were drawn anew."""
        return self.recipe.seed

    @property
    def caption(self) -> str:
        """Its seed, or that of its colours and that of its details."""
        return f"Seed {seeds_of(self.recipe)}"


@dataclass(slots=True, kw_only=True, eq=False)
class Work:
    """One of the visitor's photos, and what was made of it."""

    upload: Path
    """The file as Gradio has it."""
    photo: OpenPhoto
    colourings: Sequence[Colouring] = ()
    chosen: Colouring | None = None


Drawn = Iterator[tuple["Recipe", NDArray[np.float32]]]
"""Recipes and colours of colourings, one by one."""


class Colourings(Run):
    """Colourings of one photo in the making; they come one by one.

    With the first of them those before are gone and it is the chosen one.

    Args:
        work: what they belong to.
        draw: gives their colours.
        wanted: how many that will be.
    """

    def __init__(self, work: Work, draw: Callable[[Photo], Drawn], wanted: int) -> None:
        super().__init__()
        self.work = work
        self.wanted = wanted
        self.done = 0
        self._draw = draw

    def __iter__(self) -> Iterator[Colouring]:
        """Make them, until all are there or somebody ends it.

        Raises:
            ColorflowError: the photo cannot be read again, coloured, or a result written.
        """
        try:
            folder = new_folder(self.work.photo.folder, "run-")
            try:
                for made in self._made(folder):
                    if self.end:
                        return
                    self._take(made)
                    yield made
                    if self.end:
                        return
            finally:
                if not self.done:
                    shutil.rmtree(folder, ignore_errors=True)
        except ColorflowError:
            if self.end != "replaced":  # otherwise the photo's folder may have gone
                raise

    def _made(self, folder: Path) -> Iterator[Colouring]:
        opened = self.work.photo
        photo = opened.read()
        small = reduced(photo)
        lightness = lightness_of(small.pixels)
        for recipe, ab in self._draw(photo):
            name = seeds_of(recipe)
            yield Colouring(
                recipe=recipe,
                ab=ab,
                folder=folder,
                stem=f"{opened.upload.stem}_s{name}",
                preview=write(folder / f"{name}.png", render(lightness, ab), small),
            )

    def _take(self, made: Colouring) -> None:
        before, work = self.work.colourings, self.work
        self.done += 1
        if self.done > 1:
            work.colourings = [*before, made]
            return
        work.colourings, work.chosen = [made], made
        if before:
            shutil.rmtree(before[0].folder, ignore_errors=True)


def seeds_of(recipe: Recipe) -> str:
    """The seed, or that of the colours and that of the details with a hyphen between."""
    colours, details = recipe.seeds[0], recipe.seeds[-1]
    return str(colours) if colours == details else f"{colours}-{details}"
