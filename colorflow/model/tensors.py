"""Safetensors files with a header of text: written in one step, read with checks.

Nothing is ever unpickled. What the header must hold is for the kinds of file to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from colorflow.errors import WeightsError
from colorflow.files import FileKind, check_replaceable, digest_of, write_whole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorFile:
    """What a file holds.

    Attributes:
        header: its metadata.
        tensors: float32, by name.
        digest: first 16 hexadecimal digits of the file's SHA-256.
    """

    header: dict[str, str]
    tensors: dict[str, Tensor]
    digest: str


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


def check_weights_place(path: Path, file_format: str) -> None:
    """Raises `WeightsError` where a file of a format must not be written."""
    try:
        check_replaceable(path, _kind(file_format))
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror})") from error


def read_tensors(path: Path, file_format: str) -> TensorFile:
    """Reads a file of one format.

    Args:
        path: of the file.
        file_format: what the header's `format` must be.

    Raises:
        WeightsError: if it is missing, of another format, or damaged.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such weights file")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != file_format:
                raise WeightsError(
                    f"{path}: not a colorflow weights file (its format is "
                    f"{header.get('format')!r}, this version reads {file_format!r})"
                )
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        digest = digest_of(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error})") from error
    return TensorFile(header=header, tensors=tensors, digest=digest)


def put_tensors(path: Path, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Puts the tensors of a file into a module, which they must fit to the last one.

    Args:
        path: for messages.
        module: is left in evaluation mode, its parameters without gradients.
        tensors: by name.

    Raises:
        WeightsError: if they do not fit, or some are not finite.
    """
    shapes = {name: x.shape for name, x in module.state_dict().items()}
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
    module.load_state_dict(dict(tensors), strict=True)
    module.eval().requires_grad_(False)


def _kind(file_format: str) -> FileKind:
    def is_one(path: Path) -> bool:
        try:
            with safe_open(str(path), framework="pt") as file:
                return (file.metadata() or {}).get("format") == file_format
        except SafetensorError:
            return False

    return FileKind(f"weights file ({file_format})", is_one)
