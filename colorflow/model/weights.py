"""Weights files: safetensors with the configuration in the header, nothing else needed.

The header's metadata holds `format`, `config` (JSON of `PyramidConfig`), `temperatures` (JSON list,
the shipped std of the latents of each level), `gain` (JSON number, the factor of the chroma of
samples on the coarsest grid; 1 if it is missing), `training` (JSON, the training history) and
`interval_factors` (JSON object: by nominal coverage, the factor that gives central intervals of
samples at std 1 this coverage; empty or missing if not measured). Other kinds of weights define
their own header. Files are written in one step and read with checks; nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from colorflow.errors import WeightsError
from colorflow.files import FileKind, check_replaceable, digest_of, write_whole
from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid

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
        "config": pyramid.config.to_dict(),
        "temperatures": list(temperatures),
        "gain": gain,
        "training": training,
        "interval_factors": dict(interval_factors or {}),
    }
    write_tensors(path, pyramid, FORMAT, header, dtype)


def save_with_head(
    path: Path, loaded: LoadedWeights, name: str, head: nn.Module, training: dict[str, Any]
) -> None:
    """Writes a weights file: a model with another head, all else as it was.

    Args:
        path: NAME.safetensors.
        loaded: the model.
        name: of the head, `mean_head` or another.
        head: the module.
        training: of the head, goes into the header under its name.

    Raises:
        WeightsError: if the file cannot be written.
    """
    shape = loaded.pyramid.config.to_dict() | {name: True}
    pyramid = ChromaPyramid(PyramidConfig.from_dict(shape))
    state = {f"{name}.{key}": x for key, x in head.state_dict().items()}
    pyramid.load_state_dict({**loaded.pyramid.state_dict(), **state})
    save_weights(
        path,
        pyramid,
        loaded.temperatures,
        {**loaded.training, name: training},
        interval_factors=loaded.interval_factors,
        gain=loaded.gain,
    )


def load_weights(path: Path) -> LoadedWeights:
    """Reads a weights file.

    Raises:
        WeightsError: if it is missing, not ours, of an earlier version, damaged, or its header and
            tensors do not fit.
    """
    file = read_header(path, FORMAT)
    with file.parsing() as header:
        shape = json.loads(header["config"])
        if "skin_head" in shape:
            raise WeightsError(
                f"{path}: weights of an earlier version, with a skin head in place of the "
                "segmentation head; use the weights of this version, or train them anew"
            )
        config = PyramidConfig.from_dict(shape)
        temperatures = tuple(float(value) for value in json.loads(header["temperatures"]))
        gain = float(json.loads(header.get("gain", "1")))
        training = dict(json.loads(header["training"]))
        stored = json.loads(header.get("interval_factors", "{}"))
        factors = {float(level): float(factor) for level, factor in stored.items()}
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
    file.check_holds(sum(level.least_weights for level in config.levels))
    try:
        return ChromaPyramid(config)
    except (ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(f"{file.path}: the header's configuration makes no model") from error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorFile:
    """The header of a file and the shapes of its tensors, before any tensor is read.

    Attributes:
        path: of the file.
        header: its metadata.
        shapes: of its tensors, by name.
    """

    path: Path
    header: dict[str, str]
    shapes: dict[str, tuple[int, ...]]

    @contextlib.contextmanager
    def parsing(self) -> Iterator[dict[str, str]]:
        """The header, while it is read.

        Raises:
            WeightsError: if it is damaged.
        """
        try:
            yield self.header
        except (
            LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError
        ) as error:  # fmt: skip
            raise WeightsError(f"{self.path}: the header is damaged ({error!r})") from error

    def check_holds(self, least: int) -> None:
        """Raises `WeightsError` unless there are so many weights, before any is allocated."""
        numbers = sum(map(math.prod, self.shapes.values()))
        if least > numbers:
            raise WeightsError(
                f"{self.path}: the header asks for {least:,} weights or more, and the file holds "
                f"{numbers:,}; get the file again"
            )


def write_tensors(
    path: Path,
    module: nn.Module,
    file_format: str,
    header: Mapping[str, Any],
    dtype: torch.dtype = torch.float16,
) -> None:
    """Writes a module's tensors and a header in one step.

    Args:
        path: NAME.safetensors; its folder is made if missing.
        module: whose state is written.
        file_format: the kind of the file, which the header says as `format`.
        header: becomes the rest of the file's metadata: texts, and other values as JSON.
        dtype: of the stored tensors that are not whole numbers.

    Raises:
        WeightsError: if the file cannot be written.
    """
    tensors = {
        name: x.detach().cpu().to(dtype if x.is_floating_point() else x.dtype).contiguous()
        for name, x in module.state_dict().items()
    }
    texts = {key: x if isinstance(x, str) else json.dumps(x) for key, x in header.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, save(tensors, {"format": file_format, **texts}), _kind(file_format))
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror})") from error


def check_weights_destination(path: Path, file_format: str) -> None:
    """Raises `WeightsError` where a file of a format must not be written."""
    try:
        check_replaceable(path, _kind(file_format))
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror})") from error


def read_header(path: Path, file_format: str) -> TensorFile:
    """Reads header and shapes of a file of one format.

    Args:
        path: of the file.
        file_format: what the header's `format` must be.

    Raises:
        WeightsError: if it is missing, of another format, or damaged.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such weights file")
    with _opened(path) as file:
        header = file.metadata() or {}
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    if header.get("format") != file_format:
        raise WeightsError(
            f"{path}: not a colorflow weights file (its format is "
            f"{header.get('format')!r}, this version reads {file_format!r})"
        )
    return TensorFile(path=path, header=header, shapes=shapes)


def load_tensors(file: TensorFile, module: nn.Module) -> str:
    """Loads the tensors of a file into a module, which they must fit exactly.

    No tensor is read from a file that does not fit.

    Args:
        file: as `read_header` gave it.
        module: left in evaluation mode, its parameters without gradients.

    Returns:
        The first 16 hexadecimal digits of the file's SHA-256.

    Raises:
        WeightsError: if they do not fit, some are not finite, or the file is damaged.
    """
    shapes = {name: tuple(x.shape) for name, x in module.state_dict().items()}
    wrong = [name for name in shapes if name not in file.shapes]
    wrong += [name for name in file.shapes if name not in shapes]
    wrong += [name for name, shape in shapes.items() if file.shapes.get(name, shape) != shape]
    if wrong:
        raise WeightsError(
            f"{file.path}: header and tensors do not fit ({len(wrong)} tensors are missing, "
            f"unknown or of another shape, the first is {wrong[0]}); get the file again"
        )
    with _opened(file.path) as opened:
        tensors = {name: opened.get_tensor(name).float() for name in shapes}
        digest = digest_of(file.path)
    # NumPy looks at a thousand small tensors in a fifth of the time that PyTorch takes.
    if not all(np.isfinite(x.numpy()).all() for x in tensors.values()):
        raise WeightsError(f"{file.path}: some weights are not finite; get the file again")
    module.load_state_dict(tensors, strict=True)
    module.eval().requires_grad_(False)
    return digest


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(str(path), framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error})") from error


def _kind(file_format: str) -> FileKind:
    def is_one(path: Path) -> bool:
        try:
            with safe_open(str(path), framework="pt") as file:
                return (file.metadata() or {}).get("format") == file_format
        except SafetensorError:
            return False

    return FileKind(f"weights file ({file_format})", is_one)
