"""Colorings of one photo, which come one by one."""

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
from colorflow.photo import LETTERS, Photo, Principal, Provenance
from colorflow.ui.opened import OpenPhoto, new_folder, reduced, write
from colorflow.ui.run import Run

if TYPE_CHECKING:
    from colorflow.colorizer import ColoringSpec, PrincipalSpec


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coloring:
    """One result."""

    recipe: ColoringSpec
    """What it is made of."""
    ab: NDArray[np.float32]
    """Its colors, CIELAB (2, h, w), on a small grid."""
    folder: Path
    """Of this and of what was made with it."""
    stem: str
    """Of its file in full size."""
    preview: Path
    share: float | None = None
    """Of a principal coloring, as it was drawn: the share of the samples that it is the mean of."""

    def path(self, suffix: str) -> Path:
        """Where it is written in full size, with the photo's metadata, once it is chosen."""
        return self.folder / f"{self.stem}{suffix}"

    @property
    def seed(self) -> int:
        """Of its colors, and of the details too unless these were drawn anew."""
        return self.recipe.seed

    @property
    def caption(self) -> str:
        """What it is, in words."""
        recipe = self.recipe
        if recipe.principal is None:
            said = f"Seed {recipe.seed}"
        elif recipe.is_principal and recipe.principal.number == 0:
            said = "A: average of all"
        elif recipe.is_principal and self.share is not None:
            said = f"{letter_of(recipe.principal).upper()}: {100 * self.share:.0f} %"
        else:
            said = letter_of(recipe.principal).upper()
        variation = variation_of(recipe)
        return said if variation is None else f"{said}, variation {variation}"


@dataclass(slots=True, kw_only=True, eq=False)
class Work:
    """One of the visitor's photos, and what was made of it."""

    upload: Path
    """The file as Gradio has it."""
    photo: OpenPhoto
    colorings: Sequence[Coloring] = ()
    chosen: Coloring | None = None

    @property
    def shows_samples(self) -> bool:
        """Whether its colorings are samples; one of them may still be what was chosen before."""
        return bool(self.colorings) and self.colorings[-1].recipe.principal is None


Drawn = Iterator[tuple["ColoringSpec", NDArray[np.float32], float | None]]
"""Recipes, colors and shares of colorings, one by one."""


class Colorings(Run):
    """Colorings of one photo in the making; they come one by one.

    With the first of them those before are gone and it is the chosen one.

    Args:
        work: what they belong to.
        draw: gives their colors.
        wanted: how many that will be.
    """

    def __init__(self, work: Work, draw: Callable[[Photo], Drawn], wanted: int) -> None:
        super().__init__()
        self.work = work
        self.wanted = wanted
        self.done = 0
        self._draw = draw

    def __iter__(self) -> Iterator[Coloring]:
        """Make them, until all are there or somebody ends it.

        Raises:
            ColorflowError: the photo cannot be read again, colored, or a result written.
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

    def _made(self, folder: Path) -> Iterator[Coloring]:
        opened = self.work.photo
        with opened.read() as photo:
            small = reduced(photo)
            lightness = lightness_of(small.pixels)
            for recipe, ab, share in self._draw(photo):
                name = name_of(recipe)
                yield Coloring(
                    recipe=recipe,
                    ab=ab,
                    folder=folder,
                    stem=f"{opened.upload.stem}_{name}",
                    preview=write(folder / f"{name}.png", render(lightness, ab), small),
                    share=share,
                )

    def _take(self, made: Coloring) -> None:
        before, work = self.work.colorings, self.work
        self.done += 1
        if self.done > 1:
            work.colorings = [*before, made]
            return
        work.colorings, work.chosen = [made], made
        if before:
            shutil.rmtree(before[0].folder, ignore_errors=True)


def name_of(recipe: ColoringSpec) -> str:
    """What tells a coloring from the others of its photo, as part of a file's name.

    The letter of a principal coloring, or `s` and the seed of a sample; then, after a hyphen, the
    seed of details that were drawn anew.
    """
    name = f"s{recipe.seed}" if recipe.principal is None else letter_of(recipe.principal)
    variation = variation_of(recipe)
    return name if variation is None else f"{name}-{variation}"


def provenance_of(recipe: ColoringSpec, share: float | None, model: str) -> Provenance:
    """What files say of how a coloring was made.

    Args:
        recipe: of the coloring.
        share: of a principal coloring, if it is known.
        model: digest of the weights.
    """
    card, principal = recipe.principal, None
    if card is not None:
        principal = Principal(letter_of(card), card.of, share)
    return Provenance(recipe.seed, recipe.temperature, model, principal=principal)


def letter_of(card: PrincipalSpec) -> str:
    """a for the mean of all samples, then b, c, ... for the modes."""
    return LETTERS[card.number]


def variation_of(recipe: ColoringSpec) -> int | None:
    """The seed of details that were drawn anew; None if they were not."""
    details = recipe.seeds[-1]
    return details if recipe.principal or details != recipe.seed else None
