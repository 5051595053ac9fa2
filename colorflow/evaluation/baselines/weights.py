"""The baselines by name, and their weights files: safetensors with the name in the header.

The header's metadata holds `format`, `baseline` (its name), `temperature` (the std of the latents
of samples; 1 for a baseline without latents) and `training` (JSON: how the weights were made).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from colorflow.errors import WeightsError
from colorflow.evaluation.baselines.cinn import cinn_objective, original_cinn
from colorflow.evaluation.baselines.deterministic import DeterministicNetwork, RegressionObjective
from colorflow.model.condition import Condition
from colorflow.model.config import default_config
from colorflow.model.tensors import HEADER_DAMAGE, load_tensors, read_header, write_tensors
from colorflow.training.objective import Objective

FORMAT = "colorflow-baseline-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A model that ours is compared with.

    Attributes:
        build: makes an untrained module.
        objective: makes its objective.
    """

    build: Callable[[], nn.Module]
    objective: Callable[[], Objective[Condition]]


DETERMINISTIC_SHAPE = default_config().with_dropout(0).with_levels([4], context_layers=4)
"""That of the shipped pyramid, as far as its contexts go."""

BASELINES = {
    "deterministic": Baseline(
        build=lambda: DeterministicNetwork(DETERMINISTIC_SHAPE, own_blocks=True),
        objective=lambda: RegressionObjective(DETERMINISTIC_SHAPE),
    ),
    "cinn2019": Baseline(build=original_cinn, objective=cinn_objective),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedBaseline:
    """The content of a baseline's weights file.

    Attributes:
        name: of the baseline.
        module: in evaluation mode, float32.
        temperature: std of the latents of samples.
        training: how the weights were made.
        digest: first 16 hexadecimal digits of the file's SHA-256.
    """

    name: str
    module: nn.Module
    temperature: float
    training: dict[str, Any]
    digest: str


def save_baseline(
    path: Path, name: str, module: nn.Module, temperature: float, training: dict[str, Any]
) -> None:
    """Writes a baseline's weights file, in float16.

    Raises:
        WeightsError: if the file cannot be written.
    """
    header = {
        "format": FORMAT,
        "baseline": name,
        "temperature": json.dumps(temperature),
        "training": json.dumps(training),
    }
    write_tensors(path, module, header, torch.float16)


def load_baseline(path: Path) -> LoadedBaseline:
    """Reads a baseline's weights file.

    Raises:
        WeightsError: if the file is missing, of another kind, or damaged.
    """
    file = read_header(path, FORMAT)
    try:
        name = file.header["baseline"]
        temperature = float(json.loads(file.header["temperature"]))
        training = dict(json.loads(file.header["training"]))
        module = BASELINES[name].build()
        if isinstance(module, DeterministicNetwork):
            module.take_late_blocks_of(file.shapes)
    except HEADER_DAMAGE as error:
        raise WeightsError(f"{path}: the header is damaged ({error!r})") from error
    if not 0 <= temperature < math.inf:
        raise WeightsError(f"{path}: the header has a temperature below 0 or not finite")
    digest = load_tensors(file, module)
    return LoadedBaseline(
        name=name, module=module, temperature=temperature, training=training, digest=digest
    )
