"""`colorflow train` and `colorflow export`: exit codes and one line for every error."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from colorflow import cli
from colorflow.model.config import default_config
from colorflow.model.weights import load_weights
from colorflow.training import loop
from colorflow.training.run_folder import RunFolder, run_config
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
    options += ["--dropout", "0", "--couplings", "9", "--context-layers", "3"]
    assert cli.main(["train", "pack", "-o", str(tmp_path), *options]) == 0
    ((given, named),) = calls
    assert given == (Path("pack"), tmp_path)
    assert named["level_changes"] == {"couplings": 9, "context_layers": 3}
    assert named["config"] == TrainConfig(batch=16, peak_rate=0.002, seed=3, evaluate_every=20.0)
    assert named["budget"] == Budget(minutes=1.5)
    assert named["levels"] == [8, 4]
    assert named["hints"] is True
    assert named["start"] == Path("old.safetensors")
    assert named["dropout"] == 0


def test_train_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(loop, "train", lambda *_, **named: calls.append(named))
    assert cli.main(["train", "pack", "-o", str(tmp_path), "--steps", "1"]) == 0
    assert calls[0]["config"] == TrainConfig()
    assert calls[0]["budget"] == Budget(steps=1)
    assert calls[0]["levels"] is None
    assert calls[0]["hints"] is False
    assert calls[0]["start"] is None
    assert calls[0]["dropout"] is None
    assert calls[0]["level_changes"] == {}


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


def test_train_without_a_pack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(["train", tmp_path, "-o", tmp_path / "run", "--steps", "1"], capsys)
    assert line.startswith(f"{tmp_path}: no pack of this kind here")
    assert not (tmp_path / "run").exists()


def test_train_with_a_damaged_pack(own_pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_pack / "photos.csv").write_bytes(b"\xff")
    line = error_of(["train", own_pack, "-o", own_pack / "run", "--steps", "1"], capsys)
    assert line.startswith(f"{own_pack}: the pack is damaged")


def test_train_with_too_few_photos(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = error_of(["train", pack_folder, "-o", tmp_path / "run", "--steps", "1"], capsys)
    assert "joint has 30 training rows, a batch needs 128" in line


def test_train_of_an_unknown_level(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["train", pack_folder, "-o", tmp_path / "run", "--steps", "1", "--levels", "4,5"]
    assert "--levels: no level 5" in error_of(given, capsys)


def test_train_in_a_folder_with_other_settings(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RunFolder(tmp_path, run_config(loop.default_config(), TrainConfig(batch=8)))
    given = ["train", pack_folder, "-o", tmp_path, "--steps", "1", "--batch", "9"]
    line = error_of(given, capsys)
    assert line.startswith(f"{tmp_path}: holds a run of another shape or with other settings")


def test_train_with_a_damaged_checkpoint(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RunFolder(tmp_path, run_config(loop.default_config(), TrainConfig(batch=8))).part("joint")
    (tmp_path / "joint" / "state.pt").write_bytes(b"no checkpoint")
    given = ["train", pack_folder, "-o", tmp_path, "--steps", "1", "--batch", "8"]
    line = error_of(given, capsys)
    assert line.startswith(f"{tmp_path / 'joint' / 'state.pt'}: the checkpoint is damaged")


def test_an_interruption_of_train_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "train", interrupted)
    assert cli.main(["train", "pack", "-o", "run", "--steps", "1"]) == 130
    assert capsys.readouterr().err == "\ncolorflow: interrupted\n"


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


def test_export_without_a_pack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RunFolder(tmp_path / "run", run_config(default_config(), TrainConfig()))
    weights = tmp_path / "w.safetensors"
    line = error_of(["export", tmp_path / "run", weights, "--pack", tmp_path], capsys)
    assert line.startswith(f"{tmp_path}: no pack of this kind here")


def test_export_of_a_run_that_has_not_begun(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RunFolder(tmp_path / "run", run_config(default_config(), TrainConfig()))
    weights = tmp_path / "w.safetensors"
    line = error_of(["export", tmp_path / "run", weights, "--pack", pack_folder], capsys)
    assert "level 4 has no evaluated weights yet" in line
    assert not weights.exists()


def test_export_with_another_number_of_temperatures(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RunFolder(tmp_path / "run", run_config(default_config(), TrainConfig()))
    given = ["export", tmp_path / "run", tmp_path / "w", "--pack", pack_folder]
    line = error_of([*given, "--temperatures", "0.9,0.5"], capsys)
    assert "--temperatures: expected 5 numbers, one a level, got 2" in line
    assert not (tmp_path / "w").exists()
