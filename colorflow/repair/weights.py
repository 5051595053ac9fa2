"""The weights file of repair: what finds damage, and what fills it, in one safetensors file.

The header's metadata holds `format`, `config` (JSON: by the name of each part its shape) and
`training` (JSON: how each came about). Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from colorflow.model.weights import load_tensors, read_header, write_tensors
from colorflow.repair.model import FillConfig, FillModel
from colorflow.repair.network import Finder, UNetConfig

FORMAT = "colorflow-repair-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairWeights:
    """What a weights file holds.

    Attributes:
        finder: finds damage; in evaluation mode.
        fill: fills it; in evaluation mode.
        training: how each came about, by the names of `objectives`.
        digest: first 16 hexadecimal digits of the file's SHA-256.
    """

    finder: Finder
    fill: FillModel
    training: dict[str, Any]
    digest: str


def save_repair_weights(
    path: Path, finder: Finder, fill: FillModel, training: Mapping[str, Any]
) -> None:
    """Writes a weights file in one step, in float16.

    Raises:
        WeightsError: if the file cannot be written.
    """
    config = {"finder": finder.config.to_dict(), "fill": fill.config.to_dict()}
    parts = nn.ModuleDict({"finder": finder, "fill": fill})
    write_tensors(path, parts, FORMAT, {"config": config, "training": dict(training)})


def load_repair_weights(path: Path) -> RepairWeights:
    """Reads a weights file.

    Raises:
        WeightsError: if it is missing, not ours, damaged, or its header and tensors do not fit.
    """
    file = read_header(path, FORMAT)
    with file.parsing() as header:
        config = json.loads(header["config"])
        finder_config, fill_config = UNetConfig(**config["finder"]), FillConfig(**config["fill"])
        training = dict(json.loads(header["training"]))
    file.check_holds(finder_config.least_weights + fill_config.mean.least_weights)
    finder, fill = Finder(finder_config), FillModel(fill_config)
    digest = load_tensors(file, nn.ModuleDict({"finder": finder, "fill": fill}))
    return RepairWeights(finder=finder, fill=fill, training=training, digest=digest)
