"""`colorflow train` and `colorflow export`: exit codes and one line for every error."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from colorflow import cli
from colorflow.model.weights import load_weights
from colorflow.training import levels
from colorflow.training.trainer import Budget, TrainConfig
from tests.training.runs import error_of


def test_train_passes_its_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    monkeypatch.setattr(levels, "train", lambda *given, **named: calls.append((given, named)))
    options = ["--minutes", "1.5", "--levels", "8,4", "--batch", "16", "--rate", "0.002"]
    options += ["--seed", "3", "--evaluate-every", "20", "--start", __file__]
    options += ["--dropout", "0"]
    assert cli.main(["train", ".", "-o", str(tmp_path), *options]) == 0
    ((given, named),) = calls
    assert given == (Path(), tmp_path)
    assert named.pop("say")
    assert named == {
        "config": TrainConfig(batch=16, peak_rate=0.002, seed=3, evaluate_every=20.0),
        "budget": Budget(minutes=1.5),
        "levels": [8, 4],
        "start": Path(__file__),
        "dropout": 0,
    }


@pytest.mark.parametrize(
    "command",
    [
        "train . -o r",
        "train . -o r --steps 5 --minutes 1",
        "train . -o r --minutes 0",
        "train . -o r --steps 5 --levels 4;8",
        "train . -o r --steps 5 --levels -4",
        "train . -o r --steps 5 --dropout 1",
        "train . -o r --steps 5 --part middle",
        "export . w.safetensors --pack",
        "export . w.safetensors --pack . --temperatures 0.9,x",
        "export . w.safetensors --pack . --temperatures nan,1,1,1,1",
    ],
)
def test_wrong_usage(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    error_of(command.split(), capsys, 2)


def test_train_with_a_damaged_pack(own_pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_pack / "photos.csv").write_bytes(b"\xff")
    line = error_of(["train", own_pack, "-o", own_pack / "run", "--steps", "1"], capsys)
    assert line.startswith(f"colorflow: {own_pack}: the pack is damaged")


@pytest.mark.slow
def test_the_program_trains_exports_and_colors(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands of the README, on new weights."""
    run, weights = tmp_path / "run", tmp_path / "my.safetensors"
    options = ["--steps", "2", "--batch", "4", "--threads", "1", "--evaluate-every", "2"]
    assert cli.main(["train", str(pack_folder), "-o", str(run), *options]) == 0
    said = capsys.readouterr().out
    assert [line.split(":")[0] for line in said.splitlines()] == ["joint", "level 32", "level 64"]
    assert math.isfinite(float(said.split("dev ")[1].split(",")[0]))
    arguments = [str(run), str(weights), "--pack", str(pack_folder)]
    assert cli.main(["export", *arguments, "--temperatures", "1,1,1,0.5,0"]) == 0
    loaded = load_weights(weights)
    assert loaded.pyramid.config.late_blocks
    assert loaded.temperatures == (1, 1, 1, 0.5, 0)
    assert not loaded.training.get("start")


def test_export_needs_a_run_and_the_pack_of_its_levels(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["export", tmp_path, tmp_path / "w.safetensors"]
    line = error_of([*command, "--pack", pack_folder], capsys)
    assert line.startswith(f"colorflow: {tmp_path}: no training run here")
    (tmp_path / "config.json").write_text('{"pyramid": {}}')
    assert "expected --pack" in error_of(command, capsys, 2)
    assert not (tmp_path / "w.safetensors").exists()
