"""What the heads learn: the mean's error, pairs of views, and the likelihood of a mixture."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import integrate

from colorflow.errors import TrainingError
from colorflow.model.heads import MeanHead
from colorflow.model.weights import load_weights
from colorflow.training import heads, large_pack
from colorflow.training.heads import LikenessLoss, MeanHeadLoss
from colorflow.training.large_pack import LargePack, PairPack


def test_the_loss_of_the_mean_is_its_error(large_folder: Path, start: Path) -> None:
    pyramid, pack = load_weights(start).pyramid, LargePack(large_folder)
    ab, condition = pack.batch(pack.rows("dev"))
    criterion, head = MeanHeadLoss(pyramid), MeanHead().eval()
    assert criterion.maps == (32, 64)
    assert condition.lightness.shape[2:] == (192, 192)
    assert ab.shape[1:] == (2, 64, 64)
    criterion.fit(head, ab, condition, torch.Generator())
    torch.nn.init.normal_(head.fine_ab.weight, std=0.1)
    with torch.no_grad():
        found = criterion(head, ab, condition, torch.Generator())
        means = head(condition.refined_by(pyramid.late_blocks))  # type: ignore[arg-type]
    for own, mean, loss in zip(ab, means, found, strict=True):
        assert float(loss) == pytest.approx(float((mean - own).square().mean()), rel=1e-4)
    assert means.std() > 0.1


@torch.no_grad()
def test_the_gain_gives_two_thirds_of_the_contrast_of_dev_photos(
    large_folder: Path, start: Path
) -> None:
    pyramid, pack = load_weights(start).pyramid, LargePack(large_folder)
    head = MeanHead().eval()
    ab, condition = pack.batch(pack.rows("dev", variant="whole"), (32, 64))
    head.fit(pyramid.refine(condition))
    torch.nn.init.normal_(head.coarse_ab.weight, std=0.005)
    told = heads._with_gain(head, pyramid, large_folder)
    mean = head(pyramid.refine(condition))
    photos, means = (
        (x - x.mean((2, 3), keepdim=True)).norm(dim=1).mean().item() for x in (ab, mean)
    )
    assert told["gain"] == pytest.approx(0.67 * photos / means, rel=1e-3)
    torch.nn.init.normal_(head.coarse_ab.weight, std=50.0)
    assert heads._with_gain(head, pyramid, large_folder) == {"gain": 1.0}, "never paler"


def test_a_pack_without_dev_photos_tells_no_gain(
    large_folder: Path, start: Path, tmp_path: Path
) -> None:
    pack = shutil.copytree(large_folder, tmp_path / "pack")
    table = pack / "photos.csv"
    table.write_text(table.read_text().replace(",dev,", ",train,"))
    with pytest.raises(TrainingError, match=f"{pack}: holds out no photos"):
        heads._with_gain(MeanHead(), load_weights(start).pyramid, pack)


# pairs


def test_views_of_one_photo_have_its_colors_and_some_references_are_other_photos(
    large_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = PairPack(large_folder)
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
    monkeypatch.setattr(large_pack, "OTHER_PHOTO", 0.0)
    ab, _ = pack.batch(rows)
    assert not any(outside(one[1], photo) for one, photo in zip(ab, photos, strict=True))


def test_whole_dev_views_keep_their_lightness_and_degraded_ones_do_not(large_folder: Path) -> None:
    pack = PairPack(large_folder)
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
    large_folder: Path, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one cell of the reference at a time, in float64; and its density integrates to 1."""
    pyramid = load_weights(start).pyramid
    criterion, pack = LikenessLoss(pyramid), PairPack(large_folder)
    mixture = heads._Mixture().eval()
    torch.nn.init.normal_(mixture.head.nothing.weight)
    target, pair = pack.batch(pack.rows("dev", variant="whole")[:2])
    monkeypatch.setattr(heads, "CELLS", 32 * 32)
    loss = criterion(mixture, target, pair, torch.Generator().manual_seed(0))
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
