"""Weights files: safetensors with the configuration in the header, nothing else needed.

The header's metadata holds `format`, `config` (JSON of `PyramidConfig`), `temperatures` (JSON list,
the shipped std of the latents of each level), `gain` (JSON number, the factor of the chroma of
samples on the coarsest grid; 1 if it is missing) and `training` (JSON, the training history). It
may hold `interval_factors` (JSON object: by nominal coverage, the factor that gives central
intervals of samples at std 1 this coverage). Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from colorflow.errors import WeightsError
from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.tensors import (
    HEADER_DAMAGE,
    TensorFile,
    load_tensors,
    read_header,
    write_tensors,
)

FORMAT = "colorflow-weights-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedWeights:
    """What a weights file holds.

    Attributes:
        pyramid: in evaluation mode, float32.
        temperatures: shipped std of the latents, one a level, coarse to fine.
        training: the training history.
        digest: first 16 hexadecimal digits of the file's SHA-256.
        gain: factor of the chroma on the coarsest grid, for samples at the shipped temperatures.
        interval_factors: by nominal coverage, the factor of the half-width that gives central
            intervals of samples at std 1 this coverage; empty if not measured.
    """

    pyramid: ChromaPyramid
    temperatures: tuple[float, ...]
    training: dict[str, Any]
    digest: str
    gain: float = 1.0
    interval_factors: Mapping[float, float] = field(default_factory=dict)


def save_weights(
    path: Path,
    pyramid: ChromaPyramid,
    temperatures: tuple[float, ...],
    training: dict[str, Any],
    dtype: torch.dtype = torch.float16,
    interval_factors: Mapping[float, float] | None = None,
    gain: float = 1.0,
) -> None:
    """Writes a weights file in one step.

    Args:
        path: NAME.safetensors; its folder is made if missing.
        pyramid: the model.
        temperatures: std of the latents, one a level.
        training: goes into the header as JSON.
        dtype: of the stored tensors.
        interval_factors: by nominal coverage, or None if not measured.
        gain: factor of the chroma on the coarsest grid, for samples at these temperatures.

    Raises:
        ValueError: if the number of temperatures is not that of the levels.
        WeightsError: if the file cannot be written.
    """
    if len(temperatures) != len(pyramid.levels):
        raise ValueError(
            f"temperatures: expected {len(pyramid.levels)}, one a level, got {len(temperatures)}"
        )
    header = {
        "format": FORMAT,
        "config": json.dumps(pyramid.config.to_dict()),
        "temperatures": json.dumps(list(temperatures)),
        "gain": json.dumps(gain),
        "training": json.dumps(training),
    }
    if interval_factors is not None:
        header["interval_factors"] = json.dumps(dict(interval_factors))
    write_tensors(path, pyramid, header, dtype)


def load_weights(path: Path) -> LoadedWeights:
    """Reads a weights file.

    Raises:
        WeightsError: if it is missing, not ours, damaged, or its header and tensors do not fit.
    """
    file = read_header(path, FORMAT)
    header = file.header
    try:
        config = PyramidConfig.from_dict(json.loads(header["config"]))
        temperatures = tuple(float(value) for value in json.loads(header["temperatures"]))
        gain = float(json.loads(header.get("gain", "1")))
        training = dict(json.loads(header["training"]))
        stored = json.loads(header.get("interval_factors", "{}"))
        factors = {float(level): float(factor) for level, factor in stored.items()}
    except HEADER_DAMAGE as error:
        raise WeightsError(f"{path}: the header is damaged ({error})") from error
    if len(temperatures) != len(config.levels):
        raise WeightsError(
            f"{path}: the header has {len(temperatures)} temperatures for "
            f"{len(config.levels)} levels"
        )
    if not all(0 <= value < math.inf for value in temperatures):
        raise WeightsError(f"{path}: the header has temperatures below 0 or not finite")
    if not 0 < gain < math.inf:
        raise WeightsError(f"{path}: the header has a gain that is not above 0")
    if not all(0 < level < 1 and 0 < factor < math.inf for level, factor in factors.items()):
        raise WeightsError(f"{path}: the header has interval factors that are out of range")
    pyramid = _made(file, config)
    digest = load_tensors(file, pyramid)
    return LoadedWeights(
        pyramid=pyramid,
        temperatures=temperatures,
        training=training,
        digest=digest,
        gain=gain,
        interval_factors=factors,
    )


def _made(file: TensorFile, config: PyramidConfig) -> ChromaPyramid:
    """A new model of the header's shape, unless the file is too small for its weights."""
    least = sum(level.least_weights for level in config.levels)
    if least > file.numbers:
        raise WeightsError(
            f"{file.path}: the header asks for {least:,} weights or more, and the file holds "
            f"{file.numbers:,}; get the file again"
        )
    try:
        return ChromaPyramid(config)
    except (ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(f"{file.path}: the header's configuration makes no model") from error
