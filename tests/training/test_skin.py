"""What finds skin: its loss, what tells its tones, and its training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.errors import TrainingError
from colorflow.model.condition import Condition
from colorflow.model.heads import SkinHead
from colorflow.model.segmentation import EVERY
from colorflow.model.weights import load_weights
from colorflow.training.export import export_part
from colorflow.training.heads import (
    RARITY,
    SKIN,
    SkinLoss,
    tones_of_photos,
)
from colorflow.training.large_pack import LabeledPack
from tests.training.made_up_pixels import TRAIN
from tests.training.runs import trained

NOISE = torch.Generator()


def random_head() -> SkinHead:
    torch.manual_seed(3)
    head = SkinHead().eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        head.out.weight.mul_(0.05)
        head.out.bias[0] = 0.4  # as likely skin as not
    return head


# the loss


@torch.no_grad()
def test_the_loss_is_that_of_where_skin_is_and_of_its_chroma(
    large_folder: Path, start: Path
) -> None:
    """Where it is open whether there is skin, nobody learns anything."""
    pyramid = load_weights(start).pyramid
    pack, criterion = LabeledPack(large_folder), SkinLoss(pyramid)
    assert (criterion.name, criterion.folder) == ("skin", "skin")
    assert criterion.maps == (32, 64)
    target, condition = pack.batch(pack.rows("dev")[:3], criterion.maps)
    head = random_head()
    criterion.fit(head, target, condition, NOISE)
    found = criterion(head, target, condition, NOISE)
    log_odds, chroma = (x.double().numpy() for x in head(pyramid.refine(condition)))
    labels = target[:, 0].long().numpy()
    is_known = (labels == 1) | ((labels % 2 == 0) & (labels > 0))
    skin, known, a, b = (
        x.reshape(3, 96, 2, 96, 2).mean((2, 4))
        for x in (labels == 1, is_known, *target[:, 2:].double().numpy().transpose(1, 0, 2, 3))
    )
    share, weight, ab = skin / np.maximum(known, 1e-3), known > 0.9, (a, b)
    assert 0.1 < weight.mean() < 0.9
    odds = 1 / (1 + np.exp(-log_odds[:, 0]))
    nats = RARITY * share * np.log(odds) + (1 - share) * np.log1p(-odds)
    want = -(weight * nats).mean((1, 2))
    sure = weight * share * (share > 0.6)
    error = (sure[:, None] * (chroma - np.stack(ab, 1)) ** 2).mean((1, 2, 3)) / 25
    assert error.min() > 0.01
    np.testing.assert_allclose(found, want + error, rtol=1e-4)
    for open_ in (0, EVERY, 3):
        unsure = target.clone()
        unsure[:, 0] = open_
        assert criterion(head, unsure, condition, NOISE).abs().max() == 0


@torch.no_grad()
def test_tones_are_those_of_complex_numbers(
    large_folder: Path, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos whose skin is the head's mean, stronger and turned, and one with little skin."""
    pack, pyramid, head = LabeledPack(large_folder), load_weights(start).pyramid, random_head()
    rows, read = pack.rows("train", variant="whole"), pack.batch
    given = {row: complex(0.5 + 0.1 * i, 0.1 * i - 0.4) for i, row in enumerate(rows)}

    def recolored(some: np.ndarray, maps: tuple[int, ...]) -> tuple[Tensor, Condition]:
        target, condition = read(some, maps)
        _, mean = head(pyramid.refine(condition))
        for one, own, row in zip(target, mean, some, strict=True):
            chroma = torch.complex(*own) * given[row]
            doubled = torch.stack([chroma.real, chroma.imag]).repeat_interleave(2, 1)
            one[2:] = doubled.repeat_interleave(2, 2)
            cells = torch.full((96 * 96,), 2.0)
            cells[: 129 if row == rows[0] else 130] = 1
            one[0] = cells.view(96, 96).repeat_interleave(2, 0).repeat_interleave(2, 1)
        return target, condition

    monkeypatch.setattr(pack, "batch", recolored)
    tones = tones_of_photos(head, pack, pyramid, rows).numpy()
    want = [[np.log(abs(z)), np.angle(z)] for row, z in given.items() if row != rows[0]]
    assert len(tones) == TRAIN - 1
    np.testing.assert_allclose(np.sort(tones, 0), np.sort(want, 0), atol=1e-3)
    found = {tuple(np.round(tone, 2)) for tone in tones}
    assert found == {tuple(np.round(np.float32(tone), 2)) for tone in want}


# training


@pytest.mark.slow
def test_a_pack_with_too_little_skin_tells_no_tones(
    start: Path, large_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    trained(SKIN, large_folder, run, start)
    pack = shutil.copytree(large_folder, tmp_path / "pack")
    np.save(pack / "labels.npy", np.zeros_like(np.load(pack / "labels.npy")))
    path = tmp_path / "new.safetensors"
    with pytest.raises(TrainingError, match=f"{pack}: .*skin"):
        export_part([SKIN], run, path, start=start, pack_folder=pack, say=str)
    assert not path.exists()
    assert json.loads((pack / "large.json").read_text())["filled"] > 0
