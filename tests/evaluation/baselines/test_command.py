"""`colorflow baseline`: options, exit codes, and the way from a pack to a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from colorflow.cli import main
from colorflow.evaluation.baselines import BASELINES, load_baseline
from colorflow.evaluation.baselines import train as train_module
from colorflow.training import until_budget
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig
from tests.evaluation.conftest import error_of, recorded, usage_error_of

TRAIN = ["train", "deterministic", "pack", "-o", "run"]


def test_train_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are those of the pyramid."""
    calls = recorded(monkeypatch, train_module, "train_baseline")
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    options = ["--minutes", "1.5", "--batch", "16", "--rate", "0.002", "--seed", "3"]
    options += ["--evaluate-every", "30", "--threads", "2", "--contexts", "w.safetensors"]
    assert main(["baseline", "train", "cinn2019", "one", "two", "-o", "run", *options]) == 0
    assert main(["baseline", *TRAIN, "--minutes", "5"]) == 0
    (given, named), (_, default) = calls
    assert given == ("cinn2019", [Path("one"), Path("two")], Path("run"))
    assert named["config"] == TrainConfig(batch=16, peak_rate=0.002, seed=3, evaluate_every=30)
    assert named["budget"] == Budget(minutes=1.5)
    assert named["contexts"] == Path("w.safetensors")
    assert threads == [2]
    assert default["config"] == TrainConfig()
    assert default["contexts"] is None


def test_export_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch, train_module, "export_baseline")
    assert main(["baseline", "export", "cinn2019", "run", "w.safetensors", "--pack", "p"]) == 0
    ((given, named),) = calls
    assert given == ("cinn2019", Path("run"), Path("w.safetensors"))
    assert named["pack_folder"] == Path("p")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        TRAIN,
        ["train", "deterministic", "pack", "--minutes", "1"],
        ["train", "deterministic", "-o", "run", "--minutes", "1"],
        [*TRAIN, "--minutes", "0"],
        [*TRAIN, "--minutes", "1", "--batch", "0"],
        ["export", "deterministic", "run", "w.safetensors"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    usage_error_of(["baseline", *arguments], capsys)


def test_the_command_names_every_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    for action in (["train", "pix2pix", "pack", "-o", "run", "--minutes", "1"],
                   ["export", "pix2pix", "run", "w.safetensors", "--pack", "pack"]):  # fmt: skip
        message = usage_error_of(["baseline", *action], capsys)
        assert "'pix2pix'" in message
        assert all(name in message for name in BASELINES)
        with pytest.raises(SystemExit):
            main(["baseline", action[0], "--help"])
        assert ", ".join(BASELINES) in capsys.readouterr().out


@pytest.mark.usefixtures("small_baselines")
@pytest.mark.parametrize("name", BASELINES)
def test_from_a_pack_to_a_file(
    name: str,
    pack_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(until_budget, "write_grid", lambda *_: None)
    run, path = tmp_path / "run", tmp_path / "weights" / f"{name}.safetensors"
    options = ["--minutes", "0.0001", "--batch", "8", "--threads", "1"]
    assert main(["baseline", "train", name, str(pack_folder), "-o", str(run), *options]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{name}: step 1, 0.")
    assert main(["baseline", "export", name, str(run), str(path), "--pack", str(pack_folder)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert f"{path}: " in printed.out
    assert ("energy score" in printed.out) == (name == "cinn2019")
    assert load_baseline(path).name == name


@pytest.mark.usefixtures("small_baselines")
def test_what_a_person_may_get_wrong(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["--minutes", "0.1", "-o", tmp_path / "run"]
    command = ["baseline", "train", "deterministic"]
    assert "no training pack here" in error_of([*command, tmp_path, *train], capsys)
    assert not (tmp_path / "run").exists()
    message = error_of([*command, pack_folder, *train], capsys)
    assert "deterministic has 28 training rows, a batch needs 128" in message
    export = ["baseline", "export", "deterministic", tmp_path / "run", tmp_path / "w"]
    message = error_of([*export, "--pack", pack_folder], capsys)
    assert "deterministic has no evaluated weights yet" in message
