"""Files of tensors, whatever they belong to; damage is tested with the weights files themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from colorflow.errors import WeightsError
from colorflow.model import weights
from colorflow.model.weights import load_tensors, read_header, write_tensors

NOTE = {"note": "größer", "numbers": [1, 2]}


class Small(nn.Module):
    """A layer, and what is no fraction."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.register_buffer("order", torch.tensor([2049, 0, 4097]))
        self.register_buffer("begun", torch.tensor(True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "w.safetensors"


def test_half_precision_is_for_fractions_alone(path: Path) -> None:
    """2049 is no half-precision number."""
    module, other = Small(), Small()
    other.order.zero_()
    other.begun.fill_(False)
    write_tensors(path, module, "test-1", NOTE)
    with safe_open(str(path), framework="pt") as file:
        assert file.get_tensor("layer.weight").dtype == torch.float16
        assert file.get_tensor("order").dtype == torch.int64
    load_tensors(read_header(path, "test-1"), other)
    assert torch.equal(other.order, module.order)
    assert other.begun
    assert torch.equal(other.layer.weight, module.layer.weight.half().float())


def test_a_file_that_does_not_fit_is_refused_before_its_tensors_are_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tensors(path, nn.Linear(3, 2), "test-1", NOTE, torch.float32)
    file = read_header(path, "test-1")
    monkeypatch.setattr(weights, "safe_open", None)
    with pytest.raises(WeightsError, match="header and tensors do not fit"):
        load_tensors(file, Small())
