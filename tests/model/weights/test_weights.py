"""Weights files, and files of tensors: the way there and back, and what is not replaced."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save, save_file
from torch import nn

from colorflow.errors import WeightsError
from colorflow.model import weights
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import (
    load_tensors,
    load_weights,
    read_header,
    save_weights,
    write_tensors,
)
from tests.model.weights.files import TEMPERATURES, TRAINING, parts


def test_way_there_and_back_is_exact(path: Path, pyramid: ChromaPyramid) -> None:
    loaded = load_weights(path)
    assert loaded.temperatures == TEMPERATURES
    assert loaded.training == TRAINING
    assert loaded.interval_factors == {}
    assert loaded.digest == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert loaded.pyramid.config == pyramid.config
    before, after = pyramid.state_dict(), loaded.pyramid.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not loaded.pyramid.training
    assert not any(parameter.requires_grad for parameter in loaded.pyramid.parameters())


def test_the_gain_comes_back_and_is_1_where_a_file_has_none(
    path: Path, pyramid: ChromaPyramid
) -> None:
    size = path.stat().st_size
    save_weights(path, pyramid, TEMPERATURES, TRAINING, gain=1.25)
    assert path.stat().st_size < 0.6 * size, "in half precision"
    assert load_weights(path).gain == 1.25
    tensors, header = parts(path)
    assert header.pop("gain") == "1.25"
    save_file(tensors, path, header)
    assert load_weights(path).gain == 1.0


def test_the_number_of_temperatures_is_checked_before_saving(
    pyramid: ChromaPyramid, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="temperatures: expected 5, one a level, got 4"):
        save_weights(tmp_path / "w.safetensors", pyramid, TEMPERATURES[:4], {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(
    broken: str, path: Path, pyramid: ChromaPyramid, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(WeightsError, match="cannot be written") as caught:
        save_weights(path, pyramid, (1.0,) * 5, {})
    assert str(caught.value) == f"{path}: cannot be written ({os.strerror(errno.ENOSPC)})"
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_only_weights_are_replaced(pyramid: ChromaPyramid, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    other = save({"x": torch.zeros(1)}, {"format": "colorflow-baseline-1"})
    for content in (b"mine", other):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"is no weights file \(colorflow-weights-1\) that"):
            save_weights(path, pyramid, TEMPERATURES, {})
        assert path.read_bytes() == content
    path.unlink()
    for _ in range(2):
        save_weights(path, pyramid, TEMPERATURES, {})


NOTE = {"note": "größer", "numbers": [1, 2]}


class Small(nn.Module):
    """A layer, and what is no fraction."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.register_buffer("order", torch.tensor([2049, 0, 4097]))
        self.register_buffer("begun", torch.tensor(True))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "w.safetensors"


def test_half_precision_is_for_fractions_alone(new: Path) -> None:
    """2049 is no half-precision number."""
    module, other = Small(), Small()
    other.order.zero_()
    other.begun.fill_(False)
    write_tensors(new, module, "test-1", NOTE)
    with safe_open(str(new), framework="pt") as file:
        assert file.get_tensor("layer.weight").dtype == torch.float16
        assert file.get_tensor("order").dtype == torch.int64
    load_tensors(read_header(new, "test-1"), other)
    assert torch.equal(other.order, module.order)
    assert other.begun
    assert torch.equal(other.layer.weight, module.layer.weight.half().float())


def test_a_file_that_does_not_fit_is_refused_before_its_tensors_are_read(
    new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tensors(new, nn.Linear(3, 2), "test-1", NOTE, torch.float32)
    file = read_header(new, "test-1")
    monkeypatch.setattr(weights, "safe_open", None)
    with pytest.raises(WeightsError, match="header and tensors do not fit"):
        load_tensors(file, Small())
