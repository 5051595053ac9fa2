"""`export` of levels: what the file holds, what it is measured by, and runs that it refuses."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from colorflow.errors import ColorflowError, OptionError, TrainingError
from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights
from colorflow.training import export as export_module
from colorflow.training import levels
from colorflow.training.export import bits_per_dim, calibrate, export
from colorflow.training.pixels import PixelPack
from tests.training.runs import Train, raw_state

pytestmark = pytest.mark.slow

TEMPERATURES = (0.9, 0.7, 0.4, 0.1, 0.0)
FACTORS = {0.5: 1.1, 0.9: 1.2}
GRIDS = (4, 8, 16, 32, 64)
DIMS = (32, 96, 384, 1536, 6144)


@pytest.fixture(scope="module")
def run(go: Train, start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps of the coarse levels, and of each other one. Read it only."""
    folder = tmp_path_factory.mktemp("run")
    go(folder, steps=2, levels=GRIDS, start=start)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _measured() -> Iterator[None]:
    """Without the measurements, which take most of the time."""
    measured = {"bits_per_dim": {"all": 1.0}, "calibrate": FACTORS}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in measured.items():
            patch.setattr(export_module, name, lambda *_, value=value, **__: value)
        yield


@pytest.fixture(scope="module")
def whole_file(run: Path, pack_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the whole run."""
    path = tmp_path_factory.mktemp("whole") / "folder" / "whole.safetensors"
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export_module, "bits_per_dim", bits_per_dim)
        export(
            run, path, pack_folder=pack_folder, temperatures=TEMPERATURES, gain=1.5,
            say=said.append,
        )  # fmt: skip
    assert any("bits/dim, dev: 4 " in line for line in said)
    return path


def best_of_run(run: Path) -> dict[str, Tensor]:
    """The best weights of all that a run has trained, by their names in the model."""
    found = {}
    for name in ("joint", "level32", "level64"):
        for key, x in raw_state(run, name)["best"].items() if (run / name).exists() else ():
            if name != "joint":
                found[f"levels.{GRIDS.index(int(name[5:]))}.{key}"] = x
            elif key.startswith("levels."):
                _, grid, rest = key.split(".", 2)
                found[f"levels.{GRIDS.index(int(grid))}.{rest}"] = x
            else:
                found[key] = x
    return found


# what the file holds


def test_the_file_has_the_best_averaged_weights_and_their_history(
    run: Path, whole_file: Path, shape: PyramidConfig
) -> None:
    assert [path.name for path in whole_file.parent.iterdir()] == [whole_file.name]
    with safe_open(str(whole_file), framework="pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    loaded = load_weights(whole_file)
    assert (loaded.gain, loaded.temperatures) == (1.5, TEMPERATURES)
    assert loaded.interval_factors == FACTORS
    state, best = loaded.pyramid.state_dict(), best_of_run(run)
    assert state.keys() == best.keys(), "all heads are gone with the old late blocks"
    assert all(torch.equal(x, best[name].half().float()) for name, x in state.items())
    training = loaded.training
    assert training["start"] == "start.safetensors"
    assert [level["level"] for level in training["levels"]] == list(GRIDS)
    assert [level.get("joint") for level in training["levels"]] == [[4, 8, 16]] * 3 + [None] * 2
    for level in training["levels"]:
        own = raw_state(run, "joint" if level["level"] <= 16 else f"level{level['level']}")
        assert level["steps"] == 2
        assert level["dev_nats"] == pytest.approx(own["best_dev"], abs=1e-3)
    bits = training["bits_per_dim"]
    assert bits.keys() == {"train", "dev", "dev_degraded"}
    for split in bits.values():
        assert list(split) == [*map(str, GRIDS), "all"]
        total = sum(split[str(grid)] * dims for grid, dims in zip(GRIDS, DIMS, strict=True))
        assert split["all"] == pytest.approx(total / sum(DIMS), rel=1e-6)
    assert training["colors"].keys() == {"mean_ab", "blow_up_chroma"}


@pytest.mark.parametrize("trained", [(4, 8), (32,)])
def test_what_the_run_lacks_comes_from_a_file(
    trained: tuple[int, ...], go: Train, start: Path, pack_folder: Path, tmp_path: Path
) -> None:
    """Its heads too, unless the run has trained late blocks, which they would not fit."""
    run, path = tmp_path / "run", tmp_path / "new.safetensors"
    go(run, steps=2, levels=trained, start=start, dropout=0.05)
    options: dict[str, Any] = {"pack_folder": pack_folder, "say": str}
    missing = "level 16 has no evaluated weights" if 4 in trained else "came from elsewhere"
    with pytest.raises(TrainingError, match=missing):
        export(run, path, **options)
    export(run, path, start=start, **options)
    new, old, best = load_weights(path), load_weights(start), best_of_run(run)
    state, rest = new.pyramid.state_dict(), old.pyramid.state_dict()
    assert state.keys() == {k for k in rest if not ("head" in k and 4 in trained)}
    for name, x in state.items():
        assert torch.equal(x, best.get(name, rest[name]).half().float()), name
    kept = [grid for grid in GRIDS if grid not in trained]
    told = {entry["level"]: entry.get("from") for entry in new.training["levels"]}
    assert told == dict.fromkeys(trained) | dict.fromkeys(kept, old.digest)
    dropout = [level.dropout for level in new.pyramid.config.levels]
    of_file = [level.dropout for level in old.pyramid.config.levels]
    assert dropout == [0.05 if g in trained else d for g, d in zip(GRIDS, of_file, strict=True)]


# measurements


def test_bits_per_dim_are_those_of_log_prob(
    shape: PyramidConfig, pack_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without noise; -log2 p(ab) over 8192 numbers, for the large whole photos of dev."""
    monkeypatch.setattr(levels, "NOISE", 0.0)
    torch.manual_seed(0)
    pyramid, pack = ChromaPyramid(shape).eval(), PixelPack(pack_folder)
    bits = bits_per_dim(pyramid, pack, "dev", 100)
    with torch.no_grad():
        log_prob = pyramid.log_prob(*pack.batch(pack.rows("dev", variant="whole")))
    assert bits["all"] == pytest.approx(float(-log_prob.mean()) / 8192 / math.log(2), rel=1e-5)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class NormalPack:
    """Photos of 8x8 standard normal numbers in a and b, each with its mean as the condition."""

    def __init__(self, photos: int) -> None:
        self.mean = 30 * torch.randn(photos, 2, 8, 8, generator=generator(1))
        self.truth = self.mean + torch.randn(photos, 2, 8, 8, generator=generator(2))
        self.asked: list[dict[str, Any]] = []
        self.read: list[int] = []

    def rows(self, split: str, *, variant: str, larger_than: int) -> np.ndarray:
        self.asked.append({"split": split, "variant": variant, "larger_than": larger_than})
        return np.arange(len(self.truth))

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        self.read += rows.tolist()
        return self.truth[rows], self.mean[rows]


class NormalModel:
    """Knows the mean, and believes in a std of its own."""

    levels = (None, None)

    def __init__(self, std: float) -> None:
        self.std = std

    def sample(self, mean: Tensor, n: int, temperatures: Any, generator: Any) -> Tensor:
        assert list(temperatures) == [1.0, 1.0]
        noise = torch.randn(len(mean), n, *mean.shape[1:], generator=generator)
        return mean[:, None] + self.std * noise


@pytest.mark.parametrize("std", [0.5, 1.0, 2.0])
def test_factors_make_up_for_a_std_that_is_wrong(std: float) -> None:
    """Intervals of normal samples are as wide as their std: the factor is 1 / std."""
    pack, said = NormalPack(200), list[str]()
    factors = calibrate(NormalModel(std), pack, say=said.append)  # type: ignore[arg-type]
    assert factors == pytest.approx({0.5: 1 / std, 0.9: 1 / std}, rel=0.05)
    assert pack.asked == [{"split": "dev", "variant": "whole", "larger_than": 128}]
    assert sorted(pack.read) == list(range(200))
    assert [line.split(":")[0] for line in said] == [
        "central 50% interval at std 1",
        "central 90% interval at std 1",
    ]


# runs that cannot be exported


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


Change = Callable[[Path, Path, Path], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda run, *_: edited(run / "config.json", '"hint_reach": 6.0', '"hint_reach": 7.0'),
            "a model of other grids, planes or hint settings than",
        ),
        (
            lambda run, *_: shutil.copy(run / "level64/state.pt", run / "level32/state.pt"),
            "its weights do not fit the model as it is now; train it again",
        ),
        (lambda run, *_: (run / "config.json").write_text("{}"), "no training run of levels here"),
        (lambda run, *_: (run / "config.json").write_text("["), "no training run here"),
        (lambda _, pack, __: edited(pack / "photos.csv", "dev", "train"), "photo among dev"),
        (lambda _, pack, __: edited(pack / "photos.csv", "train", "dev"), "photo among train"),
        (lambda *paths: paths[2].write_bytes(b"mine"), r"cannot be written \(a file is there"),
    ],
)
def test_what_is_refused(
    change: Change,
    message: str,
    run: Path,
    whole_file: Path,
    own_pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And no file is written."""
    monkeypatch.setattr(export_module, "bits_per_dim", bits_per_dim)
    own, path = shutil.copytree(run, tmp_path / "own"), tmp_path / "new.safetensors"
    change(own, own_pack, path)
    before = path.exists() and path.read_bytes()
    with pytest.raises(ColorflowError, match=message):
        export(own, path, pack_folder=own_pack, start=whole_file, say=str)
    assert (path.exists() and path.read_bytes()) == before


def test_another_number_of_temperatures(run: Path, pack_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--temperatures: expected 5 numbers, one a level"):
        export(run, tmp_path / "new", pack_folder=pack_folder, temperatures=(0.5,) * 4)
