"""The weights file of enlarging: several doublings in one safetensors file.

The header's metadata holds `format`, `config` (JSON: by the name of each doubling its `StepConfig`)
and `training` (JSON: how each came about). Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from colorflow.enlarge.model import DetailModel, StepConfig
from colorflow.errors import WeightsError
from colorflow.model.weights import load_tensors, read_header, write_tensors

FORMAT = "colorflow-enlarge-2"
FIRST, LAST, RESTORE = "first", "last", "restore"
"""Doublings: the first of two, the last (or only) one, and a first or only one that restores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnlargeWeights:
    """What a weights file holds.

    Attributes:
        models: `FIRST`, `LAST` and, where it was trained, `RESTORE`; in evaluation mode.
        training: how each came about, by the same names.
        digest: first 16 hexadecimal digits of the file's SHA-256.
    """

    models: Mapping[str, DetailModel]
    training: dict[str, Any]
    digest: str


def save_enlarge_weights(
    path: Path, models: Mapping[str, DetailModel], training: Mapping[str, Any]
) -> None:
    """Writes a weights file in one step, in float16.

    Raises:
        WeightsError: if the file cannot be written.
    """
    config = {name: model.config.to_dict() for name, model in models.items()}
    header = {"config": config, "training": dict(training)}
    write_tensors(path, nn.ModuleDict(models), FORMAT, header)


def load_enlarge_weights(path: Path) -> EnlargeWeights:
    """Reads a weights file.

    Raises:
        WeightsError: if it is missing, not ours, damaged, or its header and tensors do not fit.
    """
    file = read_header(path, FORMAT)
    with file.parsing() as header:
        config = json.loads(header["config"])
        steps = {str(name): StepConfig(**step) for name, step in config.items()}
        training = dict(json.loads(header["training"]))
    missing = {FIRST, LAST} - set(steps)
    if missing:
        raise WeightsError(f"{path}: the doubling {missing.pop()!r} is missing; get the file again")
    file.check_holds(sum(step.least_weights for step in steps.values()))
    models = nn.ModuleDict({name: DetailModel(step) for name, step in steps.items()})
    digest = load_tensors(file, models)
    return EnlargeWeights(
        models={name: models[name] for name in steps},  # type: ignore[misc]
        training=training,
        digest=digest,
    )
