"""`colorflow baseline`: options, exit codes, and the way from a pack to a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from colorflow.baselines import BASELINES, load_baseline
from colorflow.baselines import train as train_module
from colorflow.cli import main
from colorflow.training import loop
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig


@pytest.fixture(autouse=True)
def _keeps_the_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def record(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(train_module, name, lambda *given, **named: calls.append((given, named)))
    return calls


def error_of(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command says when it fails."""
    assert main(list(map(str, arguments))) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("colorflow: ")


def test_train_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = record(monkeypatch, "train_baseline")
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    options = ["--minutes", "1.5", "--batch", "16", "--rate", "0.002", "--seed", "3"]
    options += ["--evaluate-every", "30", "--threads", "2", "--contexts", "w.safetensors"]
    assert main(["baseline", "train", "cinn2019", "one", "two", "-o", "run", *options]) == 0
    ((given, named),) = calls
    assert given == ("cinn2019", [Path("one"), Path("two")], Path("run"))
    assert named["config"] == TrainConfig(batch=16, peak_rate=0.002, seed=3, evaluate_every=30)
    assert named["budget"] == Budget(minutes=1.5)
    assert named["contexts"] == Path("w.safetensors")
    assert threads[:1] == [2]


def test_train_has_the_recipe_of_the_pyramid(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = record(monkeypatch, "train_baseline")
    assert main(["baseline", "train", "deterministic", "p", "-o", "run", "--minutes", "5"]) == 0
    assert calls[0][1]["config"] == TrainConfig()
    assert calls[0][1]["contexts"] is None


def test_export_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = record(monkeypatch, "export_baseline")
    assert main(["baseline", "export", "cinn2019", "run", "w.safetensors", "--pack", "p"]) == 0
    ((given, named),) = calls
    assert given == ("cinn2019", Path("run"), Path("w.safetensors"))
    assert named["pack_folder"] == Path("p")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["train", "deterministic", "pack", "-o", "run"],
        ["train", "deterministic", "pack", "--minutes", "1"],
        ["train", "deterministic", "-o", "run", "--minutes", "1"],
        ["train", "deterministic", "pack", "-o", "run", "--minutes", "0"],
        ["train", "deterministic", "pack", "-o", "run", "--minutes", "1", "--batch", "0"],
        ["export", "deterministic", "run", "w.safetensors"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["baseline", *arguments])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: colorflow baseline")


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "pix2pix", "pack", "-o", "run", "--minutes", "1"],
        ["export", "pix2pix", "run", "w.safetensors", "--pack", "pack"],
    ],
)
def test_an_unknown_name_is_answered_with_those_that_there_are(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["baseline", *arguments])
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert "'pix2pix'" in message
    assert all(name in message for name in BASELINES)


def test_the_help_names_every_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    for action in ("train", "export"):
        with pytest.raises(SystemExit):
            main(["baseline", action, "--help"])
        assert ", ".join(BASELINES) in capsys.readouterr().out


@pytest.mark.parametrize("name", BASELINES)
def test_from_a_pack_to_a_file(
    name: str,
    small_baselines: None,
    pack_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(loop, "write_grid", lambda *_: None)
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


def test_what_a_person_may_get_wrong(
    small_baselines: None, pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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
