"""`colorflow train-enlarge` and `export-enlarge`, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorflow.cli import main
from colorflow.enlarge import train as train_module
from colorflow.enlarge.weights import FIRST, LAST, load_enlarge_weights
from tests.enlarge.test_train import small


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "DOUBLINGS", {LAST: small(), FIRST: small()})
    monkeypatch.setattr(train_module, "keep_freed_memory", lambda: None)


def test_train_and_export(
    patches_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, file = tmp_path / "run", tmp_path / "enlarge.safetensors"
    train = ["train-enlarge", "last", str(patches_folder), "-o", str(run), "--minutes", "0.01"]
    assert main([*train, "--batch", "4", "--evaluate-every", "1"]) == 0
    assert "bits/dim" in capsys.readouterr().out
    assert main(["export-enlarge", str(run), str(file)]) == 0
    assert set(load_enlarge_weights(file).models) == {LAST, FIRST}
    (tmp_path / "foreign.safetensors").write_bytes(b"not ours")
    assert main(["export-enlarge", str(run), str(tmp_path / "foreign.safetensors")]) == 1
    assert (tmp_path / "foreign.safetensors").read_bytes() == b"not ours"
    assert "foreign.safetensors" in capsys.readouterr().err


def test_what_is_missing_is_named(
    patches_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export-enlarge", str(tmp_path), str(tmp_path / "a.safetensors")]) == 1
    assert "last has no evaluated weights yet; train it with" in capsys.readouterr().err
    lost = ["train-enlarge", "last", str(tmp_path / "no"), "-o", str(tmp_path), "--minutes", "1"]
    assert main(lost) == 1
    assert str(tmp_path / "no") in capsys.readouterr().err
    unknown = ["train-enlarge", "middle", str(patches_folder), "-o", "x", "--minutes", "1"]
    assert main(unknown) == 2
