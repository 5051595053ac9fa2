"""Weights files: the way there and back, and every file that is not one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save, save_file

from colorflow.errors import WeightsError
from colorflow.model import weights
from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import FORMAT, load_weights, save_weights
from tests.model.conftest import random_condition
from tests.small_weights import small_level

TEMPERATURES = (0.9, 0.5, 0.25, 0.0, 0.0)
TRAINING = {"levels": [{"level": 4, "steps": 7, "dev_nats": 86.5}], "note": "größer"}


@pytest.fixture(scope="module")
def pyramid() -> ChromaPyramid:
    """As small as can be, with all kinds of layers on the first level; random parameters."""
    torch.manual_seed(0)
    levels = (
        small_level(4, 8, couplings=3, attention=True),
        small_level(4, 8, couplings=1),
        small_level(8, 8, couplings=1),
        small_level(16, couplings=1),
        small_level(32, couplings=1),
    )
    pyramid = ChromaPyramid(PyramidConfig(levels=levels)).eval()
    with torch.no_grad():
        for parameter in pyramid.parameters():
            parameter.normal_(std=0.1)
    return pyramid


@pytest.fixture(scope="module")
def good(pyramid: ChromaPyramid, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a good file holds, in float32."""
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, pyramid, TEMPERATURES, TRAINING, torch.float32)
    return path.read_bytes()


@pytest.fixture
def path(good: bytes, tmp_path: Path) -> Path:
    """A good file of one's own."""
    path = tmp_path / "good.safetensors"
    path.write_bytes(good)
    return path


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


def test_the_loaded_model_is_the_same_model(path: Path, pyramid: ChromaPyramid) -> None:
    loaded, condition = load_weights(path).pyramid, random_condition(2)
    ab = 40 * torch.randn(2, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(loaded.log_prob(ab, condition), pyramid.log_prob(ab, condition))


def test_half_precision_is_half_the_size_and_loads_as_float32(
    path: Path, pyramid: ChromaPyramid, tmp_path: Path
) -> None:
    half = tmp_path / "folder" / "half.safetensors"
    save_weights(half, pyramid, TEMPERATURES, TRAINING)
    assert half.stat().st_size < 0.6 * path.stat().st_size
    after = load_weights(half).pyramid.state_dict()
    for name, value in pyramid.state_dict().items():
        assert after[name].dtype == torch.float32
        assert torch.equal(after[name], value.half().float()), name


def test_saving_leaves_the_model_alone(path: Path, pyramid: ChromaPyramid) -> None:
    before = {name: value.clone() for name, value in pyramid.state_dict().items()}
    save_weights(path, pyramid, TEMPERATURES, TRAINING)
    assert all(torch.equal(before[name], value) for name, value in pyramid.state_dict().items())


def test_the_header_says_all_without_colorflow(path: Path, pyramid: ChromaPyramid) -> None:
    tensors, header = parts(path)
    assert header["format"] == FORMAT
    assert PyramidConfig.from_dict(json.loads(header["config"])) == pyramid.config
    assert json.loads(header["temperatures"]) == list(TEMPERATURES)
    assert json.loads(header["training"]) == TRAINING
    assert tensors.keys() == pyramid.state_dict().keys()


def test_interval_factors_come_back(path: Path, pyramid: ChromaPyramid) -> None:
    factors = {0.5: 1.0625, 0.9: 1.23}
    save_weights(path, pyramid, TEMPERATURES, TRAINING, torch.float32, factors)
    assert load_weights(path).interval_factors == factors
    assert json.loads(parts(path)[1]["interval_factors"]) == {"0.5": 1.0625, "0.9": 1.23}


def test_the_gain_comes_back_and_is_1_where_a_file_has_none(
    path: Path, pyramid: ChromaPyramid
) -> None:
    save_weights(path, pyramid, TEMPERATURES, TRAINING, torch.float32, gain=1.25)
    assert load_weights(path).gain == 1.25
    tensors, header = parts(path)
    assert header.pop("gain") == "1.25"
    save_file(tensors, path, header)
    assert load_weights(path).gain == 1.0


@pytest.mark.parametrize("stored", ["", "x", "null", "[1]", "0", "-1", "NaN", "Infinity"])
def test_a_gain_that_is_none(path: Path, stored: str) -> None:
    tensors, header = parts(path)
    save_file(tensors, path, header | {"gain": stored})
    assert "the header" in error_of(path)


def test_the_number_of_temperatures_is_checked_before_saving(
    pyramid: ChromaPyramid, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="temperatures: expected 5, one a level, got 4"):
        save_weights(tmp_path / "w.safetensors", pyramid, TEMPERATURES[:4], {})
    assert not list(tmp_path.iterdir())


# files that are none


def test_missing(tmp_path: Path) -> None:
    assert "no such weights file" in error_of(tmp_path / "none.safetensors")
    assert "no such weights file" in error_of(tmp_path)


@pytest.mark.parametrize("share", [0.0, 1e-5, 0.01, 0.5, 0.999])
def test_cut_off(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "not a readable safetensors file" in error_of(path)


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


# header and tensors that do not fit


@pytest.mark.parametrize("key", ["config", "temperatures", "training"])
@pytest.mark.parametrize("value", [None, "", "{", "7", "null", '"text"', "[1]", '{"a": 1'])
def test_damaged_header(path: Path, key: str, value: str | None) -> None:
    tensors, header = parts(path)
    if value is None:
        del header[key]
    else:
        header[key] = value
    save_file(tensors, path, header)
    message = error_of(path)
    assert "the header" in message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 12),
        ("width", 1000),
        ("width", 10**12),
        ("width", 6),
        ("width", "8"),
        ("width", 8.0),
        ("bins", 200),
        ("couplings", 4),
        ("couplings", 10**12),
        ("grid", 8),
        ("maps", [8, 9]),
        ("maps", [32, 64]),
        ("maps", "8"),
        ("dropout", None),
        ("color", 1),
    ],
)
def test_configuration_of_another_model(path: Path, field: str, value: object) -> None:
    """A size beyond all reason is refused before anything of that size is made."""
    tensors, header = parts(path)
    config = json.loads(header["config"])
    config["levels"][0][field] = value
    save_file(tensors, path, header | {"config": json.dumps(config)})
    assert "header" in error_of(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chroma_limit", 5),
        ("chroma_limit", float("inf")),
        ("extra_planes", 2),
        ("extra_planes", 10**9),
    ],
)
def test_configuration_of_another_pyramid(path: Path, field: str, value: object) -> None:
    tensors, header = parts(path)
    config = json.loads(header["config"]) | {field: value}
    save_file(tensors, path, header | {"config": json.dumps(config)})
    assert "header" in error_of(path)


@pytest.mark.parametrize(
    "temperatures",
    [[], [1.0] * 4, [1.0] * 6, [1, 1, 1, 1, float("nan")], [1, 1, 1, 1, float("inf")], [-1.0] * 5],
)
def test_temperatures(path: Path, temperatures: list[float]) -> None:
    tensors, header = parts(path)
    save_file(tensors, path, header | {"temperatures": json.dumps(temperatures)})
    assert "temperatures" in error_of(path)


@pytest.mark.parametrize(
    "stored",
    [
        "", "7", "[1]", '{"a": 1}', '{"0.9": "x"}', '{"0.9": null}', '{"0.9": 0}', '{"0.9": -1}',
        '{"0.9": NaN}', '{"0.9": Infinity}', '{"0": 1}', '{"1": 1}', '{"90": 1}',
    ],
)  # fmt: skip
def test_interval_factors_that_are_none(path: Path, stored: str) -> None:
    tensors, header = parts(path)
    save_file(tensors, path, header | {"interval_factors": stored})
    assert "the header" in error_of(path)


@pytest.mark.parametrize(
    "key", ["config", "temperatures", "gain", "training", "interval_factors", "more"]
)
@pytest.mark.parametrize("nested", ["[", '{"a":'])
def test_a_header_that_is_nested_without_end(path: Path, key: str, nested: str) -> None:
    tensors, header = parts(path)
    save_file(tensors, path, header | {key: nested * 100_000})
    if key == "more":
        assert load_weights(path).temperatures == TEMPERATURES
    else:
        assert "the header is damaged" in error_of(path)


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


def test_a_file_where_the_folder_should_be(pyramid: ChromaPyramid, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    path = tmp_path / "file" / "w.safetensors"
    with pytest.raises(WeightsError, match="cannot be written") as caught:
        save_weights(path, pyramid, TEMPERATURES, {})
    assert str(caught.value).startswith(f"{path}: ")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_where_the_file_should_be(pyramid: ChromaPyramid, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.mkdir()
    with pytest.raises(WeightsError, match="cannot be written"):
        save_weights(path, pyramid, TEMPERATURES, {})
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


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
