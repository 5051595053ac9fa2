"""What finds skin: its loss, the training of the teacher and of the student, and their files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import torch
from colorflow.training.skin_pack import SkinPack
from torch import Tensor
from torch.nn import functional as F

from colorflow.color.grid import to_grid
from colorflow.errors import TrainingError
from colorflow.model.condition import Condition
from colorflow.model.heads import SkinHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_tensors, load_weights, read_header
from colorflow.training.parts import Recipe, export_part, train_part
from colorflow.training.schedule import Budget
from colorflow.training.skin import (
    RARITY,
    SKIN,
    TEACHER,
    TEACHER_FORMAT,
    SkinObjective,
    tones_of_photos,
)
from data_prep import teacher as teacher_module
from data_prep.teacher import Teacher
from tests.training.conftest import CheapFeatures, small_training
from tests.training.made_up_pixels import TRAIN
from tests.training.runs import raw_state

NOISE = torch.Generator()


def trained(recipe: Recipe, pack: Path, run: Path, start: Path | None = None) -> None:
    """Two steps."""
    config, budget = small_training(batch=4, dev_photos=2), Budget(steps=2)
    train_part(recipe, recipe.name, pack, run, start=start, config=config, budget=budget, say=str)


def random_head(*, sees_color: bool = False) -> SkinHead:
    torch.manual_seed(3)
    head = SkinHead(sees_color=sees_color).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        head.out.weight.mul_(0.05)
        head.out.bias[0] = 0.4  # as likely skin as not
    return head


def pyramid_of(path: Path) -> ChromaPyramid:
    return load_weights(path).pyramid


# the loss


@pytest.mark.parametrize("name", ["teacher", "skin"])
@torch.no_grad()
def test_the_loss_is_that_of_where_skin_is_and_of_its_chroma(
    name: str, skin_folder: Path, start: Path
) -> None:
    """The teacher learns no chroma; where marks do not count, nobody learns anything."""
    is_teacher = name == "teacher"
    pyramid = None if is_teacher else pyramid_of(start)
    pack, objective = SkinPack(skin_folder, in_color=is_teacher), SkinObjective(pyramid)
    assert (objective.name, objective.folder) == (name, name)
    assert objective.maps == ((8, 16, 32, 64) if is_teacher else (32, 64))
    target, condition = pack.batch(pack.rows("dev")[:3], objective.maps)
    head = random_head(sees_color=is_teacher)
    objective.fit(head, target, condition, NOISE)
    found = objective.loss(head, target, condition, NOISE)
    seen = condition if pyramid is None else pyramid.refine(condition)
    log_odds, chroma = (x.double().numpy() for x in head(seen))
    share, weight, *ab = target.double().numpy().transpose(1, 0, 2, 3)
    odds = 1 / (1 + np.exp(-log_odds[:, 0]))
    nats = RARITY * share * np.log(odds) + (1 - share) * np.log1p(-odds)
    want = -(weight * nats).mean((1, 2))
    sure = weight * share * (share > 0.6)
    error = (sure[:, None] * (chroma - np.stack(ab, 1)) ** 2).mean((1, 2, 3)) / 25
    assert error.min() > 0.01
    np.testing.assert_allclose(found, want if is_teacher else want + error, rtol=1e-4)
    unsure = target.clone()
    unsure[:, 1] = 0
    assert objective.loss(head, unsure, condition, NOISE).abs().max() == 0


@torch.no_grad()
def test_tones_are_those_of_complex_numbers(
    skin_folder: Path, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos whose skin is the head's mean, stronger and turned, and one with little skin."""
    pack, objective, head = SkinPack(skin_folder), SkinObjective(pyramid_of(start)), random_head()
    rows, read = pack.rows("train", variant="whole"), pack.batch
    given = {row: complex(0.5 + 0.1 * i, 0.1 * i - 0.4) for i, row in enumerate(rows)}

    def recolored(some: np.ndarray, maps: tuple[int, ...]) -> tuple[Tensor, Condition]:
        target, condition = read(some, maps)
        _, mean = objective.found(head, condition)
        for one, own, row in zip(target, mean, some, strict=True):
            chroma = torch.complex(*own) * given[row]
            one[2:] = torch.stack([chroma.real, chroma.imag])
            if row == rows[0]:
                one[0] = 0
                one[0, 0, :59] = one[1, 0, :59] = 1
        return target, condition

    monkeypatch.setattr(pack, "batch", recolored)
    tones = tones_of_photos(head, pack, objective, rows).numpy()
    want = [[np.log(abs(z)), np.angle(z)] for row, z in given.items() if row != rows[0]]
    assert len(tones) == TRAIN - 1
    np.testing.assert_allclose(np.sort(tones, 0), np.sort(want, 0), atol=1e-3)
    found = {tuple(np.round(tone, 2)) for tone in tones}
    assert found == {tuple(np.round(np.float32(tone), 2)) for tone in want}


# training


@pytest.mark.slow
def test_a_teacher_marks_skin(
    skin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, path = tmp_path / "run", tmp_path / "teacher.safetensors"
    trained(TEACHER, skin_folder, run)
    export_part([SKIN, TEACHER], run, path, say=str)
    head = SkinHead(sees_color=True)
    load_tensors(read_header(path, TEACHER_FORMAT), head)
    best = raw_state(run, "teacher")["best"]
    torch.testing.assert_close(head.out.weight, best["out.weight"], rtol=2e-3, atol=2e-3)
    rgb = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    monkeypatch.setattr(teacher_module, "Features", CheapFeatures)
    teacher = Teacher(path)
    likely = teacher(rgb)
    assert likely.shape == (96, 96)
    assert ((likely > 0) & (likely < 1)).all()
    # As a pack shows a photo in color to the head.
    lab = skimage.color.rgb2lab(rgb)
    lightness = torch.from_numpy(lab[..., 0]).float()[None, None]
    planes = torch.cat([torch.ones(1, 1, 64, 64), torch.from_numpy(to_grid(rgb))[None]], 1)
    seen = torch.from_numpy(rgb).permute(2, 0, 1)[None] / 2.55
    own = Condition(
        lightness=F.avg_pool2d(lightness, 2), features=CheapFeatures()(seen), planes=planes
    )
    with torch.no_grad():
        whole = head.eval()(own)[0].sigmoid()
    least = F.interpolate(whole, (96, 96), mode="bilinear")[0, 0].numpy()
    assert (likely > least - 0.02).all(), "the whole photo votes, and crops add"
    assert likely.mean() > least.mean() + 1e-4


@pytest.mark.slow
def test_a_pack_with_too_little_skin_tells_no_tones(
    start: Path, skin_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    trained(SKIN, skin_folder, run, start)
    pack = shutil.copytree(skin_folder, tmp_path / "pack")
    np.save(pack / "skin.npy", np.zeros_like(np.load(pack / "skin.npy")))
    path = tmp_path / "new.safetensors"
    with pytest.raises(TrainingError, match=f"{pack}: .*skin"):
        export_part([SKIN], run, path, start=start, pack_folder=pack, say=str)
    assert not path.exists()
    assert json.loads((pack / "skin.json").read_text())["filled"] > 0
