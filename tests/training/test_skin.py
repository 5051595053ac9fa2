"""What finds skin: its loss, the training of the teacher and of the student, and their files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.cli import main
from colorflow.color.grid import to_grid
from colorflow.errors import TrainingError
from colorflow.model.condition import Condition
from colorflow.model.heads import SkinHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_tensors, load_weights, read_header
from colorflow.training import export as export_module
from colorflow.training import skin
from colorflow.training.export import export
from colorflow.training.schedule import Budget
from colorflow.training.skin import (
    RARITY,
    STUDENT,
    TEACHER,
    TEACHER_FORMAT,
    SkinObjective,
    Teacher,
    export_skin,
    export_teacher,
    tones_of_photos,
    train_skin,
)
from colorflow.training.skin_pack import SkinPack
from tests.training.conftest import CheapFeatures, small_training
from tests.training.made_up_pixels import TRAIN
from tests.training.runs import Train, raw_state

NOISE = torch.Generator()
Go = Callable[..., list[str]]


@pytest.fixture(scope="module")
def go_skin(_small_and_cheap: None, skin_folder: Path) -> Go:
    """Trains two steps; what it says."""

    def go(name: str, folder: Path, start: Path | None = None) -> list[str]:
        said: list[str] = []
        config, budget = small_training(batch=4, dev_photos=2), Budget(steps=2)
        options = {"start": start, "config": config, "budget": budget}
        train_skin(name, skin_folder, folder, say=said.append, **options)  # type: ignore[arg-type]
        return said

    return go


@pytest.fixture(scope="module")
def student_run(go_skin: Go, start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read it only."""
    folder = tmp_path_factory.mktemp("student")
    assert "nats a cell" in go_skin(STUDENT, folder, start)[0]
    return folder


@pytest.fixture(scope="module")
def teacher_run(go_skin: Go, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read it only."""
    folder = tmp_path_factory.mktemp("teacher")
    assert "nats a cell" in go_skin(TEACHER, folder)[0]
    return folder


@pytest.fixture(scope="module")
def exported(
    student_run: Path, start: Path, skin_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The weights with the student."""
    path = tmp_path_factory.mktemp("exported") / "with_skin.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(skin, "LEAST_CELLS", 1)
        export_skin(student_run, path, model=start, pack_folder=skin_folder, say=str)
    return path


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


@pytest.mark.parametrize("name", [TEACHER, STUDENT])
@torch.no_grad()
def test_the_loss_is_that_of_where_skin_is_and_of_its_chroma(
    name: str, skin_folder: Path, start: Path
) -> None:
    """The teacher learns no chroma; where marks do not count, nobody learns anything."""
    is_teacher = name == TEACHER
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
def test_export_puts_the_student_into_the_file(
    exported: Path, student_run: Path, start: Path
) -> None:
    before, after = load_weights(start), load_weights(exported)
    best = raw_state(student_run, STUDENT)["best"]
    head = after.pyramid.skin_head
    assert head is not None
    state = head.state_dict()
    for name in best.keys() - {"tone_mean", "tone_factor"}:
        torch.testing.assert_close(state[name], best[name], rtol=2e-3, atol=2e-3)  # float16
    assert head.tone_mean.abs().max() > 0
    assert head.tone_factor[0, 1] == 0
    assert (head.tone_factor.diag() > 0).all()
    assert not torch.equal(head.tone_factor, torch.eye(2))
    others = {k: x for k, x in after.pyramid.state_dict().items() if not k.startswith("skin_head")}
    assert others.keys() == before.pyramid.state_dict().keys()
    for name, value in before.pyramid.state_dict().items():
        torch.testing.assert_close(others[name], value, rtol=2e-3, atol=2e-3)
    for field in ("temperatures", "interval_factors", "gain"):
        assert getattr(after, field) == getattr(before, field)
    assert after.training["skin_head"]["steps"] == 2
    assert 2 < after.training["skin_head"]["photos_with_skin"] <= TRAIN


@pytest.mark.slow
@pytest.mark.parametrize(("levels", "is_kept"), [((32,), True), ((4, 8), False)])
def test_levels_that_are_trained_later_keep_the_head_unless_they_train_late_blocks(
    go: Train, exported: Path, start: Path, pack_folder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, levels: tuple[int, ...], is_kept: bool,
) -> None:  # fmt: skip
    """Those of a run that began with the head, and of one that began without."""
    measured = {"bits_per_dim": {"all": 1.0}, "calibrate": {}}
    for name, value in measured.items():
        monkeypatch.setattr(export_module, name, lambda *_, value=value, **__: value)
    for origin in (exported, start):
        run, path = tmp_path / origin.stem, tmp_path / f"{origin.stem}.safetensors"
        go(run, steps=1, levels=levels, start=origin)
        options = {"pack_folder": pack_folder, "temperatures": (0.5,) * 5, "gain": 1.0, "say": str}
        export(run, path, fallback=exported, **options)  # type: ignore[arg-type]
        kept, old = pyramid_of(path).skin_head, pyramid_of(exported).skin_head
        assert old is not None
        if not is_kept:
            assert kept is None
            continue
        assert kept is not None
        for name, value in old.state_dict().items():
            torch.testing.assert_close(kept.state_dict()[name], value, rtol=2e-3, atol=2e-3)


@pytest.mark.slow
def test_a_teacher_marks_skin(teacher_run: Path, skin_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "teacher.safetensors"
    export_teacher(teacher_run, path, say=str)
    head = SkinHead(sees_color=True)
    load_tensors(read_header(path, TEACHER_FORMAT), head)
    best = raw_state(teacher_run, TEACHER)["best"]
    torch.testing.assert_close(head.out.weight, best["out.weight"], rtol=2e-3, atol=2e-3)
    rgb = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
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
def test_commands(
    skin_folder: Path, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(skin, "LEAST_CELLS", 1)
    settings = ["--minutes", "0.003", "--batch", "4", "--evaluate-every", "1"]
    for name, given in ((TEACHER, []), (STUDENT, ["--start", str(start)])):
        run, file = tmp_path / name, tmp_path / f"{name}.safetensors"
        assert main(["train-skin", name, str(skin_folder), "-o", str(run), *settings, *given]) == 0
        assert "nats a cell" in capsys.readouterr().out
        pack = ["--pack", str(skin_folder)] if given else []
        assert main(["export-skin", str(run), str(file), *given, *pack]) == 0
        assert file.name in capsys.readouterr().out
    assert pyramid_of(tmp_path / "student.safetensors").skin_head is not None
    assert Teacher(tmp_path / "teacher.safetensors")


# what is refused


def test_a_student_needs_a_model(skin_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="name its weights file with --start"):
        train_skin(STUDENT, skin_folder, tmp_path, config=small_training(), budget=Budget(steps=1))
    assert not list(tmp_path.iterdir())


def test_a_student_is_exported_with_its_pack(
    start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["export-skin", str(tmp_path), str(tmp_path / "new.safetensors")]
    assert main([*command, "--start", str(start)]) == 2
    assert "expected --pack beside --start" in capsys.readouterr().err


def test_a_run_without_weights(skin_folder: Path, start: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.safetensors"
    with pytest.raises(TrainingError, match="colorflow train-skin teacher PACK -o"):
        export_teacher(tmp_path, path, say=str)
    with pytest.raises(TrainingError, match="colorflow train-skin student PACK -o"):
        export_skin(tmp_path, path, model=start, pack_folder=skin_folder, say=str)
    assert not path.exists()


@pytest.mark.slow
def test_a_pack_with_too_little_skin_tells_no_tones(
    student_run: Path, start: Path, skin_folder: Path, tmp_path: Path
) -> None:
    pack = shutil.copytree(skin_folder, tmp_path / "pack")
    np.save(pack / "skin.npy", np.zeros_like(np.load(pack / "skin.npy")))
    path = tmp_path / "new.safetensors"
    with pytest.raises(TrainingError, match=f"{pack}: .*skin"):
        export_skin(student_run, path, model=start, pack_folder=pack, say=str)
    assert not path.exists()
    assert json.loads((pack / "skin.json").read_text())["filled"] > 0
