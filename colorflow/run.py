"""The way of a photo: one function carries out a `Recipe`, and whoever wants a picture calls it.

    cut        the frame of a print, straightened          `cut_out`
    repair     damage is found, and filled                 `Repairer.steps`
    tones      brought back, if they have faded            `unfaded`
    color      chroma on the small grid                    `Colorizer.colored`
    enlarge    lightness of twice or four times the size   `Enlarger.steps`
    write      result.save("restored.jpg")                 `Result`

Reading is the work of `colorflow.photo`. The command, its workers, the web page, the interface for
programs and Python differ in where photos come from and where results go.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from colorflow.photo import Kind, Photo
from colorflow.recipe import Colors, Crop, Enlargement, Recipe, Weights
from colorflow.result import Result, damage_of
from colorflow.scan import cut_out, frame_in

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.repair.repairer import Repairer

Made = TypeVar("Made")


class Step(NamedTuple):
    """What is done to a photo."""

    name: str
    """Such as "repairing"."""
    share: float | None = None
    """Of the step, how much is done, 0 to 1; None for a step that tells nothing."""

    def __str__(self) -> str:
        return self.name if self.share is None else f"{self.name}, {100 * self.share:.0f} %"


@dataclass(frozen=True, slots=True)
class Models:
    """Loaded models; None for one that is not there."""

    colorizer: Colorizer | None = None
    enlarger: Enlarger | None = None
    repairer: Repairer | None = None

    @property
    def weights(self) -> Weights:
        """Their digests."""
        return Weights(
            colors=self.colorizer.digest if self.colorizer else None,
            detail=self.enlarger.digest if self.enlarger else None,
            repair=self.repairer.digest if self.repairer else None,
        )


def run(
    photo: Photo,
    recipe: Recipe,
    models: Models,
    *,
    digest: str | None = None,
    references: Mapping[str, Photo] | None = None,
) -> Generator[Step, None, Result]:
    """Carries out a recipe, step by step; whoever wants no more closes the generator.

    Args:
        photo: the photo, or the scan.
        recipe: what is done to it.
        models: at least those that the recipe needs.
        digest: of the photo's file; None for a photo from memory.
        references: the photos that the recipe names, by their digests.

    Yields:
        What is done.

    Returns:
        What came out.

    Raises:
        PhotoError: if the photo is too small or too large for a step.
        WeightsError: if the weights cannot do what is asked for.
        ValueError: if the recipe does not fit the photo: a frame or a hint is outside of it, a
            model or a reference is missing.
    """
    for step in run_all(photo, [recipe], models, digest=digest, references=references):
        if isinstance(step, Result):
            return step
        yield step
    raise AssertionError("there is a result of each recipe")


def run_all(
    photo: Photo,
    recipes: Sequence[Recipe],
    models: Models,
    *,
    digest: str | None = None,
    references: Mapping[str, Photo | None] | None = None,
    prints: int | None = None,
    cut: Photo | None = None,
    kept: Collection[Recipe] = (),
) -> Iterator[Step | Result]:
    """Carries out recipes that begin alike, as `run`: what they have in common is done once.

    Args:
        photo: see `run`.
        recipes: with the same crop, repair, tones, hints and references.
        models: see `run`.
        digest: see `run`.
        references: see `run`; None for one that shows no colors, and so tells nothing.
        prints: that were found in the scan, for statements.
        cut: what the crop cuts out, for whoever has looked at it before.
        kept: recipes whose results exist. They are colored with the others, whose last bits depend
            on it, and not enlarged.

    Yields:
        What is done, and the results in the order of the recipes, each as soon as it is there.

    Raises:
        PhotoError, WeightsError, ValueError: see `run`.
    """
    first = recipes[0]
    if len({recipe.prepared for recipe in recipes}) > 1:
        raise ValueError("recipes: expected the same crop, repair and tones")
    _check_models(recipes, models)
    cut = cut or cropped(photo, first.crop)
    photo, mask, repaired, marks = cut, None, None, None
    if first.repair:
        assert models.repairer
        repair = models.repairer.steps(photo, first.repair)
        photo, mask = yield from _followed("repairing", repair)
        repaired, marks = damage_of(mask)
    if first.unfaded:
        from colorflow.repair.fading import unfaded

        photo = unfaded(photo)
    colors = [recipe.colors for recipe in recipes if recipe.colors]
    has_colors = any(each.keeps for each in colors) and cut.kind is Kind.COLORED
    made = [Result(photo, recipe) for recipe in recipes]
    if colors and not has_colors:
        assert models.colorizer
        yield Step("coloring")
        pictures = _references(references or {}, colors[0])
        if not pictures:
            colors = [_without_references(each) for each in colors]
        made = models.colorizer.colored(photo, digest, colors, pictures)
    detail: tuple[Enlargement, NDArray[np.float32]] | None = None
    for recipe, result in zip(recipes, made, strict=True):
        lightness = None
        if recipe.enlargement and recipe not in kept:
            if detail is None or detail[0] != recipe.enlargement:
                assert models.enlarger
                detail = None  # of a large photo, two at once fill the memory
                steps = models.enlarger.steps(photo, recipe.enlargement)
                detail = recipe.enlargement, (yield from _followed("enlarging", steps))
            lightness = detail[1]
        yield replace(
            result,
            recipe=recipe,
            weights=models.weights.used_by(recipe, has_colors=has_colors),
            digest=digest,
            lightness=lightness,
            mask=mask,
            repaired=repaired,
            marks=marks,
            prints=prints,
            has_colors=has_colors,
        )


def cropped(scan: Photo, crop: Crop | None) -> Photo:
    """The print that is cut out of a scan; the scan itself if that is taken as a whole.

    Raises:
        ValueError: if its frame is not in the scan.
    """
    if crop is None or (crop.frame is None and not crop.turns):
        return scan
    corners = crop.frame or (0, 0, scan.width, 0, scan.width, scan.height, 0, scan.height)
    return cut_out(scan, frame_in(scan, corners), crop.turns)


def _check_models(recipes: Sequence[Recipe], models: Models) -> None:
    needed = {
        "colorizer": any(recipe.colors for recipe in recipes),
        "enlarger": any(recipe.enlargement for recipe in recipes),
        "repairer": any(recipe.repair for recipe in recipes),
    }
    for name, is_needed in needed.items():
        if is_needed and getattr(models, name) is None:
            raise ValueError(f"models: expected the {name} that the recipe needs")


def _references(
    known: Mapping[str, Photo | None], colors: Colors
) -> list[tuple[Photo, str | None]]:
    """The references of colors that tell something, with their digests."""
    pictures: list[tuple[Photo, str | None]] = []
    for digest in colors.references:
        if digest not in known:
            raise ValueError(f"references: expected a photo with the digest {digest}")
        if picture := known[digest]:
            pictures.append((picture, digest))
    return pictures


def _without_references(colors: Colors) -> Colors:
    return replace(colors, references=(), spec=replace(colors.spec, strength=0.0))


def _followed(step: str, shares: Generator[float, None, Made]) -> Generator[Step, None, Made]:
    """What a step returns in the end; yields after each part of it what share is done."""
    while True:
        try:
            yield Step(step, next(shares))
        except StopIteration as end:
            made: Made = end.value
            return made
