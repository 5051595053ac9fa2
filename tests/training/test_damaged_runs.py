"""Runs that cannot be trained: unknown levels, other packs and shapes, damaged checkpoints."""

from __future__ import annotations

import errno
import io
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from colorflow.errors import OptionError, PackError, TrainingError
from colorflow.training.run_folder import STATE, RunFolder, read_config, read_state
from colorflow.training.trainer import Trainer
from tests.training.runs import Train, curve

# what cannot be trained


def test_an_unknown_level(go: Train, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--levels: no level 5; this model has \[4, 8, 16,"):
        go(tmp_path, steps=1, levels=(4, 5))
    assert not (tmp_path / "joint").exists()


def test_no_pack(go: Train, tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no pack of this kind here"):
        go(tmp_path / "run", steps=1, pack=tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_run_with_other_settings(go: Train, start: Path, tmp_path: Path) -> None:
    go(tmp_path, steps=1)
    before = (tmp_path / "config.json").read_bytes()
    for changes in ({"peak_rate": 0.01}, {"dropout": 0.5}, {"start": start}):
        with pytest.raises(TrainingError, match="another shape or with other settings") as caught:
            go(tmp_path, steps=2, **changes)
        assert str(caught.value).startswith(f"{tmp_path}: ")
    assert (tmp_path / "config.json").read_bytes() == before
    assert len(curve(tmp_path)) == 1


@pytest.mark.parametrize("text", ["", "ÿ", "[" * 100_000])
def test_damaged_settings(text: str, go: Train, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(TrainingError, match="not a folder for a training run") as caught:
        go(tmp_path, steps=1)
    assert str(caught.value).startswith(f"{tmp_path}: ")
    with pytest.raises(TrainingError, match="no training run here"):
        read_config(tmp_path)


@pytest.fixture(scope="module")
def checkpoint(go: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step. Read it only."""
    folder = tmp_path_factory.mktemp("run")
    go(folder, steps=1)
    return folder


def saved(content: object) -> bytes:
    """A checkpoint of something else."""
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"no checkpoint\n",
        lambda content: content[: len(content) // 2],
        lambda content: content[:200] + bytes(300) + content[500:],
        lambda _: b"\x80\x04N.",
        lambda _: saved({}),
        lambda _: saved([1, 2]),
        lambda _: saved({"level": {}, "step": 1}),
    ],
)
def test_a_damaged_checkpoint(
    damage: Callable[[bytes], bytes], checkpoint: Path, tmp_path: Path
) -> None:
    path = tmp_path / "joint" / "state.pt"
    path.parent.mkdir()
    damaged = damage((checkpoint / "joint" / "state.pt").read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(TrainingError, match="the checkpoint is damaged") as caught:
        read_state(tmp_path, "joint")
    assert str(caught.value).startswith(f"{path}: ")
    assert path.read_bytes() == damaged, "left for its owner to look at"


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_a_checkpoint_runs_no_code(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "joint").mkdir()
    trap = Trap(tmp_path / "sprung")
    torch.save({name: trap for name in STATE}, tmp_path / "joint" / "state.pt")
    with pytest.raises(TrainingError, match="the checkpoint is damaged"):
        read_state(tmp_path, "joint")
    assert not trap.folder.exists()


# another pack, and two at once


def test_going_on_with_another_pack(checkpoint: Path, go: Train, own_pack: Path) -> None:
    folder = shutil.copytree(checkpoint, own_pack / "run")
    info = json.loads((own_pack / "pixels.json").read_text())
    (own_pack / "pixels.json").write_text(json.dumps(info | {"filled": 13}))
    before = (folder / "joint" / "state.pt").read_bytes()
    with pytest.raises(TrainingError, match="was trained on another pack than") as caught:
        go(folder, steps=2, pack=own_pack)
    assert str(caught.value).startswith(f"{folder / 'joint'}: ")
    assert str(own_pack) in str(caught.value)
    assert (folder / "joint" / "state.pt").read_bytes() == before
    go(folder, steps=1, pack=own_pack, levels=(32,))


def test_two_at_once_on_one_level(go: Train, start: Path, tmp_path: Path) -> None:
    """Each level has a lock of its own: levels may be trained side by side."""

    def go_too(_: str) -> None:
        with pytest.raises(TrainingError, match="another process is training here") as caught:
            go(tmp_path, steps=2, start=start)
        assert str(caught.value).startswith(f"{tmp_path / 'joint'}: ")
        go(tmp_path, steps=1, levels=(32,), start=start)

    go(tmp_path, steps=1, say=go_too, start=start)
    assert len(curve(tmp_path)) == len(curve(tmp_path, "level32")) == 1
    assert go(tmp_path, steps=2, start=start)[0] == "joint: goes on at step 1"


def test_a_training_that_keeps_no_weights_is_an_error(
    go: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "evaluate", lambda *_, **__: math.nan)
    with pytest.raises(TrainingError, match="the loss on dev photos was never finite") as caught:
        go(tmp_path, steps=2)
    assert str(caught.value).startswith(f"{tmp_path / 'joint'}: ")


@pytest.mark.parametrize("name", ["state.pt", "curve.csv"])
def test_files_of_another_origin_stay(name: str, tmp_path: Path) -> None:
    (tmp_path / "joint").mkdir()
    (tmp_path / "joint" / name).write_bytes(b"mine")
    with pytest.raises(TrainingError, match="would be changed, but is of no run") as caught:
        RunFolder(tmp_path, {})
    assert str(caught.value).startswith(f"{tmp_path / 'joint' / name}: ")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "joint" / name]


@pytest.mark.parametrize("broken", ["save", "replace"])
def test_a_full_disk_keeps_the_checkpoint_before(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path, {})
    state = {**dict.fromkeys(STATE, 1), "level": {}, "ema": {}, "best": {}}
    run.save("joint", state)

    def fail(*given: Any) -> None:
        if broken == "save":
            given[1].write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch if broken == "save" else os, broken, fail)
    with pytest.raises(TrainingError, match="the checkpoint cannot be written"):
        run.save("joint", state | {"step": 2})
    assert read_state(tmp_path, "joint") == state
    assert [path.name for path in run.part("joint").iterdir()] == ["state.pt"]
