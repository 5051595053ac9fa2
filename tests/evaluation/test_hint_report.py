"""`colorflow evaluate-hints`: its files, its plot, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import skimage.color
import skimage.data
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from colorflow.cli import main
from colorflow.colorizer import Colorizer, bits_per_dim
from colorflow.errors import EvaluationError
from colorflow.evaluation import bootstrap, hint_report
from colorflow.evaluation.bootstrap import Estimate, Table
from colorflow.evaluation.evaluate import Evaluation
from colorflow.evaluation.hint_curve import HINT_COUNTS, hints_of
from colorflow.evaluation.hint_report import write_plot
from colorflow.model.condition import Condition
from colorflow.model.config import HINT_PLANES
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights
from colorflow.photo import read_photo
from tests.evaluation.conftest import error_of, usage_error_of
from tests.evaluation.known_model import KnownModel, measured, noise, uniform, values
from tests.small_weights import save_small_weights


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 50)


def evaluation_of(table: Table, photos: int = 1, n: int = 2) -> Evaluation:
    return Evaluation(photos=photos, n=n, seed=0, tables={"hints": table}, settings={}, left_out=[])


# the command


@pytest.fixture(scope="module")
def hinted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_weights(tmp_path_factory.mktemp("hinted") / "w.safetensors", HINT_PLANES)


def arguments_of(folder: Path, weights: Path, file: Path) -> list[str]:
    words = ["evaluate-hints", str(folder), "--weights", str(weights), "--json", str(file)]
    return [*words, "--samples", "2", "--seed", "5"]


@pytest.mark.slow
def test_files_and_table(
    photos: Path, hinted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of three photos with small weights, and a file that is no photo."""
    Image.open(photos / "cup.png").save(tmp_path / "cup.png")
    (tmp_path / "no.jpg").write_text("no photo")
    file, plot = tmp_path / "new" / "h.json", tmp_path / "new" / "h.png"
    arguments = arguments_of(tmp_path, hinted, file)
    assert main([*arguments, "--plot", str(plot)]) == 1
    out, err = capsys.readouterr()
    assert f"{tmp_path / 'no.jpg'}: left out" in err
    found = json.loads(file.read_text())
    assert (found["photos"], found["seed"], found["samples"]) == (1, 5, 2)
    assert found["weights"] == load_weights(hinted).digest
    assert found["command"].startswith("colorflow evaluate-hints ")
    assert found["command"].endswith("--samples 2 --seed 5")
    assert {"date", "hardware", "threads", "peak_megabytes"} <= set(found)
    assert [(Path(item["file"]).name, item["why"]) for item in found["left_out"]] == [
        ("no.jpg", "unreadable")
    ]
    assert list(found["hints"]) == ["0", "1", "2", "4", "8", "16"]
    always = {"rmse_one", "rmse_mean", "energy_score", "diversity", "bits_per_dim"}
    assert set(found["hints"]["0"]) == always
    with_hints = {"hints_kept", "hints_kept_by_truth", "hint_error_mean", "hint_error_95"}
    for count in HINT_COUNTS[1:]:
        assert always | with_hints <= set(found["hints"][str(count)])
    assert "far_diversity_ratio" in found["hints"]["1"]
    bits = [found["hints"][str(count)]["bits_per_dim"]["value"] for count in HINT_COUNTS]
    assert len(set(bits)) == 6, "hints have a say"
    table = [line for line in out.splitlines() if line.startswith("|")]
    assert table[0] == "| hints | 0 | 1 | 2 | 4 | 8 | 16 |"
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in table[2:]}
    assert [float(cell) for cell in rows["bits_per_dim"]] == pytest.approx(bits, rel=0.01)
    assert not rows["hint_error_mean"][0].strip()
    assert found["command"] in out
    assert "true color at random positions" in out
    assert "1 photos measured; left out: 1 unreadable" in out
    with Image.open(plot) as image:
        assert image.size == (1080, 432)


class HalfKnownModel(KnownModel):
    """Known samples and a real density."""

    def __init__(self, real: ChromaPyramid) -> None:
        super().__init__(uniform(0, 0))
        self.real = real

    def log_prob(self, ab: Tensor, condition: Condition) -> Tensor:
        super().log_prob(ab, condition)
        return self.real.log_prob(ab, condition)


def test_bits_are_the_colorizers_with_such_hints(cup: Path, hinted: Path) -> None:
    """Hints in pixels, as a user gives them, against planes on the grid."""
    colorizer, photo = Colorizer.load(hinted), read_photo(cup)
    model = HalfKnownModel(load_weights(hinted).pyramid)
    found = values(measured([cup], model, n=2), "bits_per_dim")
    for count in (0, 1, 16):
        planes = model.planes[HINT_COUNTS.index(count)]
        hints = hints_of(planes, photo.height, photo.width)
        assert len(hints) == count
        (want,) = colorizer.log_prob(photo, model.noisy[0].numpy(), hints=hints)
        assert found[count] == pytest.approx(bits_per_dim(want), rel=1e-5)
    assert found[16] != pytest.approx(found[0], rel=1e-4)


@pytest.mark.usefixtures("cheap")
def test_no_failure_and_exit_code_0(
    photos: Path, hinted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos without colors are no failure; the limit is in the command."""
    Image.open(photos / "cup.png").save(tmp_path / "cup.png")
    Image.fromarray(skimage.data.camera()).save(tmp_path / "gray.png")
    known = KnownModel(noise).weights()
    monkeypatch.setattr("colorflow.evaluation.hint_report.load_weights", lambda _: known)
    file, plot = tmp_path / "h.json", tmp_path / "h.svg"
    arguments = arguments_of(tmp_path, hinted, file)
    assert main([*arguments, "--plot", str(plot), "--limit", "7"]) == 0
    found = json.loads(file.read_text())
    assert "--limit 7" in found["command"]
    assert [item["why"] for item in found["left_out"]] == ["not colored"]
    assert found["hints"]["0"]["rmse_one"]["stderr"] is None
    assert "<svg" in plot.read_text(encoding="utf-8")


def test_the_plot_shows_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []

    class Kept(Figure):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            figures.append(self)

    monkeypatch.setattr(hint_report, "figure_class", lambda: Kept)
    metrics = ("rmse_one", "rmse_mean", "hint_error_mean", "hint_error_95")
    columns = {
        str(count): {
            metric: Estimate(10.0 * index + row, 0.5)
            for index, metric in enumerate(metrics)
            if count or metric.startswith("rmse")
        }
        for row, count in enumerate(HINT_COUNTS)
    }
    curve = evaluation_of(columns, photos=3, n=7)
    write_plot(curve, tmp_path / "new" / "curve.png")
    assert (tmp_path / "new" / "curve.png").read_bytes().startswith(b"\x89PNG")
    (figure,) = figures
    lines = {
        container.get_label(): container.lines[0]
        for axis in figure.axes
        for container in axis.containers
    }
    shown = {label: line.get_ydata().tolist() for label, line in lines.items()}
    assert shown == {
        "one sample": [0, 1, 2, 3, 4, 5],
        "mean of 7 samples": [10, 11, 12, 13, 14, 15],
        "mean": [21, 22, 23, 24, 25],
        "95% quantile": [31, 32, 33, 34, 35],
    }
    ticks = [[label.get_text() for label in axis.get_xticklabels()] for axis in figure.axes]
    assert ticks == [["0", "1", "2", "4", "8", "16"], ["1", "2", "4", "8", "16"]]


def test_weights_that_take_no_hints(
    photos: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = error_of(arguments_of(photos, weights, tmp_path / "h.json"), capsys)
    assert f"{weights}: takes no color hints" in message
    assert not (tmp_path / "h.json").exists()


def test_files_that_cannot_be_written(
    photos: Path, hinted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = arguments_of(photos, hinted, tmp_path / "h.json")
    assert "curve.jpg: choose one of .png, .svg" in error_of(
        [*common, "--plot", "curve.jpg"], capsys
    )
    (tmp_path / "file").touch()
    below = str(tmp_path / "file" / "curve.png")
    assert "curve.png: cannot be written" in error_of([*common, "--plot", below], capsys)
    assert "(Is a directory)" in error_of(arguments_of(photos, hinted, tmp_path), capsys)
    for name in ("mine.json", "mine.png"):
        (tmp_path / name).write_bytes(data := b'{"command": "colorflow evaluate photos"}')
        option = ["--json" if name.endswith("json") else "--plot", str(tmp_path / name)]
        message = error_of([*common, *option], capsys)
        assert f"{name}: cannot be written (a file is there already, and it is no " in message
        assert (tmp_path / name).read_bytes() == data
    (tmp_path / "full.png").mkdir()
    curve = evaluation_of({}, photos=1, n=2)
    with pytest.raises(EvaluationError, match=r"full\.png: cannot be written"):
        write_plot(curve, tmp_path / "full.png")
    assert [path.name for path in tmp_path.glob("*.tmp")] == []


@pytest.mark.parametrize("name", ["c.png", "c.svg"])
def test_a_plot_can_be_made_anew(name: str, tmp_path: Path) -> None:
    curve = evaluation_of({}, photos=1, n=2)
    for _ in range(2):
        write_plot(curve, tmp_path / name)
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(EvaluationError, match=r"is no plot of a hint curve that colorflow made"):
        write_plot(curve, tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"mine"


def test_the_extra_is_missing(
    photos: Path,
    hinted: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    arguments = [*arguments_of(photos, hinted, tmp_path / "h.json"), "--plot", "curve.png"]
    assert "pip install 'colorflow-cinn[eval]'" in error_of(arguments, capsys)


def test_wrong_usage(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([str(photos)], [str(photos), "--json", "h.json", "--samples", "1"]):
        usage_error_of(["evaluate-hints", *arguments], capsys)
