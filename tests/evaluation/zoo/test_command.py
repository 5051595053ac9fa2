"""`colorflow zoo`: options, exit codes, and one line for every error."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from colorflow import cli
from colorflow.evaluation.zoo import table, toys
from colorflow.evaluation.zoo import train as train_module
from colorflow.evaluation.zoo.train import zoo_config
from tests.evaluation.conftest import error_of, recorded, usage_error_of


def test_train_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch, train_module, "train_architecture")
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    command = ["zoo", "train", "glow", "pack", "-o", "run", "--minutes", "1.5"]
    assert cli.main([*command, "--batch", "16", "--rate", "0.002", "--seed", "3"]) == 0
    assert cli.main(command) == 0
    (given, named), (_, default) = calls
    assert given == ("glow", Path("pack"), Path("run"))
    assert named["config"] == zoo_config(batch=16, rate=0.002, seed=3)
    assert named["minutes"] == 1.5
    assert default["config"] == zoo_config()
    assert threads == [1, 1]


def test_the_help_of_train_says_what_a_minute_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["zoo", "train", "--help"])
    assert "processor time" in " ".join(capsys.readouterr().out.split())


def test_table_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch, table, "write_table")
    assert cli.main(["zoo", "table", "run", "pack", "-o", "docs", "--seed", "4"]) == 0
    ((given, named),) = calls
    assert given == (Path("run"), Path("pack"), Path("docs"))
    assert named["seed"] == 4


def test_toys_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch, toys, "write_toys")
    assert cli.main(["zoo", "toys", "-o", "toys.jpg", "--steps", "9"]) == 0
    ((given, named),) = calls
    assert given == (Path("toys.jpg"),)
    assert (named["steps"], named["seed"]) == (9, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["train", "glow", "pack", "-o", "run"],
        ["train", "glow", "pack", "-o", "run", "--minutes", "0"],
        ["train", "glow", "pack", "-o", "run", "--minutes", "1", "--batch", "0"],
        ["train", "glow", "pack", "-o", "run", "--minutes", "1", "--rate", "0"],
        ["train", "glow", "pack", "-o", "run", "--minutes", "1", "--threads", "0"],
        ["table", "run", "pack"],
        ["table", "run", "pack", "-o", "docs", "--seed", "-1"],
        ["toys"],
        ["toys", "-o", "toys.jpg", "--steps", "0"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    usage_error_of(["zoo", *arguments], capsys)


def test_what_a_person_may_get_wrong(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train = ["--minutes", "0.1", "--batch", "8", "-o", run]
    assert "no such architecture" in error_of(["zoo", "train", "x", pack_folder, *train], capsys)
    assert "no training pack here" in error_of(["zoo", "train", "small", run, *train], capsys)
    assert not run.exists()
    assert "learns from maf" in error_of(["zoo", "train", "iaf", pack_folder, *train], capsys)
    assert "no architecture is trained" in error_of(
        ["zoo", "table", run, pack_folder, "-o", tmp_path / "docs"], capsys
    )
    assert "small has 28 training rows, a batch needs 64" in error_of(
        ["zoo", "train", "small", pack_folder, "--minutes", "1", "-o", tmp_path / "other"], capsys
    )
    assert "expected the name of a JPEG" in error_of(
        ["zoo", "toys", "-o", tmp_path / "toys.gif"], capsys
    )
