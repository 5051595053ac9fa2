"""The hint curve: which hints are given, and its numbers against known samples."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from colorflow.color.grid import to_grid
from colorflow.errors import EvaluationError
from colorflow.evaluation import bootstrap
from colorflow.evaluation.evaluate import photos_of
from colorflow.evaluation.hint_curve import BINS, HINT_COUNTS, hint_curve, quantile_of
from colorflow.evaluation.measure import sample_in_parts
from colorflow.photo import read_photo
from tests.evaluation.known_model import KnownModel, Sample, measured, noise, uniform, values


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 50)


def hinted_color(planes: Tensor) -> Tensor:
    """The color of the first hint, (2, 1, 1); none without hints."""
    known = planes[1:, planes[0] == 1]
    return known[:, :1, None] if known.numel() else torch.zeros(2, 1, 1)


@pytest.fixture(scope="module")
def truth(cat: Path) -> Tensor:
    return torch.from_numpy(to_grid(read_photo(cat).pixels))


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


@pytest.mark.slow
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
