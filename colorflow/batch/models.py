"""The models of a batch: their files, how a worker loads them, and pictures that they refer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from colorflow.batch.settings import COLORS, DETAIL, REPAIR, BatchSettings, Settings
from colorflow.batch.task import Reference
from colorflow.color.grid import resized, size_within
from colorflow.errors import PhotoError, WeightsError
from colorflow.files import COLORING_WEIGHTS, ENLARGE_WEIGHTS, REPAIR_WEIGHTS, default_weights
from colorflow.photo import COLORING, Kind, Photo, is_own_picture, read_picture, start_reader
from colorflow.run import Models

_SHIPPED = {COLORS: COLORING_WEIGHTS, DETAIL: ENLARGE_WEIGHTS, REPAIR: REPAIR_WEIGHTS}
_REFERENCE_SIDE = 1024
"""Pixels of the longer side of a reference at most; the model sees 512."""


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
    weights = models.weights
    missing = [name for name in settings.models if getattr(weights, name) is None]
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
