"""`train_architecture`: what it leaves, going on to the same bits, and what it refuses."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorflow.errors import TrainingError
from colorflow.evaluation.zoo import train as train_module
from colorflow.evaluation.zoo.train import (
    find_architecture,
    make_trainer,
    train_architecture,
    zoo_config,
)
from colorflow.model.config import default_config
from colorflow.training import trainer as trainer_module
from colorflow.training import until_budget
from colorflow.training.pack import Pack
from colorflow.training.run_folder import CURVE, RunFolder, run_config
from colorflow.training.trainer import TrainConfig
from colorflow.zoo import ARCHITECTURES
from tests.evaluation.conftest import same, state_of

pytestmark = pytest.mark.slow

Go = Callable[..., list[str]]


def minutes_of(steps: int) -> float:
    """A budget that the last of so many steps of ten seconds uses up."""
    return (steps - 0.5) / 6


@pytest.fixture
def go(pack_folder: Path, config: TrainConfig) -> Go:
    """Trains in a folder, 12 steps between evaluations; what it says."""

    def go(
        folder: Path,
        name: str = "small",
        *,
        steps: int = 24,
        pack: Path = pack_folder,
        config: TrainConfig = config,
        say: Callable[[str], None] | None = None,
    ) -> list[str]:
        said: list[str] = []
        train_architecture(
            name, pack, folder, config=config, minutes=minutes_of(steps), say=say or said.append
        )
        return said

    return go


def curve(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name / "curve.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# what it leaves


def test_a_run_leaves_a_folder_an_architecture(go: Go, tmp_path: Path) -> None:
    said = go(tmp_path)
    assert [line.split(",")[0] for line in said] == ["small: step 12", "small: step 24"]
    go(tmp_path, "smaller", steps=1)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "small", "smaller"}
    rows = curve(tmp_path, "small")
    assert tuple(rows[0]) == CURVE
    assert [(row["step"], float(row["seconds"])) for row in rows] == [("12", 120), ("24", 240)]
    assert float(rows[1]["train_nats"]) < float(rows[0]["train_nats"]) - 20
    with Image.open(tmp_path / "small" / "grid.png") as grid:
        assert grid.format == "PNG"
        assert grid.width > 6 * 128, "gray, truth and four samples"
        assert np.asarray(grid).std() > 10


def test_the_settings_are_those_of_the_levels_in_float32() -> None:
    levels = TrainConfig()
    ours = zoo_config()
    assert not ours.autocast
    assert (ours.batch, ours.evaluate_every) == (64, 120.0)
    for name in ("peak_rate", "weight_decay", "clip", "seed"):
        assert getattr(ours, name) == getattr(levels, name)


def test_minutes_are_processor_time_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module.time, "process_time", lambda: 12.0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert trainer_module.processor_seconds() == 4.0
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(trainer_module.time, "monotonic", lambda: 7.0)
    assert trainer_module.processor_seconds() == 7.0


# going on


def test_an_interrupted_training_goes_on_to_the_same_bits(go: Go, tmp_path: Path) -> None:
    go(tmp_path / "straight")

    def end_after_the_first(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "resumed", say=end_after_the_first)
    assert state_of(tmp_path / "resumed", "small")["step"] == 12
    torch.manual_seed(99)
    assert go(tmp_path / "resumed")[0] == "small: goes on at step 12"
    assert same(state_of(tmp_path / "straight", "small"), state_of(tmp_path / "resumed", "small"))
    assert curve(tmp_path / "straight", "small") == curve(tmp_path / "resumed", "small")


def test_architectures_side_by_side_do_not_disturb_each_other(go: Go, tmp_path: Path) -> None:
    go(tmp_path / "both", "smaller", steps=2)
    go(tmp_path / "both", "small", steps=2)
    go(tmp_path / "alone", "small", steps=2)
    assert same(state_of(tmp_path / "both", "small"), state_of(tmp_path / "alone", "small"))


def test_an_inverse_that_does_not_converge_costs_the_grid_alone(
    go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise until_budget.InversionError("off by 3")

    monkeypatch.setattr(train_module.DensityObjective, "preview", fail)
    said = go(tmp_path, steps=2)
    assert said[-1].endswith(", no grid (off by 3)")
    assert state_of(tmp_path, "small")["step"] == 2
    assert not (tmp_path / "small" / "grid.png").exists()


# the pair


@pytest.fixture(scope="module")
def pair(pack_folder: Path, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a trained pair. Read it only."""
    folder = tmp_path_factory.mktemp("pair")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            until_budget, "write_grid", lambda *_: None
        )  # maf samples one number after the other
        for name in ("maf", "iaf"):
            train_architecture(
                name, pack_folder, folder, config=config, minutes=minutes_of(24), say=str
            )
    return folder


def test_the_student_comes_near_its_teacher(pair: Path) -> None:
    """The loss is KL(student || teacher): nats of the teacher's own density play no part."""
    first, last = (float(row["train_nats"]) for row in curve(pair, "iaf"))
    assert last < 0.8 * first
    assert -1 < last < 200


def test_the_student_has_its_teachers_context_and_statistics(pair: Path) -> None:
    teacher, student = (state_of(pair, name) for name in ("maf", "iaf"))
    names = [name for name in teacher["ema"] if name.startswith(("context.", "standardize."))]
    assert len(names) > 10
    for name in names:
        for weights in ("level", "ema"):
            assert torch.equal(student[weights][name], teacher["ema"][name]), name


def test_the_students_context_is_frozen(pair: Path, pack_folder: Path, config: TrainConfig) -> None:
    trainer = make_trainer("iaf", Pack(pack_folder), pair, config, torch.device("cpu"))
    frozen = {name for name, p in trainer.module.named_parameters() if not p.requires_grad}
    names = {name for name, _ in trainer.module.named_parameters()}
    assert frozen == {name for name in names if name.startswith("context.")}


def test_a_student_goes_on(pair: Path, go: Go, tmp_path: Path) -> None:
    folder = shutil.copytree(pair, tmp_path / "run")
    assert go(folder, "iaf", steps=25)[0] == "iaf: goes on at step 24"
    assert state_of(folder, "iaf")["step"] == 25


def test_a_student_of_an_earlier_teacher(
    pair: Path, go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(until_budget, "write_grid", lambda *_: None)
    folder = shutil.copytree(pair, tmp_path / "run")
    go(folder, "maf", steps=26)
    with pytest.raises(TrainingError, match="was distilled from an earlier maf; delete it") as end:
        go(folder, "iaf", steps=26)
    assert str(end.value).startswith(f"{folder / 'iaf' / 'state.pt'}: ")


def test_a_student_without_a_teacher(go: Go, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="iaf learns from maf, which is not trained yet") as end:
        go(tmp_path, "iaf")
    assert "colorflow zoo train maf" in str(end.value)
    assert not (tmp_path / "iaf").exists()


# what it refuses


def test_an_unknown_architecture(go: Go, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as end:
        go(tmp_path / "run", "gloww")
    known = "small, smaller, maf, iaf"
    assert str(end.value) == f"gloww: no such architecture; there are {known}"
    assert not (tmp_path / "run").exists()


def test_an_architecture_for_the_plane(go: Go, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="flat: is for data in the plane; see `colorflow zoo t"):
        go(tmp_path, "flat")
    assert find_architecture("small") is ARCHITECTURES["small"]


def test_a_run_with_other_settings(go: Go, tmp_path: Path) -> None:
    go(tmp_path, steps=1)
    with pytest.raises(TrainingError, match="another shape or with other settings"):
        go(tmp_path, "smaller", config=zoo_config(batch=8, rate=0.01))
    assert not (tmp_path / "smaller").exists()


def test_a_run_of_the_pyramid(go: Go, tmp_path: Path, config: TrainConfig) -> None:
    RunFolder(tmp_path, run_config(default_config(), config))
    with pytest.raises(TrainingError, match="another shape or with other settings"):
        go(tmp_path)


@pytest.mark.parametrize(("name", "other"), [("small", "smaller"), ("iaf", "small")])
def test_a_checkpoint_of_another_shape(
    name: str, other: str, go: Go, pair: Path, tmp_path: Path
) -> None:
    """As after a change of the architecture; a teacher's too."""
    folder = shutil.copytree(pair, tmp_path / "run")
    go(folder, other, steps=1)
    damaged = "maf" if name == "iaf" else name
    (folder / damaged).mkdir(exist_ok=True)
    shutil.copy(folder / other / "state.pt", folder / damaged / "state.pt")
    with pytest.raises(TrainingError, match=f"does not fit {damaged} as it is now") as end:
        go(folder, name)
    assert str(end.value).startswith(f"{folder / damaged / 'state.pt'}: ")
