"""Safetensors files with a text header: written in one step, read with checks.

Nothing is ever unpickled. Each kind of file defines what its header holds.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from colorflow.errors import WeightsError
from colorflow.files import FileKind, check_replaceable, digest_of, write_whole

HEADER_DAMAGE = (
    LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError
)  # fmt: skip
"""Exceptions that a damaged header may cause."""


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

    @property
    def numbers(self) -> int:
        """Total number of elements of all tensors."""
        return sum(map(math.prod, self.shapes.values()))


def write_tensors(
    path: Path, module: nn.Module, header: Mapping[str, str], dtype: torch.dtype
) -> None:
    """Writes a module's tensors and a header in one step.

    Args:
        path: NAME.safetensors; its folder is made if missing.
        module: whose state is written.
        header: becomes the file's metadata; its `format` is the kind of the file.
        dtype: of the stored tensors that are not whole numbers.

    Raises:
        WeightsError: if the file cannot be written.
    """
    tensors = {
        name: x.detach().cpu().to(dtype if x.is_floating_point() else x.dtype).contiguous()
        for name, x in module.state_dict().items()
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, save(tensors, dict(header)), _kind(header["format"]))
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
    if not all(bool(torch.isfinite(x).all()) for x in tensors.values()):
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
