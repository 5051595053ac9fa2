"""Files of baselines: there and back, and every file that is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from colorflow.errors import WeightsError
from colorflow.evaluation.baselines import BASELINES, FORMAT, load_baseline
from colorflow.files import default_weights
from colorflow.model import weights as weights_module
from tests.evaluation.small_baselines import save_baseline
from tests.model.weights.files import parts
from tests.small_weights import save_small_weights

SHIPPED = default_weights().parent / "baselines"


@pytest.fixture
def path(tmp_path: Path, small_baselines: None) -> Path:
    """A good file of one's own."""
    path = tmp_path / "folder" / "deterministic.safetensors"
    save_baseline(path, "deterministic", BASELINES["deterministic"](), 1.0)
    return path


def error_of(path: Path, name: str = "deterministic") -> str:
    """The message for a file that is none; it begins with the file."""
    with pytest.raises(WeightsError) as caught:
        load_baseline(path, name)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", BASELINES)
def test_there_and_back_in_half_precision(name: str, tmp_path: Path, small_baselines: None) -> None:
    module, path = BASELINES[name](), tmp_path / f"{name}.safetensors"
    save_baseline(path, name, module, 0.7)
    loaded, temperature = load_baseline(path, name)
    assert (type(loaded), temperature, loaded.training) == (type(module), 0.7, False)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    state = loaded.state_dict()
    for key, value in module.state_dict().items():
        assert state[key].dtype == torch.float32
        assert torch.equal(state[key], value.half().float()), key


@pytest.mark.parametrize("name", BASELINES)
def test_the_shipped_files_are_read(name: str) -> None:
    module, temperature = load_baseline(SHIPPED / f"{name}.safetensors", name)
    assert all(x.isfinite().all() for x in module.state_dict().values())
    assert 0 < temperature <= 1


@pytest.mark.parametrize("key", ["baseline", "temperature"])
@pytest.mark.parametrize("value", [None, "", "[1]", '"text"', "1" + 400 * "0"])
def test_damaged_header(path: Path, key: str, value: str | None) -> None:
    tensors, header = parts(path)
    header.pop(key)
    save_file(tensors, path, header if value is None else header | {key: value})
    assert "the header is damaged" in error_of(path)


def test_files_of_something_else(path: Path, tmp_path: Path) -> None:
    """Of another baseline, whose column would have the other's name; and of the pyramid."""
    message = error_of(path, "cinn2019")
    assert message == f"{path}: holds the baseline deterministic; rename the file"
    message = error_of(save_small_weights(tmp_path / "pyramid.safetensors"))
    assert weights_module.FORMAT in message
    assert FORMAT in message
