"""The hint curve: which hints are given, its numbers against known samples, its files."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from colorflow.cli import main
from colorflow.color.grid import to_grid
from colorflow.colorizer import Colorizer
from colorflow.errors import EvaluationError
from colorflow.evaluation import bootstrap, hint_report
from colorflow.evaluation.bootstrap import Estimate, Table
from colorflow.evaluation.evaluate import Evaluation, photos_of
from colorflow.evaluation.hint_curve import (
    BINS,
    HINT_COUNTS,
    hint_curve,
    hints_of,
    quantile_of,
)
from colorflow.evaluation.hint_report import write_plot
from colorflow.evaluation.measure import sample_in_parts
from colorflow.model.condition import Condition
from colorflow.model.config import HINT_PLANES
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import LoadedWeights, load_weights
from colorflow.photo import read_photo
from tests.evaluation.conftest import error_of, usage_error_of
from tests.small_weights import GAIN, TEMPERATURES, save_small_weights

Sample = Callable[[Tensor, int, torch.Generator], Tensor]
"""From planes (3, 64, 64), n, and a source of randomness to (n, 2, 64, 64)."""


@dataclass
class KnownModel:
    """A pyramid that samples what it is told to, and remembers what it was given."""

    painted: Sample
    likelihood: Callable[[Tensor], float] = lambda planes: -5678.0
    config: Any = field(default_factory=lambda: SimpleNamespace(takes_hints=True))
    planes: list[Tensor] = field(default_factory=list)
    noisy: list[Tensor] = field(default_factory=list)

    def sample(
        self,
        condition: Condition,
        n: int,
        temperatures: tuple[float, ...],
        generator: Any,
        gain: float,
    ) -> Tensor:
        assert (temperatures, gain) == (TEMPERATURES, GAIN)
        assert condition.planes is not None
        self.planes.append(condition.planes[0])
        return self.painted(condition.planes[0], n, generator)[None]

    def log_prob(self, ab: Tensor, condition: Condition) -> Tensor:
        assert condition.planes is not None
        assert torch.equal(condition.planes[0], self.planes[-1])
        self.noisy.append(ab)
        return torch.tensor([self.likelihood(condition.planes[0])])

    def weights(self) -> LoadedWeights:
        return LoadedWeights(
            pyramid=self,  # type: ignore[arg-type]
            temperatures=TEMPERATURES,
            gain=GAIN,
            training={},
            digest="known",
        )


def measured(files: list[Path], model: KnownModel, **options: Any) -> Evaluation:
    return hint_curve(files, model.weights(), say=str, **options)


def values(curve: Evaluation, metric: str) -> dict[int, float]:
    """By number of hints."""
    return {int(n): own[metric].value for n, own in curve.tables["hints"].items() if metric in own}


def evaluation_of(table: Table, photos: int = 1, n: int = 2) -> Evaluation:
    return Evaluation(photos=photos, n=n, seed=0, tables={"hints": table}, settings={}, left_out=[])


def uniform(a: float, b: float) -> Sample:
    return lambda _, n, __: (
        torch.tensor([a, b], dtype=torch.float32).view(2, 1, 1).expand(n, 2, 64, 64)
    )


def noise(_: Tensor, n: int, generator: torch.Generator) -> Tensor:
    return 20 * torch.randn(n, 2, 64, 64, generator=generator)


def hinted_color(planes: Tensor) -> Tensor:
    """The color of the first hint, (2, 1, 1); none without hints."""
    known = planes[1:, planes[0] == 1]
    return known[:, :1, None] if known.numel() else torch.zeros(2, 1, 1)


@pytest.fixture(scope="module")
def cup(photos: Path) -> Path:
    return photos / "cup.png"


@pytest.fixture(scope="module")
def truth(cat: Path) -> Tensor:
    return torch.from_numpy(to_grid(read_photo(cat).pixels))


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 50)


# which hints are given


@pytest.mark.usefixtures("cheap")
def test_hints_are_true_colors_and_fewer_are_the_first_of_more(cat: Path, truth: Tensor) -> None:
    model = KnownModel(uniform(0, 0))
    measured([cat], model, n=2)
    assert [int(planes[0].sum()) for planes in model.planes] == [0, 1, 2, 4, 8, 16]
    for few, more in zip(model.planes[:-1], model.planes[1:], strict=True):
        assert (few[0] <= more[0]).all()
    last = model.planes[-1]
    assert torch.equal(last[1:], torch.where(last[:1] == 1, truth, 0))


@pytest.mark.usefixtures("cheap")
def test_photo_and_seed_decide_the_positions(cat: Path, cup: Path) -> None:
    def positions(path: Path, seed: int) -> list[list[int]]:
        model = KnownModel(uniform(0, 0))
        measured([path], model, n=2, seed=seed)
        return model.planes[-1][0].nonzero().tolist()

    own = positions(cat, 0)
    assert own == positions(cat, 0)
    assert own != positions(cat, 1)
    assert own != positions(cup, 0)


# the numbers


@pytest.mark.usefixtures("cheap")
def test_the_curve_is_paired(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that does not listen samples the same with any number of hints, and is as likely."""
    monkeypatch.setattr(sample_in_parts, "__defaults__", (2,))
    model = KnownModel(noise)
    curve = measured(photos_of(photos), model, n=3)
    for metric in ("rmse_one", "rmse_mean", "energy_score", "diversity", "bits_per_dim"):
        found = list(values(curve, metric).values())
        assert len(found) == 6
        assert found == [found[0]] * 6
        assert curve.tables["hints"]["0"][metric].stderr is not None
    assert values(curve, "far_diversity_ratio") == {1: 1.0}
    assert values(curve, "diversity")[0] == pytest.approx(20 * math.sqrt(math.pi), rel=0.01)
    assert len(model.noisy) == 18
    assert len(model.planes) == 36, "2 samples and 1 prediction"
    assert all(torch.equal(model.noisy[0], other) for other in model.noisy[1:6])
    assert list(curve.tables["hints"]) == ["0", "1", "2", "4", "8", "16"]


@pytest.mark.usefixtures("cheap")
def test_errors_of_samples_and_of_their_mean(cat: Path, truth: Tensor) -> None:
    """Oracle: scikit-image on one constant color, which is the mean of a pair around it."""
    photo = skimage.data.chelsea()[40:240, 60:300]
    rgb = np.asarray(Image.fromarray(photo).resize((64, 64), Image.Resampling.BOX), dtype=float)
    lab = skimage.color.rgb2lab(rgb / 255)

    def squared(a: float) -> float:
        lab[..., 1:] = a, 4
        return float(np.square(skimage.color.lab2rgb(lab) - rgb / 255).mean())

    def sample(_: Tensor, n: int, __: object) -> Tensor:
        return torch.tensor([[-7.0, 4.0], [13.0, 4.0]]).view(2, 2, 1, 1).expand(n, 2, 64, 64)

    curve = measured([cat], KnownModel(sample), n=2)
    assert values(curve, "rmse_mean")[4] == pytest.approx(100 * math.sqrt(squared(3)), rel=0.01)
    want = 100 * math.sqrt((squared(-7) + squared(13)) / 2)
    assert values(curve, "rmse_one")[4] == pytest.approx(want, rel=0.01)
    near = [float((truth - one).square().mean().sqrt()) for one in sample(truth, 2, None)]
    apart = 20 / math.sqrt(2)  # root mean square over both planes
    assert values(curve, "energy_score")[4] == pytest.approx(sum(near) / 2 - apart / 2, rel=1e-4)
    assert values(curve, "diversity")[4] == pytest.approx(20)


@pytest.mark.usefixtures("cheap")
def test_likelihood_is_of_the_noisy_truth_given_the_hints(cat: Path, truth: Tensor) -> None:
    model = KnownModel(uniform(0, 0), likelihood=lambda planes: -1000.0 * float(planes[0].sum()))
    found = values(measured([cat], model, n=2), "bits_per_dim")
    assert found == {n: pytest.approx(1000 * n / 8192 / math.log(2)) for n in HINT_COUNTS}
    added = model.noisy[0][0] - truth
    assert abs(added.mean()) < 4 / math.sqrt(added.numel())
    assert abs(added.std() - 1) < 4 / math.sqrt(2 * added.numel())


@pytest.mark.usefixtures("cheap")
def test_a_model_that_paints_the_hint_keeps_to_it(photos: Path) -> None:
    """As the gamut allows it at every lightness around it; far from the colors of other hints."""
    curve = measured(
        photos_of(photos),
        KnownModel(lambda planes, n, _: hinted_color(planes).expand(n, 2, 64, 64)),
        n=2,
        seed=5,  # two of the three hints lie where the photo has one color
    )
    kept, mean = values(curve, "hints_kept"), values(curve, "hint_error_mean")
    assert kept[1] == 1
    assert 0 < values(curve, "hints_kept_by_truth")[1] < 1
    assert values(curve, "hints_kept_like_truth")[1] == 1
    assert mean[1] < 1
    assert values(curve, "hint_error_95")[1] < 2
    assert kept[16] < 0.6
    assert mean[16] > 5
    assert 0 not in kept
    assert "far_diversity_ratio" not in curve.tables["hints"]["1"], (
        "nothing is diverse without hints"
    )


def gray_blue(path: Path) -> Tensor:
    """A picture of two colors of about one lightness, side by side; its chroma."""
    pixels = np.empty((128, 128, 3), np.uint8)
    pixels[:, :64], pixels[:, 64:] = (150, 110, 100), (90, 120, 170)
    Image.fromarray(pixels).save(path)
    return torch.from_numpy(to_grid(pixels))


@pytest.mark.usefixtures("cheap")
def test_distances_from_hints(tmp_path: Path) -> None:
    """Samples are the truth, but the second is redder by 8 everywhere: one sample that misses a
    hint counts."""
    ab = gray_blue(tmp_path / "two.png")

    def sample(by: float) -> Sample:
        def redder(_: Tensor, n: int, __: object) -> Tensor:
            samples = ab.repeat(n, 1, 1, 1)
            samples[1, 0] += by
            return samples

        return redder

    # A seed whose first hint is well inside one color, so that the truth keeps to it.
    model = KnownModel(sample(0))
    right = measured([tmp_path / "two.png"], model, n=4, seed=7)
    (position,) = model.planes[1][0].nonzero().tolist()
    assert abs(position[1] - 31.5) > 8
    wrong = measured([tmp_path / "two.png"], KnownModel(sample(8)), n=4, seed=7)
    beyond = measured([tmp_path / "two.png"], KnownModel(sample(40)), n=24, seed=7)
    columns = model.planes[5][0].nonzero()[:, 1].numpy()
    inside = np.abs(columns - 31.5) > 4  # none is at 3 to 6, where blur would matter
    for curve, kept in ((right, 1), (wrong, 0), (beyond, 0)):
        assert values(curve, "hints_kept")[1] == kept
        assert values(curve, "hints_kept_by_truth")[1] == 1
        assert values(curve, "hints_kept_by_truth")[16] == inside.mean() == 14 / 16
        assert values(curve, "hints_kept_like_truth") == dict.fromkeys(HINT_COUNTS[1:], kept)
        assert values(curve, "hint_error_mean_of_truth")[1] < 1
    assert values(right, "hint_error_mean")[1] < 1
    assert values(right, "hint_error_95")[1] < 1
    assert values(wrong, "hint_error_mean")[1] == pytest.approx(8 / 4, abs=0.8)
    assert values(wrong, "hint_error_95")[1] == pytest.approx(8, abs=0.8)
    assert values(beyond, "hint_error_95")[1] < 1, "one of 24 samples is beyond the quantile"


@pytest.mark.usefixtures("cheap")
def test_a_sample_four_units_away_keeps_to_its_hint(tmp_path: Path) -> None:
    ab = gray_blue(tmp_path / "two.png")
    model = KnownModel(
        lambda _, n, __: (ab + torch.tensor([0.0, 4.0])[:, None, None]).repeat(n, 1, 1, 1)
    )
    curve = measured([tmp_path / "two.png"], model, n=2, seed=7)
    assert values(curve, "hints_kept")[1] == 1
    assert values(curve, "hint_error_mean")[1] == pytest.approx(4, abs=0.6)


@pytest.mark.usefixtures("cheap")
def test_diversity_far_from_the_hint(cat: Path, cup: Path) -> None:
    """It depends on the distance in row or column from the hint: brute force over the cells."""

    def spread(planes: Tensor) -> Tensor:
        distance = torch.zeros(64, 64)
        for row, column in planes[0].nonzero().tolist():
            positions = torch.arange(64)
            distance = torch.maximum(
                (positions - row).abs()[:, None], (positions - column).abs()[None]
            )
        return distance.float()

    def sample(planes: Tensor, n: int, _: object) -> Tensor:
        ab = torch.zeros(n, 2, 64, 64)
        free = int(planes[0].sum()) == 0
        ab[0, 0] = 10.0 if free else spread(planes) ** 2 / 100
        return ab

    model = KnownModel(sample)
    found = values(measured([cat, cup], model, n=2), "far_diversity_ratio")
    sums = []
    for planes in (model.planes[1], model.planes[7]):
        own = (spread(planes) ** 2 / 100)[spread(planes) > 16]
        sums.append(float(own.mean()))
    assert found == {1: pytest.approx(np.mean(sums) / 10, rel=1e-5)}


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_quantiles_are_those_of_all_distances(level: float) -> None:
    """Three photos with as many distances each; sampled with replacement they count as often."""
    rng = np.random.default_rng(0)
    distances = [rng.gamma(2, scale, 20_000) for scale in (1, 4, 9)]
    shares = np.stack([np.histogram(own, BINS)[0] / own.size for own in distances])
    statistic = quantile_of(shares, level)
    for sampled in ([0, 1, 2], [0, 0, 2], [1, 1, 1]):
        want = np.quantile(np.concatenate([distances[photo] for photo in sampled]), level)
        weights = np.bincount(sampled, minlength=3)[None].astype(float)
        assert statistic(weights) == pytest.approx([want], abs=0.02)


# who is left out


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_not_averaged(photos: Path, cat: Path, bad: float) -> None:
    said: list[str] = []

    def sample(planes: Tensor, n: int, _: object) -> Tensor:
        ab = torch.zeros(n, 2, 64, 64)
        ab[-1, 1, 5, 5] = bad if planes[0].sum() == 4 else 0
        return ab

    with pytest.raises(EvaluationError, match=r"none of the 1 photos .*: 1 not finite"):
        hint_curve([cat], KnownModel(sample).weights(), say=said.append)
    assert said == [f"{cat}: left out (the model gave chroma that is not finite)"]
    calls: list[Tensor] = []

    def likelihood(planes: Tensor) -> float:
        calls.append(planes)
        return bad if len(calls) == 8 else 0.0  # with one hint in the second photo

    curve = measured(photos_of(photos), KnownModel(uniform(0, 0), likelihood), n=2)
    assert curve.photos == 2
    assert [(item.file, item.why) for item in curve.left_out] == [(str(cat), "not finite")]


def test_one_sample_is_refused(cat: Path) -> None:
    with pytest.raises(ValueError, match="n: expected at least 2, got 1"):
        measured([cat], KnownModel(noise), n=1)


# the command


@pytest.fixture(scope="module")
def hinted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_weights(tmp_path_factory.mktemp("hinted") / "w.safetensors", HINT_PLANES)


def arguments_of(folder: Path, weights: Path, file: Path) -> list[str]:
    words = ["evaluate-hints", str(folder), "--weights", str(weights), "--json", str(file)]
    return [*words, "--samples", "2", "--seed", "5"]


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
        (want,) = colorizer.bits_per_dim(photo, model.noisy[0].numpy(), hints=hints)
        assert found[count] == pytest.approx(want, rel=1e-5)
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


@pytest.mark.parametrize("missing", ["tqdm", "matplotlib.figure"])
def test_the_extra_is_missing(
    missing: str,
    photos: Path,
    hinted: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    arguments = [*arguments_of(photos, hinted, tmp_path / "h.json"), "--plot", "curve.png"]
    assert "pip install 'colorflow-cinn[eval]'" in error_of(arguments, capsys)


def test_wrong_usage(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([str(photos)], [str(photos), "--json", "h.json", "--samples", "1"]):
        usage_error_of(["evaluate-hints", *arguments], capsys)
