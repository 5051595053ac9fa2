"""The models of a batch: their files, how a worker loads them, and what they make of a photo."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from colorflow.batch.settings import COLORS, DETAIL, REPAIR, BatchSettings, Digests, Settings
from colorflow.batch.sheet import packed
from colorflow.batch.task import PhotoTask, Reference
from colorflow.color.grid import resized, size_within
from colorflow.enlarge.draws import MEAN
from colorflow.errors import PhotoError, WeightsError
from colorflow.files import COLORING_WEIGHTS, ENLARGE_WEIGHTS, REPAIR_WEIGHTS, default_weights
from colorflow.photo import (
    COLORING,
    Kind,
    Photo,
    Preparation,
    Statements,
    is_own_picture,
    read_picture,
    start_reader,
)

if TYPE_CHECKING:
    from colorflow.colorizer import Coloring, Colorizer
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.repair.repairer import Repairer

_SHIPPED = {COLORS: COLORING_WEIGHTS, DETAIL: ENLARGE_WEIGHTS, REPAIR: REPAIR_WEIGHTS}
_REFERENCE_SIDE = 1024
"""Pixels of the longer side of a reference at most; the model sees 512."""
Result = TypeVar("Result")
_LEAST_SHARE = 1 / 32**2
"""Of a photo that a reference tells: one of the cells that are compared."""


@dataclass(frozen=True, slots=True)
class Models:
    """Loaded models; None for one that is not used."""

    colorizer: Colorizer | None = None
    enlarger: Enlarger | None = None
    repairer: Repairer | None = None
    tell: Callable[[str], None] = lambda step: None
    """Takes what is done to the photo in hand, such as "enlarging, 30 %"."""

    @property
    def digests(self) -> Digests:
        """The digests of their weights."""
        loaded = {COLORS: self.colorizer, DETAIL: self.enlarger, REPAIR: self.repairer}
        return {model: one.digest for model, one in loaded.items() if one}


@dataclass(frozen=True, slots=True)
class Results:
    """What is made of one photo.

    Attributes:
        statements: what each result says of itself, by label.
        paint: makes the pixels of the result with a label, uint8 or uint16, with the photo that
            says their size and metadata.
        bits_per_dim: of the results that have one, by label; empty if not asked for.
        told_by: as in `PhotoOutcome`.
    """

    statements: Mapping[str, Statements]
    paint: Callable[[str], tuple[np.ndarray, Photo]]
    bits_per_dim: Mapping[str, float]
    told_by: frozenset[Path] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """How a worker works.

    Attributes:
        weights: files of the models; the shipped ones for those that are missing.
        device: where to compute.
        threads: for pixels at full resolution and for detail; the model of colors takes one.
        settings: of the batch.
    """

    weights: Mapping[str, Path | None]
    device: str
    threads: int
    settings: BatchSettings


def load_models(config: WorkerConfig) -> Models:
    """Loads a worker's models.

    Raises:
        ColorflowError: if the weights cannot be loaded or do not take what the plan asks for, or
            the device is not available.
    """
    import cv2

    start_reader()  # while the weights are loaded
    cv2.setNumThreads(config.threads)
    colorizer, enlarger, repairer = None, None, None
    weights = {
        model: config.weights.get(model) or default_weights(_SHIPPED[model])
        for model in config.settings.models
    }
    if COLORS in weights:
        from colorflow.colorizer import Colorizer

        colorizer = Colorizer.load(weights[COLORS], device=config.device)
    if DETAIL in weights or REPAIR in weights:
        import torch

        torch.set_num_threads(config.threads)
    if DETAIL in weights:
        from colorflow.enlarge.enlarger import Enlarger

        enlarger = Enlarger.load(weights[DETAIL], device=config.device)
    if REPAIR in weights:
        from colorflow.repair.repairer import Repairer

        repairer = Repairer.load(weights[REPAIR], device=config.device)
    models = Models(colorizer, enlarger, repairer)
    check_models(config.settings, models)
    return models


def check_models(settings: BatchSettings, models: Models) -> None:
    """Raises `WeightsError` if the models cannot do what is asked for, before any photo."""
    missing = set(settings.models) - set(models.digests)
    if missing:
        raise ValueError(f"models: expected {', '.join(settings.models)}, got none for {missing}")
    if settings.restore and models.enlarger and not models.enlarger.can_restore:
        raise WeightsError("these weights cannot restore; choose others, or do not restore")
    asks = isinstance(settings, Settings) and (settings.alike or settings.references)
    if asks and not (models.colorizer and models.colorizer.takes_references):
        raise WeightsError(
            "these weights take no references; use weights with a likeness head, or leave the "
            "references away"
        )


def prepare(
    models: Models, photo: Photo, settings: BatchSettings, said: Preparation
) -> tuple[Photo, Preparation]:
    """A print without damage and fading, and how much of it was repaired, and where.

    Its tones are judged without what was damage.
    """
    if settings.repair:
        assert models.repairer
        done = _followed(models, "repairing", models.repairer.steps(photo, settings.sensitivity))
        marks = packed(done.mask) if done.share else None
        photo, said = done.photo, replace(said, share=done.share, marks=marks)
    if settings.fading:
        from colorflow.repair.fading import unfaded

        photo = unfaded(photo)
    return photo, said


def _followed(models: Models, what: str, steps: Generator[float, None, Result]) -> Result:
    """What steps return in the end; tells after each what share is done."""
    while True:
        try:
            models.tell(f"{what}, {100 * next(steps):.0f} %")
        except StopIteration as end:
            return end.value


def results_of(
    models: Models,
    photo: Photo,
    task: PhotoTask,
    settings: BatchSettings,
    expected: Mapping[str, Statements],
) -> Results:
    """Decides on the results of one photo; their pixels are made later.

    Their colors come from the photo at its own size. All are predicted even if some results exist,
    so that each is the same whichever others are missing.

    Args:
        models: those that are used; they tell what is done.
        photo: the photo, prepared.
        task: with its hints.
        settings: of the batch.
        expected: what each result will say, from the settings.

    Raises:
        PhotoError: if its hints do not fit it, or the weights.
    """
    enlarger, colorings = models.enlarger, list["Coloring"]()
    if settings.coloring and not task.keeps_colors:
        assert models.colorizer
        models.tell("coloring")
        colorings = _colored(models.colorizer, photo, task, settings.coloring)
    by_label = dict(zip(expected, colorings, strict=True)) if colorings else {}

    def lightness_of(temperature: float, seed: int) -> np.ndarray:
        assert enlarger
        how = settings.scale, temperature, seed
        steps = enlarger.steps(photo, *how, restore=settings.restore)
        return _followed(models, "enlarging", steps)

    @cache
    def mean_lightness() -> np.ndarray:
        return lightness_of(MEAN.temperature, MEAN.seed)

    def paint(label: str) -> tuple[np.ndarray, Photo]:
        detail = expected[label].detail
        if coloring := by_label.get(label):
            lightness = mean_lightness() if detail else None
            pixels = coloring.render(bits=photo.bits, lightness=lightness)
            return pixels, photo.enlarged(pixels) if detail else photo
        if not detail:
            return photo.full_depth, photo
        from colorflow.enlarge.enlarger import paint as paint_enlarged

        lightness = lightness_of(detail.temperature, detail.seed)
        large = photo.enlarged(paint_enlarged(photo, lightness, bits=photo.bits))
        return large.full_depth, large

    def stated(label: str, said: Statements) -> Statements:
        if label not in by_label or not said.colors:
            return said
        principal = by_label[label].provenance.principal  # its share is known only now
        return replace(said, colors=replace(said.colors, principal=principal))

    asked = by_label if settings.coloring and settings.coloring.likelihood else {}
    bits = {label: one.bits_per_dim for label, one in asked.items()}
    return Results(
        {label: stated(label, said) for label, said in expected.items()},
        paint,
        {label: value for label, value in bits.items() if math.isfinite(value)},
        _told_by(colorings, task, settings),
    )


def _told_by(
    colorings: Sequence[Coloring], task: PhotoTask, settings: BatchSettings
) -> frozenset[Path] | None:
    """Which references gave colors to a photo."""
    if not (colorings and colorings[0].reference_shares and settings.coloring):
        return None
    references = [one for one in _references_of(task, settings.coloring) if reference_photo(one)]
    shares = zip(references, colorings[0].reference_shares, strict=True)
    return frozenset(one.path for one, share in shares if share >= _LEAST_SHARE)


def _references_of(task: PhotoTask, settings: Settings) -> Sequence[Reference]:
    return task.references or settings.references


def _colored(
    colorizer: Colorizer, photo: Photo, task: PhotoTask, settings: Settings
) -> list[Coloring]:
    start = task.start
    if start and start.weights != colorizer.digest:
        raise PhotoError(
            str(task.path),
            f"its hints were given on a coloring of other weights ({start.weights}); choose "
            'these weights, or leave "coloring" out of the file of hints',
        )
    try:
        if start:
            (made,) = colorizer.reproduce(photo, [start.spec], hints=task.hints)
            return [made.saturated(start.saturation, start.pale)]
        references = map(reference_photo, _references_of(task, settings))
        return colorizer.colorize(
            photo,
            settings.n,
            settings.temperature,
            settings.seed,
            samples=settings.samples,
            skin=settings.skin,
            force=True,  # who may be colored was decided before
            hints=task.hints,
            reference=[one for one in references if one],
            strength=settings.strength,
        )
    except ValueError as error:  # settings were checked before, so it is of the file of hints
        if not (task.hints or start):
            raise
        raise PhotoError(str(task.path), str(error)) from error


def read_reference(path: Path) -> Reference:
    """Reads a photo in a process of its own, to see that it can be a reference.

    Raises:
        PhotoError: if it cannot be read, or has no colors.
    """
    photo, digest = read_picture(path, isolated=True)
    assert digest  # it is a file
    if photo.kind is Kind.GRAY:
        reason = "has no colors that could be carried over; choose a color photo"
        raise PhotoError(path, reason)
    return Reference(path, digest, photo.kind is Kind.TINTED)


@cache
def reference_photo(one: Reference) -> Photo | None:
    """A reference, reduced; None if it is gray, as a coloring may be.

    Raises:
        PhotoError: if it cannot be read.
    """
    photo, digest = read_picture(one.path, isolated=True)
    if digest != one.digest and not is_own_picture(photo, COLORING):  # whose digest is of its words
        raise PhotoError(one.path, "was changed after the run had begun; start the run again")
    if photo.kind is Kind.GRAY:
        return None
    size = size_within(photo.height, photo.width, _REFERENCE_SIDE, _REFERENCE_SIDE)
    return Photo(pixels=resized(photo.pixels, *size))
