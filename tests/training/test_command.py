"""`colorflow train` and `colorflow export`: exit codes and one line for every error."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from colorflow import cli
from colorflow.model.weights import load_weights
from colorflow.training import loop
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig


def error_of(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command says when it fails."""
    assert cli.main(list(map(str, arguments))) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("colorflow: ")
    return lines[0].removeprefix("colorflow: ")


def usage_error(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(list(map(str, arguments))) == 2
    return capsys.readouterr().err


# train


def test_train_passes_its_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    monkeypatch.setattr(loop, "train", lambda *given, **named: calls.append((given, named)))
    options = ["--minutes", "1.5", "--levels", "8,4", "--batch", "16", "--rate", "0.002"]
    options += ["--seed", "3", "--evaluate-every", "20", "--hints", "--start", "old.safetensors"]
    options += ["--dropout", "0"]
    assert cli.main(["train", "pack", "-o", str(tmp_path), *options]) == 0
    ((given, named),) = calls
    assert (given, named["run_folder"]) == ((Path("pack"),), tmp_path)
    assert named["config"] == TrainConfig(batch=16, peak_rate=0.002, seed=3, evaluate_every=20.0)
    assert named["budget"] == Budget(minutes=1.5)
    assert named["levels"] == [8, 4]
    assert named["hints"] is True
    assert named["start"] == Path("old.safetensors")
    assert named["dropout"] == 0


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--steps", "5", "--minutes", "1"],
        ["--minutes", "0"],
        ["--steps", "5", "--levels", "4;8"],
        ["--steps", "5", "--levels", "-4"],
        ["--steps", "5", "--dropout", "1"],
    ],
)
def test_train_refuses(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    usage_error(["train", "pack", "-o", "run", *options], capsys)


def test_train_with_a_damaged_pack(own_pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_pack / "photos.csv").write_bytes(b"\xff")
    line = error_of(["train", own_pack, "-o", own_pack / "run", "--steps", "1"], capsys)
    assert line.startswith(f"{own_pack}: the pack is damaged")


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


# export


@pytest.mark.parametrize(
    "options", [[], ["--pack"], ["--pack", "p", "--temperatures", "0.9,x"],
                ["--pack", "p", "--temperatures", "nan,1,1,1,1"]]
)  # fmt: skip
def test_export_refuses(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    usage_error(["export", "run", "w.safetensors", *options], capsys)


def test_export_without_a_run(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "w.safetensors"
    line = error_of(["export", tmp_path, weights, "--pack", pack_folder], capsys)
    assert line.startswith(f"{tmp_path}: no training run here")
    assert not weights.exists()
