"""The models of a batch: their files, their digests, how a worker loads them, what they can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from colorflow.batch.settings import COLORS, DETAIL, REPAIR, BatchSettings, Digests, Models
from colorflow.errors import WeightsError
from colorflow.files import (
    COLORING_WEIGHTS,
    ENLARGE_WEIGHTS,
    REPAIR_WEIGHTS,
    default_weights,
    digest_of,
)
from colorflow.photo import start_reader

_SHIPPED = {COLORS: COLORING_WEIGHTS, DETAIL: ENLARGE_WEIGHTS, REPAIR: REPAIR_WEIGHTS}

Files = Mapping[str, Path]
"""Weights files of the models that a batch uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """How a worker works.

    Attributes:
        weights: files of the models.
        device: where to compute.
        threads: for pixels at full resolution and for detail; the model of colors takes one.
        settings: of the batch.
        has_hints: whether any photo has color hints.
    """

    weights: Files
    device: str
    threads: int
    settings: BatchSettings
    has_hints: bool = False


def weights_files(settings: BatchSettings, given: Mapping[str, Path | None]) -> dict[str, Path]:
    """The weights files that a batch needs: those given, otherwise the shipped ones."""
    return {
        model: given.get(model) or default_weights(_SHIPPED[model]) for model in settings.models
    }


def digests_of(files: Files) -> Digests | None:
    """The digests of weights files; None if one cannot be read, which loading it reports."""
    try:
        return {model: digest_of(path) for model, path in files.items()}
    except OSError:
        return None


def load_models(config: WorkerConfig) -> Models:
    """Loads a worker's models.

    Raises:
        ColorflowError: if the weights cannot be loaded or do not take what the plan asks for, or
            the device is not available.
    """
    import cv2

    start_reader()  # while the weights are loaded
    cv2.setNumThreads(config.threads)
    colorizer, enlarger, repairer, weights = None, None, None, config.weights
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
    check_models(config.settings, models, has_hints=config.has_hints)
    return models


def check_models(settings: BatchSettings, models: Models, *, has_hints: bool) -> None:
    """Raises `WeightsError` if the models cannot do what is asked for, before any photo."""
    missing = set(settings.models) - set(models.digests)
    if missing:
        raise ValueError(f"models: expected {', '.join(settings.models)}, got none for {missing}")
    if settings.restore and models.enlarger and not models.enlarger.can_restore:
        raise WeightsError("these weights cannot restore; choose others, or do not restore")
    if has_hints and not (models.colorizer and models.colorizer.takes_hints):
        raise WeightsError("these weights take no color hints; use others, or leave the hints away")
    if settings.uses_references and not (models.colorizer and models.colorizer.takes_references):
        raise WeightsError(
            "these weights take no references; use weights with a likeness head, or leave the "
            "references away"
        )
