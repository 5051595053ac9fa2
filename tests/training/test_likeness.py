"""What finds the same things in a reference: pairs of views, its likelihood, and its weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import integrate

from colorflow.cli import main
from colorflow.errors import TrainingError
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights, save_weights
from colorflow.training import likeness
from colorflow.training.likeness import (
    LikenessObjective,
    PairPack,
    export_likeness,
    train_likeness,
)
from colorflow.training.schedule import Budget
from tests.training.conftest import small_training


@pytest.fixture(scope="module")
def with_mean(start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file with a mean head."""
    old = load_weights(start)
    torch.manual_seed(2)
    pyramid = ChromaPyramid(dataclasses.replace(old.pyramid.config, mean_head=True))
    pyramid.load_state_dict({**pyramid.state_dict(), **old.pyramid.state_dict()})
    path = tmp_path_factory.mktemp("mean") / "mean.safetensors"
    save_weights(path, pyramid, old.temperatures, {}, torch.float32)
    return path


@pytest.fixture(scope="module")
def run(
    _small_and_cheap: None, skin_folder: Path, with_mean: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """A run of two steps. Read it only."""
    folder, said = tmp_path_factory.mktemp("likeness"), []
    config = small_training(batch=2, dev_photos=2)
    train_likeness(
        skin_folder, folder, start=with_mean, config=config, budget=Budget(steps=2),
        say=said.append,
    )  # fmt: skip
    assert "nats a cell" in said[0]
    return folder


# pairs


def test_views_of_one_photo_have_its_colors_and_some_references_are_other_photos(
    skin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = PairPack(skin_folder)
    rows = pack.rows("train")
    means = pack._arrays["ab"].astype(np.float32)

    def outside(ab: torch.Tensor, photo: int) -> bool:
        """Whether colors are not all between the least and the most of a photo."""
        low, high = means[photo].min((1, 2)), means[photo].max((1, 2))
        values = ab.flatten(1).numpy()
        return bool((values.min(1) < low - 0.1).any() or (values.max(1) > high + 0.1).any())

    photos = rows % len(pack)
    ab, _ = pack.batch(rows)
    assert not any(outside(one[0], photo) for one, photo in zip(ab, photos, strict=True))
    others = sum(outside(one[1], photo) for one, photo in zip(ab, photos, strict=True))
    assert 0 < others < 0.5 * len(rows)
    monkeypatch.setattr(likeness, "OTHER_PHOTO", 0.0)
    ab, _ = pack.batch(rows)
    assert not any(outside(one[1], photo) for one, photo in zip(ab, photos, strict=True))


def test_whole_dev_views_keep_their_lightness_and_degraded_ones_do_not(skin_folder: Path) -> None:
    pack = PairPack(skin_folder)
    plain, old = (
        pack.batch(pack.rows("dev", variant=name))[1] for name in ("whole", "whole_degraded")
    )
    assert (plain.own.lightness - old.own.lightness).abs().mean() > 1
    for pair in (plain, old):
        smaller = torch.nn.functional.avg_pool2d(pair.own_large.lightness, 2)
        torch.testing.assert_close(smaller, pair.own.lightness, atol=0.6, rtol=0.05)


# the likelihood


@torch.no_grad()
def test_the_loss_is_the_likelihood_of_the_mixture(
    skin_folder: Path, with_mean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one cell of the reference at a time, in float64; and its density integrates to 1."""
    pyramid = load_weights(with_mean).pyramid
    objective, pack = LikenessObjective(pyramid), PairPack(skin_folder)
    mixture = likeness._Mixture().eval()
    torch.nn.init.normal_(mixture.head.nothing.weight)
    target, pair = pack.batch(pack.rows("dev", variant="whole")[:2])
    monkeypatch.setattr(likeness, "CELLS", 32 * 32)
    loss = objective.loss(mixture, target, pair, torch.Generator().manual_seed(0))
    refined = pair.refined(pyramid)
    z, nothing = (x.double().numpy() for x in mixture.head(refined.own, refined.own_large))
    other = mixture.head(refined.other, refined.other_large)[0].double().numpy()
    mean = 1.3 * pyramid.predict(refined.own).double().numpy()
    mean = mean.reshape(2, 2, 32, 2, 32, 2).mean((3, 5)).reshape(2, 2, -1)
    own_ab, other_ab = target.double().flatten(3).numpy().transpose(1, 0, 2, 3)
    b, c = np.exp(mixture.log_scales.double().numpy())
    for row in range(2):
        total = 0.0
        for i in range(32 * 32):
            p = np.exp(np.append(z[row, :, i] @ other[row], nothing[row, i]))
            away = np.hypot(*(own_ab[row, :, i, None] - other_ab[row]))
            from_model = np.hypot(*(own_ab[row, :, i] - mean[row, :, i]))
            densities = np.append(_laplace(away, b), _laplace(from_model, c))
            total -= np.log((p / p.sum() * densities).sum()) / 32**2
        assert loss[row].item() == pytest.approx(total, rel=1e-4)
    plane = integrate.dblquad(lambda y, x: _laplace(np.hypot(x, y), b), -80, 80, -80, 80)[0]
    assert plane == pytest.approx(1, abs=1e-3)


def _laplace(away: np.ndarray, scale: float) -> np.ndarray:
    return np.exp(-away / scale) / (2 * np.pi * scale**2)


# weights


def test_the_head_is_exported_and_all_else_stays(
    run: Path, with_mean: Path, tmp_path: Path
) -> None:
    path = tmp_path / "new.safetensors"
    export_likeness(run, path, model=with_mean, say=str)
    old, new = load_weights(with_mean), load_weights(path)
    head = new.pyramid.likeness_head
    assert head is not None
    assert old.pyramid.likeness_head is None
    assert new.training["likeness_head"]["steps"] == 2
    kept = new.pyramid.state_dict()
    for name, tensor in old.pyramid.state_dict().items():
        torch.testing.assert_close(kept[name], tensor, atol=1e-3, rtol=1e-2)
    fresh = likeness._Mixture().head
    assert not torch.equal(head.out.weight, fresh.out.weight)


@pytest.mark.slow
def test_commands(
    skin_folder: Path, with_mean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, file = tmp_path / "run", tmp_path / "new.safetensors"
    settings = ["--minutes", "0.003", "--batch", "2", "--evaluate-every", "1"]
    start = ["--start", str(with_mean)]
    assert main(["train-likeness", str(skin_folder), "-o", str(run), *settings, *start]) == 0
    assert "nats a cell" in capsys.readouterr().out
    assert main(["export-likeness", str(run), str(file), *start]) == 0
    assert file.name in capsys.readouterr().out


def test_what_is_refused(start: Path, skin_folder: Path, with_mean: Path, tmp_path: Path) -> None:
    config, budget = small_training(), Budget(steps=1)
    with pytest.raises(TrainingError, match=r"start\.safetensors: has no mean head"):
        train_likeness(skin_folder, tmp_path, start=start, config=config, budget=budget)
    path = tmp_path / "new.safetensors"
    with pytest.raises(TrainingError, match="colorflow train-likeness PACK -o"):
        export_likeness(tmp_path, path, model=with_mean, say=str)
    assert not path.exists()
