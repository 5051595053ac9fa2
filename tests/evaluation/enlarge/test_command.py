"""`colorflow evaluate-enlarge`, from the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from torch import nn

from colorflow.cli import main
from colorflow.enlarge.mean import StepConfig
from colorflow.enlarge.model import DetailModel
from colorflow.enlarge.weights import FIRST, LAST, RESTORE, save_enlarge_weights
from colorflow.evaluation.enlarge import run as run_module

pytestmark = pytest.mark.slow

SMALL = StepConfig(width=8, blocks=1, own_blocks=1, couplings=2, coupling_width=8, bins=4)


@pytest.fixture(autouse=True)
def _malloc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "keep_freed_memory", lambda: None)


@pytest.fixture
def given(tmp_path: Path, randomize: Callable[..., nn.Module]) -> list[str]:
    """Two photos, one that is too small, and weights."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(skimage.data.camera()).save(folder / "camera.png")
    Image.fromarray(skimage.data.astronaut()).save(folder / "face.png")
    Image.fromarray(skimage.data.astronaut()[:200]).save(folder / "small.png")
    models = {name: DetailModel(SMALL) for name in (FIRST, LAST)}
    models[RESTORE] = DetailModel(replace(SMALL, restores=True))
    for model in models.values():
        randomize(model, 0.1)
    weights = tmp_path / "weights.safetensors"
    save_enlarge_weights(weights, models, {})
    return ["evaluate-enlarge", str(folder), "--weights", str(weights)]


@pytest.mark.parametrize("scale", [2, 4])
def test_numbers_and_sheet(
    scale: int, given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    json_file, sheet = tmp_path / "out/results.json", tmp_path / "out/sheet.png"
    command = [*given, "--scale", str(scale), "--json", str(json_file), "--sheet", str(sheet)]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "2 photos measured, 1 left out" in printed.out
    assert "small.png" in printed.err
    results = json.loads(json_file.read_text())
    assert results["photos"] == 2
    assert [Path(file).name for file in results["left_out"]] == ["small.png"]
    columns = results["columns"]
    assert next(iter(columns)) == "bicubic"
    assert list(columns)[-1] == "truth"
    assert columns["truth"]["PSNR"]["value"] == 120
    assert columns["truth"]["power_octave_1"]["value"] == 1
    assert columns["ours, 1"]["LR_PSNR"]["value"] > 100, "the means are kept"
    assert columns["bicubic"]["LR_PSNR"]["value"] < 60
    assert 20 < columns["bicubic"]["PSNR"]["value"] < 40
    for metric in ("bits_per_dim", "inverse_error"):
        assert (metric in columns["ours, 1"]) == (scale == 2)
    pixels = np.asarray(Image.open(sheet))
    assert pixels.shape[:2] == (2 * 260, 9 * 260), "given, seven columns, truth"
    first = json_file.read_bytes()
    assert main(shlex.split(results["command"])[1:]) == 0
    again, before = json.loads(json_file.read_text()), json.loads(first)
    for name, own in before["columns"].items():
        for measured in ("seconds_per_megapixel", "megabytes_per_megapixel"):
            own.pop(measured, None)
            again["columns"][name].pop(measured, None)
        assert again["columns"][name] == own, "the command repeats the numbers"


@pytest.mark.parametrize("scale", [2, 4])
def test_damaged_photos(scale: int, given: list[str], tmp_path: Path) -> None:
    json_file = tmp_path / "results.json"
    command = [*given, "--scale", str(scale), "--json", str(json_file), "--damaged"]
    assert main(command) == 0
    results = json.loads(json_file.read_text())
    assert results["damaged"] is True
    columns = results["columns"]
    assert list(columns)[2:] == ["exact, 0", "restored, 0", "restored, 0.5", "restored, 1", "truth"]
    assert columns["exact, 0"]["LR_PSNR"]["value"] < 50, "it keeps the damage"
    assert columns["restored, 0"]["LR_PSNR"] != columns["exact, 0"]["LR_PSNR"], "another doubling"
    assert columns["restored, 1"]["diversity"]["value"] > 0
    assert "bits_per_dim" not in columns["restored, 1"]
    assert main([*given, "--scale", str(scale), "--json", str(tmp_path / "clean.json")]) == 0
    clean = json.loads((tmp_path / "clean.json").read_text())["columns"]
    for name in ("bicubic", "Lanczos"):
        assert columns[name]["PSNR"]["value"] < clean[name]["PSNR"]["value"]
    first = columns
    assert main(shlex.split(results["command"])[1:]) == 0
    again = json.loads(json_file.read_text())["columns"]
    assert again["restored, 1"]["PSNR"] == first["restored, 1"]["PSNR"], "the command repeats it"


def test_one_good_photo_among_many_is_measured(given: list[str], tmp_path: Path) -> None:
    """Although it is none of those that the sheet would take by their place in the folder."""
    folder = tmp_path / "photos"
    for path in folder.iterdir():
        path.unlink()
    for number in range(14):
        size = 256 if number == 1 else 20
        Image.fromarray(skimage.data.camera()[:size, :size]).save(folder / f"{number:02d}.png")
    sheet = tmp_path / "sheet.png"
    json_file = tmp_path / "results.json"
    assert main([*given, "--json", str(json_file), "--sheet", str(sheet)]) == 0
    assert json.loads(json_file.read_text())["photos"] == 1
    with Image.open(sheet) as image:
        assert image.height == 260


def test_weights_that_cannot_restore(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = {name: DetailModel(SMALL) for name in (FIRST, LAST)}
    save_enlarge_weights(Path(given[-1]), models, {})
    assert main([*given, "--json", str(tmp_path / "a.json"), "--damaged"]) == 1
    assert "cannot restore; leave --damaged away" in capsys.readouterr().err


def test_what_cannot_be_measured_is_said(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "foreign.json"
    foreign.write_text("{}")
    assert main([*given, "--json", str(foreign)]) == 1
    assert foreign.read_text() == "{}"
    assert "foreign.json" in capsys.readouterr().err
    lost = ["evaluate-enlarge", str(tmp_path / "no"), *given[2:], "--json", str(tmp_path / "a")]
    assert main(lost) == 1
    assert str(tmp_path / "no") in capsys.readouterr().err
    only_small = tmp_path / "only"
    only_small.mkdir()
    (tmp_path / "photos/small.png").rename(only_small / "small.png")
    few = ["evaluate-enlarge", str(only_small), *given[2:], "--json", str(tmp_path / "b.json")]
    assert main(few) == 1
    assert "no photo of at least 256 x 256 pixels" in capsys.readouterr().err
    assert not (tmp_path / "b.json").exists()
