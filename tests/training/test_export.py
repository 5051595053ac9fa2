"""`export`: what the inference file holds, and runs that cannot be exported."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from colorflow.errors import ColorflowError, PackError, TrainingError, WeightsError
from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights
from colorflow.training import export as export_module
from colorflow.training import targets
from colorflow.training.export import bits_per_dim, export
from colorflow.training.pixels import PixelPack
from colorflow.training.trained import Trained
from tests.training.runs import Train, raw_state

pytestmark = pytest.mark.slow

TEMPERATURES = (0.9, 0.7, 0.4, 0.1, 0.0)
SHIPPED: dict[str, Any] = {"temperatures": TEMPERATURES, "gain": 1.5}
FACTORS = {0.5: 1.1, 0.9: 1.2}
NAMES = (4, 8, 16, 32, 64)
DIMS = (32, 96, 384, 1536, 6144)


@pytest.fixture(scope="module")
def run(go: Train, start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps of the coarse levels, and of each other one. Read it only."""
    folder = tmp_path_factory.mktemp("run")
    go(folder, steps=2, levels=NAMES)
    return folder


MEASURED = {
    "bits_per_dim": {"all": 1.0},
    "calibrate": FACTORS,
}


@pytest.fixture(scope="module", autouse=True)
def _measured() -> Iterator[None]:
    """Without the measurements, which take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in MEASURED.items():
            patch.setattr(export_module, name, lambda *_, value=value, **__: value)
        yield


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return tmp_path / "weights" / "tiny.safetensors"


def stored_types(path: Path) -> set[torch.dtype]:
    with safe_open(str(path), framework="pt") as file:
        return {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118


def check_history(training: dict[str, Any], run: Path) -> None:
    """The header tells how the weights came about."""
    assert [level["level"] for level in training["levels"]] == list(NAMES)
    assert [level["steps"] for level in training["levels"]] == [2] * 5
    for level in training["levels"]:
        state = raw_state(run, "joint" if level["level"] <= 16 else f"level{level['level']}")
        assert level["dev_nats"] == pytest.approx(state["best_dev"], abs=1e-3)
    bits = training["bits_per_dim"]
    assert bits.keys() == {"train", "dev", "dev_degraded"}
    for split in bits.values():
        assert list(split) == [*map(str, NAMES), "all"]
        total = sum(split[str(name)] * dims for name, dims in zip(NAMES, DIMS, strict=True))
        assert split["all"] == pytest.approx(total / sum(DIMS), rel=1e-6)
    assert training["colors"].keys() == {"mean_ab", "blow_up_chroma"}


# what the file holds


def test_the_file_has_the_best_averaged_weights_and_their_history(
    run: Path,
    pack_folder: Path,
    shape: PyramidConfig,
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export_module, "bits_per_dim", bits_per_dim)
    said: list[str] = []
    export(run, weights, pack_folder=pack_folder, say=said.append, **SHIPPED)
    assert stored_types(weights) == {torch.float16}
    assert [path.name for path in weights.parent.iterdir()] == [weights.name]
    loaded = load_weights(weights)
    assert loaded.gain == 1.5
    assert loaded.temperatures == TEMPERATURES
    assert loaded.interval_factors == FACTORS
    assert loaded.pyramid.config == shape
    for name, level in zip(NAMES, loaded.pyramid.levels, strict=True):
        best, _ = Trained(run).level(name)
        for key, value in level.state_dict().items():
            assert torch.equal(value, best[key].half().float()), (name, key)
    assert any("bits/dim, dev: 4 " in line for line in said)
    check_history(loaded.training, run)


def test_bits_per_dim_are_those_of_log_prob(
    shape: PyramidConfig, pack_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without noise; -log2 p(ab) over 8192 numbers, for the large whole photos of dev."""
    monkeypatch.setattr(targets, "NOISE", 0.0)
    torch.manual_seed(0)
    pyramid, pack = ChromaPyramid(shape).eval(), PixelPack(pack_folder)
    bits = bits_per_dim(pyramid, pack, "dev", 100)
    with torch.no_grad():
        log_prob = pyramid.log_prob(*pack.batch(pack.rows("dev", variant="whole")))
    assert bits["all"] == pytest.approx(float(-log_prob.mean()) / 8192 / math.log(2), rel=1e-5)


# runs that cannot be exported


def refused(kind: type[ColorflowError], weights: Path, **given: Any) -> str:
    before = {path: path.read_bytes() for path in weights.parent.glob("*")}
    with pytest.raises(kind) as caught:
        export(given.pop("run"), weights, say=str, **{**SHIPPED, **given})
    assert {path: path.read_bytes() for path in weights.parent.glob("*")} == before
    return str(caught.value)


@pytest.fixture(scope="module")
def whole_file(run: Path, pack_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the whole run."""
    path = tmp_path_factory.mktemp("whole") / "whole.safetensors"
    export(run, path, pack_folder=pack_folder, say=str, **SHIPPED)
    return path


def test_levels_that_the_run_lacks_come_from_a_file(
    run: Path, whole_file: Path, pack_folder: Path, tmp_path: Path, weights: Path
) -> None:
    """A run without the finest level, with other weights than the file's."""
    own = tmp_path / "own"
    shutil.copytree(run, own)
    config = json.loads((own / "config.json").read_text())
    for level in config["pyramid"]["levels"]:
        level["dropout"] = 0.05  # matters in training alone
        level["couplings"] += level["grid"] > 16  # the file's level keeps its own shape
    (own / "config.json").write_text(json.dumps(config))
    shutil.rmtree(own / "level64")
    for path in (own / "joint" / "state.pt", own / "level32" / "state.pt"):
        state = torch.load(path, weights_only=True)
        state["best"] = {key: 1.5 * value for key, value in state["best"].items()}
        torch.save(state, path)
    given = {"pack_folder": pack_folder, "say": str, **SHIPPED}
    with pytest.raises(TrainingError, match="level 64 has no evaluated weights"):
        export(own, weights, **given)
    export(own, weights, fallback=whole_file, **given)
    made, others = load_weights(weights), load_weights(whole_file)
    pairs = zip(made.pyramid.levels, others.pyramid.levels, strict=True)
    same = []
    for level, other in pairs:
        of_other = other.state_dict()
        same.append(all(torch.equal(x, of_other[key]) for key, x in level.state_dict().items()))
    assert same == [False, False, False, False, True]
    config, of_file = made.pyramid.config, others.pyramid.config
    assert config == of_file.with_levels([4, 8, 16, 32], dropout=0.05)
    assert [entry.get("from") for entry in made.training["levels"]] == [None] * 4 + [others.digest]
    assert [entry["steps"] for entry in made.training["levels"]] == [2] * 5


def test_a_file_with_other_hint_settings_is_no_rest(
    run: Path, whole_file: Path, pack_folder: Path, tmp_path: Path, weights: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(run, other)
    config = json.loads((other / "config.json").read_text())
    config["pyramid"]["hint_reach"] += 1
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(TrainingError, match="other grids, planes or hint settings") as caught:
        export(other, weights, pack_folder=pack_folder, fallback=whole_file, say=str, **SHIPPED)
    assert str(caught.value).startswith(f"{whole_file}: ")
    assert not weights.exists()


def test_another_number_of_temperatures(run: Path, pack_folder: Path, weights: Path) -> None:
    given = [0.5] * 4
    message = refused(TrainingError, weights, run=run, pack_folder=pack_folder, temperatures=given)
    assert "--temperatures: expected 5 numbers, one a level, got 4" in message


def test_a_pack_without_dev_photos(
    run: Path, own_pack: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "bits_per_dim", bits_per_dim)
    text = (own_pack / "photos.csv").read_text()
    (own_pack / "photos.csv").write_text(text.replace("dev", "train"))
    message = refused(PackError, weights, run=run, pack_folder=own_pack)
    assert message.startswith(f"{own_pack}: no large photo among dev")


def test_a_file_of_others_stays_and_is_named_at_once(pack_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"mine")
    with pytest.raises(WeightsError, match=r"w.safetensors: cannot be written \(a file is there"):
        export(tmp_path, tmp_path / "w.safetensors", pack_folder=pack_folder, **SHIPPED)
    assert (tmp_path / "w.safetensors").read_bytes() == b"mine"
