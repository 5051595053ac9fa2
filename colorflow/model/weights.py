"""Weights files: safetensors with the configuration in the header, nothing else needed.

The header's metadata holds `format`, `config` (JSON of `PyramidConfig`), `temperatures` (JSON list,
the shipped std of the latents of each level) and `training` (JSON, how the weights came about). It
may hold `interval_factors` (JSON object, by the nominal level of a central interval of draws at std
1, the factor that makes its coverage nominal). Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from colorflow.errors import WeightsError
from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid

FORMAT = "colorflow-weights-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedWeights:
    """What a weights file holds.

    Attributes:
        pyramid: in evaluation mode, float32.
        temperatures: shipped std of the latents, one a level, coarse to fine.
        training: how the weights came about.
        digest: first 16 hexadecimal digits of the file's SHA-256.
        interval_factors: by the nominal level of a central interval of draws at std 1, what its
            half-width is multiplied with so that it covers its share; empty where it was not
            measured.
    """

    pyramid: ChromaPyramid
    temperatures: tuple[float, ...]
    training: dict[str, Any]
    digest: str
    interval_factors: Mapping[float, float] = field(default_factory=dict)


def save_weights(
    path: Path,
    pyramid: ChromaPyramid,
    temperatures: tuple[float, ...],
    training: dict[str, Any],
    dtype: torch.dtype = torch.float16,
    interval_factors: Mapping[float, float] | None = None,
) -> None:
    """Writes a weights file in one step.

    Args:
        path: NAME.safetensors; its folder is made if missing.
        pyramid: the model.
        temperatures: std of the latents, one a level.
        training: goes into the header as JSON.
        dtype: of the stored tensors.
        interval_factors: by nominal level, or None where they were not measured.

    Raises:
        ValueError: if the number of temperatures is not that of the levels.
        WeightsError: if the file cannot be written.
    """
    if len(temperatures) != len(pyramid.levels):
        raise ValueError(
            f"temperatures: expected {len(pyramid.levels)}, one a level, got {len(temperatures)}"
        )
    tensors = {
        name: x.detach().cpu().to(dtype).contiguous() for name, x in pyramid.state_dict().items()
    }
    header = {
        "format": FORMAT,
        "config": json.dumps(pyramid.config.to_dict()),
        "temperatures": json.dumps(list(temperatures)),
        "training": json.dumps(training),
    }
    if interval_factors is not None:
        header["interval_factors"] = json.dumps(dict(interval_factors))
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(save(tensors, header))
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise WeightsError(f"{path}: cannot be written ({error.strerror})") from error


def load_weights(path: Path) -> LoadedWeights:
    """Reads a weights file.

    Raises:
        WeightsError: if it is missing, not ours, damaged, or its header and tensors do not fit.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such weights file")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise WeightsError(
                    f"{path}: not a colorflow weights file (its format is "
                    f"{header.get('format')!r}, this version reads {FORMAT!r})"
                )
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error})") from error
    try:
        config = PyramidConfig.from_dict(json.loads(header["config"]))
        temperatures = tuple(float(value) for value in json.loads(header["temperatures"]))
        training = dict(json.loads(header["training"]))
        stored = json.loads(header.get("interval_factors", "{}"))
        factors = {float(level): float(factor) for level, factor in stored.items()}
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: the header is damaged ({error})") from error
    if len(temperatures) != len(config.levels):
        raise WeightsError(
            f"{path}: the header has {len(temperatures)} temperatures for "
            f"{len(config.levels)} levels"
        )
    if not all(0 <= value < math.inf for value in temperatures):
        raise WeightsError(f"{path}: the header has temperatures below 0 or not finite")
    if not all(0 < level < 1 and 0 < factor < math.inf for level, factor in factors.items()):
        raise WeightsError(f"{path}: the header has interval factors that are out of range")
    return LoadedWeights(
        pyramid=_fitted(path, config, tensors),
        temperatures=temperatures,
        training=training,
        digest=digest,
        interval_factors=factors,
    )


def _fitted(path: Path, config: PyramidConfig, tensors: dict[str, torch.Tensor]) -> ChromaPyramid:
    """The model of the header with the tensors of the file, which must fit to the last one."""
    try:
        pyramid = ChromaPyramid(config)
    except (ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(f"{path}: the header's configuration makes no model") from error
    shapes = {name: x.shape for name, x in pyramid.state_dict().items()}
    wrong = [name for name, shape in shapes.items() if name not in tensors]
    wrong += [name for name in tensors if name not in shapes]
    wrong += [n for n, shape in shapes.items() if n in tensors and tensors[n].shape != shape]
    if wrong:
        raise WeightsError(
            f"{path}: header and tensors do not fit ({len(wrong)} tensors are missing, unknown or "
            f"of another shape, the first is {wrong[0]}); get the file again"
        )
    if not all(bool(torch.isfinite(x).all()) for x in tensors.values()):
        raise WeightsError(f"{path}: some weights are not finite; get the file again")
    pyramid.load_state_dict(tensors, strict=True)
    return pyramid.eval().requires_grad_(False)
