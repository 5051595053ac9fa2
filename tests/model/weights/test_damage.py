"""Files that are no weights, and what is said of them."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from colorflow.errors import WeightsError
from colorflow.model import weights
from colorflow.model.weights import FORMAT, load_weights
from tests.model.weights.files import error_of, parts


def test_missing(tmp_path: Path) -> None:
    assert "no such weights file" in error_of(tmp_path / "none.safetensors")
    assert "no such weights file" in error_of(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"these are no weights\n",
        b"\xff" * 100,
        (2**62).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
    ],
)
def test_another_kind_of_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    assert "not a readable safetensors file" in error_of(path)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("write", ["pickle", "torch"])
def test_nothing_is_unpickled(tmp_path: Path, write: str) -> None:
    path = tmp_path / "w.safetensors"
    trap = Trap(tmp_path / "sprung")
    if write == "torch":
        torch.save({"weights": trap}, path)
    else:
        path.write_bytes(pickle.dumps(trap))
    assert "not a readable safetensors file" in error_of(path)
    assert not trap.folder.exists()


@pytest.mark.parametrize("header", [None, {}, {"format": "pt"}, {"format": "colorflow-weights-2"}])
def test_safetensors_of_others(tmp_path: Path, header: dict[str, str] | None) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"weight": torch.zeros(3)}, path, header)
    message = error_of(path)
    assert "not a colorflow weights file" in message
    assert FORMAT in message
    assert repr((header or {}).get("format")) in message


_CHANGES: list[tuple[str, Any]] = [
    *(("width", value) for value in (12, 10**12, "8")),
    *[("couplings", 10**12), ("grid", 8), ("maps", [8, 9]), ("dropout", None), ("color", 1)],
]
_NUMBERS = ["", "x", "null", "[1]", "0", "-1", "NaN", "Infinity"]
_FACTORS = [*("", "7", "[1]", '{"a": 1}', '{"0": 1}', '{"1": 1}', '{"90": 1}')]
_FACTORS += [f'{{"0.9": {value}}}' for value in ('"x"', "null", "0", "-1", "NaN", "Infinity")]
_TEMPERATURES = ["[]", "[1, 1, 1, 1]", "[1, 1, 1, 1, 1, 1]"]
_TEMPERATURES += [f"[1, 1, 1, 1, {value}]" for value in ("NaN", "Infinity", "-1")]


@pytest.mark.parametrize(
    ("key", "stored"),
    [
        *(("config", change) for change in _CHANGES),
        *(("gain", value) for value in _NUMBERS),
        *(("interval_factors", value) for value in _FACTORS),
        *(("temperatures", value) for value in _TEMPERATURES),
    ],
)
def test_headers_of_no_model(path: Path, key: str, stored: Any) -> None:
    """A size beyond all reason is refused before anything of that size is made."""
    tensors, header = parts(path)
    if key == "config":
        config = json.loads(header["config"])
        config["levels"][0][stored[0]] = stored[1]
        stored = json.dumps(config)
    save_file(tensors, path, header | {key: stored})
    assert "header" in error_of(path)


@pytest.mark.parametrize("has_one", [True, False])
def test_weights_of_the_version_with_a_skin_head(path: Path, has_one: bool) -> None:
    tensors, header = parts(path)
    config = json.loads(header["config"])
    del config["segmentation_head"]
    config["skin_head"] = has_one
    save_file(tensors, path, header | {"config": json.dumps(config)})
    message = error_of(path)
    assert "weights of an earlier version" in message
    assert "use the weights of this version" in message
    assert "damaged" not in message


@pytest.mark.parametrize(
    "asked",
    [
        {"width": 1024},
        {"width": 1024, "couplings": 64},
        {"width": 1024, "context_layers": 64},
        {"width": 512, "couplings": 64, "context_layers": 64, "bins": 64},
    ],
)
@pytest.mark.parametrize("attention", [True, False])
def test_more_weights_than_the_file_has_are_refused_before_they_are_made(
    path: Path, asked: dict[str, int], attention: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors, header = parts(path)
    config = json.loads(header["config"])
    config["levels"][0] |= asked | {"attention": attention}
    save_file(tensors, path, header | {"config": json.dumps(config)})
    monkeypatch.setattr(weights, "ChromaPyramid", None)
    message = error_of(path)
    assert "the header asks for" in message
    assert f"the file holds {sum(x.numel() for x in tensors.values()):,}" in message


@pytest.mark.parametrize("change", ["missing", "unknown", "renamed", "shape", "transposed"])
def test_tensors_that_do_not_fit_are_named(path: Path, change: str) -> None:
    tensors, header = parts(path)
    name = "levels.2.context.squeeze.weight"
    value = tensors.pop(name)
    if change == "unknown":
        tensors |= {name: value, "levels.9.weight": value.clone()}
        name = "levels.9.weight"
    elif change == "renamed":
        tensors["levels.2.context.squeeze.wait"] = value
    elif change == "shape":
        tensors[name] = value[:-1].contiguous()
    elif change == "transposed":
        tensors[name] = value.transpose(0, 1).contiguous()
    save_file(tensors, path, header)
    message = error_of(path)
    assert "header and tensors do not fit" in message
    assert name in message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite(path: Path, value: float) -> None:
    tensors, header = parts(path)
    tensors["levels.4.context.squeeze.bias"][3] = value
    save_file(tensors, path, header)
    assert "not finite" in error_of(path)


def test_any_damage_to_the_header_is_an_error_or_harmless(path: Path) -> None:
    """Single bytes changed anywhere in the header: never another exception, never other weights."""
    content = path.read_bytes()
    tensors = parts(path)[0]
    end = 8 + int.from_bytes(content[:8], "little")
    rng = np.random.default_rng(0)
    refused = 0
    for offset in rng.integers(0, end, size=120):
        damaged = bytearray(content)
        damaged[offset] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            state = load_weights(path).pyramid.state_dict()
        except WeightsError:
            refused += 1
        else:
            assert all(torch.equal(state[name], value) for name, value in tensors.items())
    assert refused > 90
