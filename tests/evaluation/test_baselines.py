"""Files of baselines: there and back, and every file that is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from colorflow.errors import WeightsError
from colorflow.evaluation.baselines import BASELINES, FORMAT, load_baseline, save_baseline
from colorflow.model import weights as weights_module
from colorflow.model.weights import load_weights
from tests.model.weights.files import parts
from tests.small_weights import save_small_weights

TRAINING = {"steps": 7, "dev": 86.5, "note": "größer"}

pytestmark = pytest.mark.usefixtures("small_baselines")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file of one's own."""
    path = tmp_path / "folder" / "deterministic.safetensors"
    save_baseline(path, "deterministic", BASELINES["deterministic"](), 1.0, TRAINING)
    return path


def error_of(path: Path) -> str:
    """The message for a file that is none; it begins with the file."""
    with pytest.raises(WeightsError) as caught:
        load_baseline(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", BASELINES)
def test_there_and_back_in_half_precision(name: str, tmp_path: Path) -> None:
    module, path = BASELINES[name](), tmp_path / f"{name}.safetensors"
    save_baseline(path, name, module, 0.7, TRAINING)
    loaded = load_baseline(path)
    assert (loaded.name, loaded.temperature) == (name, 0.7)
    assert type(loaded.module) is type(module)
    assert not loaded.module.training
    assert not any(parameter.requires_grad for parameter in loaded.module.parameters())
    state = loaded.module.state_dict()
    for key, value in module.state_dict().items():
        assert state[key].dtype == torch.float32
        assert torch.equal(state[key], value.half().float()), key
    assert path.stat().st_size < 2.1 * sum(x.numel() for x in state.values()) + 50_000


@pytest.mark.parametrize("key", ["baseline", "temperature"])
@pytest.mark.parametrize("value", [None, "", "[1]", '"text"', "1" + 400 * "0"])
def test_damaged_header(path: Path, key: str, value: str | None) -> None:
    tensors, header = parts(path)
    header.pop(key)
    save_file(tensors, path, header if value is None else header | {key: value})
    assert "the header is damaged" in error_of(path)


def test_the_pyramids_weights_are_no_baseline_and_a_baseline_is_no_pyramid(
    path: Path, tmp_path: Path
) -> None:
    pyramid = save_small_weights(tmp_path / "pyramid.safetensors")
    message = error_of(pyramid)
    assert weights_module.FORMAT in message
    assert FORMAT in message
    with pytest.raises(WeightsError) as caught:
        load_weights(path)
    assert str(caught.value).startswith(f"{path}: not a colorflow weights file")
    assert FORMAT in str(caught.value)
