"""`train`: levels to their budgets, what it leaves in the folder, and going on."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from colorflow.errors import PackError, TrainingError
from colorflow.model.config import PyramidConfig
from colorflow.training import trainer as trainer_module
from colorflow.training.loop import train
from colorflow.training.run_folder import (
    CURVE,
    STATE,
    RunFolder,
    read_config,
    read_state,
    run_config,
)
from colorflow.training.schedule import Budget
from colorflow.training.trainer import Trainer
from tests.training.conftest import small_training

Train = Callable[..., list[str]]


@pytest.fixture
def go(pack_folder: Path, shape: PyramidConfig) -> Train:
    """Trains in a folder; what it says."""

    def go(
        folder: Path,
        *,
        steps: int | None = None,
        minutes: float | None = None,
        levels: tuple[int, ...] = (4,),
        pack: Path = pack_folder,
        say: Callable[[str], None] | None = None,
        **changes: Any,
    ) -> list[str]:
        said: list[str] = []
        train(
            [pack],
            folder,
            shape=changes.pop("shape", shape),
            config=small_training(**changes),
            budget=Budget(steps=steps, minutes=minutes),
            levels=levels,
            say=say or said.append,
        )
        return said

    return go


def curve(folder: Path, level: int = 4) -> list[dict[str, str]]:
    with (folder / f"level{level}" / "curve.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def state_of(folder: Path, level: int = 4) -> dict[str, Any]:
    """The checkpoint without its clock, tensors as bytes."""
    state = read_state(folder, f"level{level}")
    assert state is not None

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            return (str(value.dtype), tuple(value.shape), value.numpy().tobytes())
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    return {key: plain(value) for key, value in state.items() if key != "seconds"}


# what it leaves


def test_a_run_leaves_curves_grids_and_checkpoints(go: Train, tmp_path: Path) -> None:
    said = go(tmp_path, steps=4, levels=(4, 16))
    assert [line.split(",")[0] for line in said] == [
        "level 4: step 3", "level 4: step 4", "level 16: step 3", "level 16: step 4",
    ]  # fmt: skip
    assert (tmp_path / "config.json").is_file()
    for level in (4, 16):
        rows = curve(tmp_path, level)
        assert tuple(rows[0]) == CURVE
        assert [row["step"] for row in rows] == ["3", "4"]
        assert all(0 < float(row["dev_nats"]) < 1e5 for row in rows)
        assert all(0 < float(row["dev_degraded_nats"]) < 1e5 for row in rows)
        assert [row["skipped"] for row in rows] == ["0", "0"]
        best = [float(row["best_dev"]) for row in rows]
        assert best[1] == min(float(row["dev_nats"]) for row in rows)
        with Image.open(tmp_path / f"level{level}" / "grid.png") as grid:
            assert (grid.format, grid.mode) == ("PNG", "RGB")
            assert grid.height > 4 * 128, "a row for each of 4 dev photos"
            assert grid.width > 7 * 128, "gray, truth and 5 samples"
            assert np.asarray(grid).std() > 10
        assert not list((tmp_path / f"level{level}").glob("*.tmp"))
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "level4", "level16"}


def test_tensorboard_shows_the_same_curves(go: Train, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    go(tmp_path, steps=4)
    events = EventAccumulator(str(tmp_path / "level4" / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {f"level4/{name}" for name in CURVE[2:]}
    for name in ("train_nats", "dev_nats"):
        shown = sorted(events.Scalars(f"level4/{name}"), key=lambda event: event.step)
        rows = curve(tmp_path)
        assert [event.step for event in shown] == [int(row["step"]) for row in rows]
        values = [float(row[name]) for row in rows]
        assert [event.value for event in shown] == pytest.approx(values, rel=1e-5)


def test_the_recipe_is_written_down(go: Train, tmp_path: Path, shape: PyramidConfig) -> None:
    go(tmp_path, steps=1)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["train"] == dataclasses.asdict(small_training())
    assert read_config(tmp_path) == shape


# going on


def test_an_interrupted_run_goes_on_to_the_same_bits(go: Train, tmp_path: Path) -> None:
    """6 steps at once, and 3 + 3 with the program ended in between."""
    straight = go(tmp_path / "straight", steps=6, levels=(4, 8))

    def end_after_the_first(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "resumed", steps=6, levels=(4, 8), say=end_after_the_first)
    assert state_of(tmp_path / "resumed")["step"] == 3
    torch.manual_seed(99)
    rest = go(tmp_path / "resumed", steps=6, levels=(4, 8))
    assert rest[0] == "level 4: goes on at step 3"
    assert len(rest) == len(straight)
    for level in (4, 8):
        whole, parts = (state_of(tmp_path / name, level) for name in ("straight", "resumed"))
        assert whole.keys() == parts.keys() == STATE - {"seconds"} | {"pack"}
        for key in whole:
            assert whole[key] == parts[key], (level, key)
    curves = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in curve(tmp_path / name)]
        for name in ("straight", "resumed")
    ]
    assert curves[0] == curves[1]


def test_levels_trained_alone_are_the_same_to_the_bit(go: Train, tmp_path: Path) -> None:
    go(tmp_path / "both", steps=2, levels=(4, 8))
    go(tmp_path / "alone", steps=2, levels=(8,))
    assert state_of(tmp_path / "both", 8) == state_of(tmp_path / "alone", 8)


def test_a_level_that_is_done_is_left_alone_until_it_may_go_on(go: Train, tmp_path: Path) -> None:
    go(tmp_path, steps=3)
    path = tmp_path / "level4" / "state.pt"
    before = path.read_bytes()
    assert go(tmp_path, steps=3) == ["level 4: goes on at step 3"]
    assert path.read_bytes() == before
    go(tmp_path, steps=5)
    assert state_of(tmp_path)["step"] == 5


# budgets


def test_minutes_end_by_the_clock(
    go: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is looked at once before training goes on and once a step: 10 s each time."""
    time = iter(range(0, 10_000, 10))
    monkeypatch.setattr(trainer_module, "time", SimpleNamespace(monotonic=lambda: next(time)))
    go(tmp_path, minutes=1.5, evaluate_every=30.0)
    rows = curve(tmp_path)
    assert [float(row["seconds"]) for row in rows] == [30, 60, 90]
    assert [int(row["step"]) for row in rows] == [3, 6, 9]
    assert go(tmp_path, minutes=1.5, evaluate_every=30.0) == ["level 4: goes on at step 9"]


def test_the_last_stretch_is_no_longer_than_the_budget(go: Train, tmp_path: Path) -> None:
    go(tmp_path, steps=5, evaluate_every=3.0)
    assert [row["step"] for row in curve(tmp_path)] == ["3", "5"]


# what cannot be trained


def test_an_unknown_level(go: Train, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"--levels: no level 5; this model has \[4, 8, 16,"):
        go(tmp_path, steps=1, levels=(4, 5))
    assert not (tmp_path / "level4").exists()


def test_no_pack(go: Train, tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no training pack here"):
        go(tmp_path / "run", steps=1, pack=tmp_path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change", ["recipe", "shape"])
def test_a_run_of_another_recipe(
    change: str, go: Train, tmp_path: Path, shape: PyramidConfig
) -> None:
    go(tmp_path, steps=1)
    before = (tmp_path / "config.json").read_bytes()
    first = dataclasses.replace(shape.levels[0], dropout=0.5)
    other = dataclasses.replace(shape, levels=(first, *shape.levels[1:]))
    changes: dict[str, Any] = {"peak_rate": 0.01} if change == "recipe" else {"shape": other}
    with pytest.raises(TrainingError, match="another shape or recipe") as caught:
        go(tmp_path, steps=2, **changes)
    assert str(caught.value).startswith(f"{tmp_path}: ")
    assert (tmp_path / "config.json").read_bytes() == before
    assert len(curve(tmp_path)) == 1


@pytest.mark.parametrize("text", ["", "{", "ÿ", "[" * 100_000])
def test_a_damaged_recipe(text: str, go: Train, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(TrainingError, match="not a folder for a training run") as caught:
        go(tmp_path, steps=1)
    assert str(caught.value).startswith(f"{tmp_path}: ")
    with pytest.raises(TrainingError, match="no training run here"):
        read_config(tmp_path)


def test_a_file_in_place_of_the_folder(go: Train, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(TrainingError, match="not a folder for a training run"):
        go(tmp_path / "run", steps=1)
    assert (tmp_path / "run").read_text() == "mine"


@pytest.fixture(scope="module")
def checkpoint(
    pack_folder: Path,
    shape: PyramidConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A run of one step. Read it only."""
    folder = tmp_path_factory.mktemp("run")
    budget = Budget(steps=1)
    train([pack_folder], folder, shape=shape, config=small_training(), budget=budget, levels=[4])
    return folder


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"no checkpoint\n",
        lambda content: content[:100],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:200] + bytes(300) + content[500:],
        lambda _: b"\x80\x04N.",
    ],
)
def test_a_damaged_checkpoint(
    damage: Callable[[bytes], bytes], checkpoint: Path, go: Train, tmp_path: Path
) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "run")
    path = folder / "level4" / "state.pt"
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(TrainingError, match="the checkpoint is damaged") as caught:
        go(folder, steps=2)
    assert str(caught.value).startswith(f"{path}: ")
    assert path.read_bytes() == damaged, "left for its owner to look at"


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_a_checkpoint_runs_no_code(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "level4").mkdir()
    trap = Trap(tmp_path / "sprung")
    torch.save({name: trap for name in STATE}, tmp_path / "level4" / "state.pt")
    with pytest.raises(TrainingError, match="the checkpoint is damaged"):
        read_state(tmp_path, "level4")
    assert not trap.folder.exists()


@pytest.mark.parametrize("content", [{}, [1, 2], {"level": {}, "step": 1}])
def test_a_checkpoint_of_something_else(content: object, tmp_path: Path) -> None:
    (tmp_path / "level4").mkdir()
    torch.save(content, tmp_path / "level4" / "state.pt")
    with pytest.raises(TrainingError, match="the checkpoint is damaged"):
        read_state(tmp_path, "level4")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", -5),
        ("step", "a"),
        ("step", 1.5),
        ("step", None),
        ("step", True),
        ("skipped", -1),
        ("seconds", -1.0),
        ("seconds", math.inf),
        ("seconds", math.nan),
        ("seconds", "a"),
        ("best_dev", math.nan),
        ("best_dev", "a"),
        ("level", 1),
        ("ema", [1]),
        ("best", {"a": 1}),
    ],
)
def test_values_of_a_checkpoint_that_are_none(
    name: str, value: object, checkpoint: Path, go: Train, tmp_path: Path
) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "run")
    path = folder / "level4" / "state.pt"
    torch.save(torch.load(path, weights_only=True) | {name: value}, path)
    with pytest.raises(TrainingError, match=f"the checkpoint is damaged .*{name}") as caught:
        go(folder, steps=2)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("delete it to start over")


def test_moments_of_another_shape(checkpoint: Path, go: Train, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "run")
    path = folder / "level4" / "state.pt"
    state = torch.load(path, weights_only=True)
    state["optimizer"]["state"][0]["exp_avg"] = torch.zeros(3)
    torch.save(state, path)
    with pytest.raises(TrainingError, match="the checkpoint does not fit level 4"):
        go(folder, steps=2)


# another pack, and two at once


def test_going_on_with_another_pack(checkpoint: Path, go: Train, own_pack: Path) -> None:
    folder = shutil.copytree(checkpoint, own_pack / "run")
    info = json.loads((own_pack / "pack.json").read_text())
    (own_pack / "pack.json").write_text(json.dumps(info | {"filled": 30}))
    before = (folder / "level4" / "state.pt").read_bytes()
    with pytest.raises(TrainingError, match="was trained on another pack than") as caught:
        go(folder, steps=2, pack=own_pack)
    assert str(caught.value).startswith(f"{folder / 'level4'}: ")
    assert str(own_pack) in str(caught.value)
    assert (folder / "level4" / "state.pt").read_bytes() == before
    go(folder, steps=2, pack=own_pack, levels=(8,))


def test_a_run_from_before_packs_were_remembered_goes_on(
    checkpoint: Path, go: Train, tmp_path: Path
) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "run")
    path = folder / "level4" / "state.pt"
    state = torch.load(path, weights_only=True)
    del state["pack"]
    torch.save(state, path)
    assert go(folder, steps=2)[0] == "level 4: goes on at step 1"
    assert state_of(folder)["pack"]


def test_two_at_once_on_one_level(go: Train, tmp_path: Path, shape: PyramidConfig) -> None:
    """Each level has a lock of its own: levels may be trained side by side."""

    def go_too(_: str) -> None:
        with pytest.raises(TrainingError, match="another process is training here") as caught:
            go(tmp_path, steps=2)
        assert str(caught.value).startswith(f"{tmp_path / 'level4'}: ")
        go(tmp_path, steps=1, levels=(8,))

    go(tmp_path, steps=1, say=go_too)
    assert len(curve(tmp_path)) == len(curve(tmp_path, 8)) == 1
    assert go(tmp_path, steps=2)[0] == "level 4: goes on at step 1"


def test_a_training_that_keeps_no_weights_is_an_error(
    go: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "evaluate", lambda *_, **__: math.nan)
    with pytest.raises(TrainingError, match="the loss on dev photos was never finite") as caught:
        go(tmp_path, steps=2)
    assert str(caught.value).startswith(f"{tmp_path / 'level4'}: ")


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    assert read_state(tmp_path, "level4") is None


@pytest.mark.parametrize("broken", ["save", "replace"])
def test_a_full_disk_keeps_the_checkpoint_before(
    broken: str,
    tmp_path: Path,
    shape: PyramidConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = RunFolder(tmp_path, run_config(shape, small_training()))
    state = {**dict.fromkeys(STATE, 1), "level": {}, "ema": {}, "best": {}}
    run.save("level4", state)

    def fail(*given: Any) -> None:
        if broken == "save":
            given[1].write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch if broken == "save" else os, broken, fail)
    with pytest.raises(TrainingError, match="the checkpoint cannot be written"):
        run.save("level4", state | {"step": 2})
    assert run.load("level4") == state
    assert [path.name for path in run.part("level4").iterdir()] == ["state.pt"]


def test_the_state_has_the_parts_that_are_looked_for(
    make_trainer: Callable[..., Trainer],
) -> None:
    assert make_trainer(0).state_dict().keys() == STATE | {"pack"}
