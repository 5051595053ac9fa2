"""What tests ask of weights files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from colorflow.errors import WeightsError
from colorflow.model.weights import load_weights

TEMPERATURES = (0.9, 0.5, 0.25, 0.0, 0.0)
TRAINING = {"levels": [{"level": 4, "steps": 7, "dev_nats": 86.5}], "note": "größer"}


def parts(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and header of a file, by safetensors alone."""
    with safe_open(str(path), framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def error_of(path: Path) -> str:
    """The message for a file that is none; it begins with the file."""
    with pytest.raises(WeightsError) as caught:
        load_weights(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message
