"""Weights files: the way there and back, and every file that is not one."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save, save_file

from colorflow.errors import WeightsError
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights, save_weights
from tests.model.weights.files import TEMPERATURES, TRAINING, parts

# there and back


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


# disks that fail


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
