"""Training of what repair does: it learns, resumes, and exports."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from colorflow.errors import TrainingError
from colorflow.repair import prints as prints_module
from colorflow.repair import train as train_module
from colorflow.repair.model import FillModel, load_repair_weights, save_repair_weights
from colorflow.repair.network import Finder, MeanFill
from colorflow.repair.prints import SIDE, VIEW_SIDE, WornPrints
from colorflow.repair.repairer import Repairer
from colorflow.repair.train import FILL, FINDER, MEAN, PARTS, REPAIR
from colorflow.training import trainer as trainer_module
from colorflow.training.export import export_part
from colorflow.training.trainer import Budget, TrainConfig, Trainer, Training, train_part
from data_prep.kinds import print_squares_of
from tests.enlarge.made_up_patches import DEV, pictures
from tests.repair.conftest import FILL_SHAPE, SHAPE
from tests.training.made_up_pixels import write_pack

pytestmark = pytest.mark.slow

CONFIG = TrainConfig(batch=4, peak_rate=0.003, evaluate_every=4, dev_photos=8, autocast=False)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small ones, one thread, and malloc as other tests expect it."""
    monkeypatch.setattr(prints_module, "VIEW_SIDE", 96)
    monkeypatch.setattr(train_module, "FINDER_SHAPE", SHAPE)
    monkeypatch.setattr(train_module, "FILL_SHAPE", FILL_SHAPE)
    monkeypatch.setattr(trainer_module, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(trainer_module, "WARM_UP_STEPS", 2)
    monkeypatch.setattr(trainer_module, "FIT_ROWS", 16)  # each is worn anew for every evaluation
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two dev photos, then four training photos; two squares each."""
    folder = tmp_path_factory.mktemp("prints")
    rng = np.random.default_rng(0)
    parts = zip(*(print_squares_of(picture, rng) for picture in pictures()), strict=True)
    squares, marks = map(np.stack, parts)
    write_prints(folder, squares, marks)
    return folder


def write_prints(folder: Path, squares: np.ndarray, marks: np.ndarray) -> None:
    arrays = {"squares": squares, "marks": marks}
    write_pack(folder, "prints", arrays, DEV, [300] * len(squares), version=2)


@pytest.fixture
def marked(pack: Path, tmp_path: Path) -> Path:
    """The pack, but a training photo is an old print: white where it is marked as damaged."""
    folder = tmp_path / "marked"
    folder.mkdir()
    squares, marks = (np.load(pack / f"{name}.npy") for name in ("squares", "marks"))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    marks[3] = prints_module.SOUND
    marks[3][:, (rows - 2 * columns) % 100 < 24] = prints_module.DAMAGED
    marks[3][:, rows % 80 < 6] = prints_module.UNSURE
    squares[3] = np.choose(marks[3], [0, 60, 250, 150])
    write_prints(folder, squares, marks)
    return folder


def losses(part: Path) -> list[float]:
    with (part / "curve.csv").open(encoding="utf-8") as file:
        return [float(row["dev_nats"]) for row in csv.DictReader(file)]


def test_rows_are_worn_in_one_way(pack: Path) -> None:
    prints = WornPrints(pack, masked=False)
    rows = prints.rows("train")[::9][:12]
    target, planes = prints.batch(rows)
    again, same = WornPrints(pack, masked=False).batch(rows[::-1].copy())
    assert torch.equal(target, again.flip(0))
    assert torch.equal(planes, same.flip(0))
    worn, damage, mask, guess = planes.unbind(1)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert damage.min() == 0
    assert damage.max() == 1
    assert (mask >= damage).all()
    assert torch.equal(guess[mask == 0], worn[mask == 0])
    outside = (worn - target[:, 0])[mask == 0].abs()
    assert outside.mean() < 1


@pytest.mark.parametrize("name", [FINDER, MEAN, FILL])
def test_what_fills_has_something_to_fill_in_every_row(
    pack: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a finder sees undamaged rows, too."""
    monkeypatch.setattr(Training, "load", lambda *_: {})
    rows_of = REPAIR.trainer(name, pack, tmp_path, None, CONFIG).dataset
    rows = np.concatenate([rows_of.rows("train")[::20], rows_of.rows("dev")])
    _, planes = rows_of.batch(rows, ())
    share = float(planes[:, 2].flatten(1).any(1).float().mean())
    assert share == 1 if name != FINDER else 0.55 < share < 0.95
    assert rows_of.digest.endswith("-masked") == (name != FINDER)


def test_views_are_parts_of_squares(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are, if nothing is worn; other rows are other views, and hard squares have more."""
    monkeypatch.setattr(prints_module, "VIEW_SIDE", VIEW_SIDE)
    monkeypatch.setattr(prints_module, "wear", lambda x, rng, *_: (x, x, np.zeros_like(x)))
    prints, squares = WornPrints(pack, masked=False), np.load(pack / "squares.npy")
    rows, same = prints.rows("train"), 0
    assert len(np.unique(rows)) == len(rows)
    assert set(rows % 12) == set(range(4, 12))
    counts = np.bincount(rows % 12)[4:]
    assert sorted(set(counts)) == [prints_module.VIEWS, 3 * prints_module.VIEWS]
    assert (
        prints.rows("dev").tolist() == prints.rows("dev", variant="whole").tolist() == [*range(4)]
    )
    assert not len(prints.rows("dev", variant="whole_degraded"))
    assert not len(prints.rows("dev", larger_than=SIDE + 1))
    for row in rows[rows % 12 == 5][:12]:
        view = prints.batch(np.array([row]))[0][0, 0].numpy()
        assert view.shape == (VIEW_SIDE, VIEW_SIDE)
        whole = squares[2, 1].astype(np.float32) / np.float32(2.55)
        turns = [np.rot90(side, n) for side in (whole, whole[:, ::-1]) for n in range(4)]
        part = view[60:180, 60:180].copy()
        found = [cv2.matchTemplate(x.copy(), part, cv2.TM_SQDIFF).min() / part.size for x in turns]
        same += min(found) < 1e-3
    assert 4 <= same < 12, "about two of three are at the size of the square"


def test_a_quarter_of_the_rows_are_marked_prints_as_they_are(marked: Path) -> None:
    """Their views show the damage where its marks are, and what is unsure counts for nothing."""
    prints = WornPrints(marked, masked=False)
    rows = prints.rows("train")
    assert len(np.unique(rows)) == len(rows)
    old = rows[np.isin(rows % 12, (6, 7))]
    assert len(old) / len(rows) == pytest.approx(0.25, abs=0.01)
    _, planes = prints.batch(old[:24])
    worn, plain = planes[:, 0], planes[:, 1]
    damaged, sound, unsure = plain > 0.99, plain < 0.01, (plain - 0.5).abs() < 0.01
    for found, value in ((damaged, 250), (sound, 60), (unsure, 150)):
        assert found.float().mean() > 0.02
        assert float(worn[found].median()) == pytest.approx(value / 2.55, abs=2)
    assert float((worn[damaged] > 80).float().mean()) > 0.95
    assert float((worn[sound] < 45).float().mean()) > 0.95
    filling = WornPrints(marked, masked=True)
    assert not np.isin(filling.rows("train") % 12, (6, 7)).any()
    assert prints.digest != filling.digest


def test_marked_damage_is_laid_over_other_squares(
    marked: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a fifth of them, for a finder, as it is or turned around; many others are sharp."""
    laid: list[tuple[np.ndarray, np.ndarray] | None] = []
    calls: list[str] = []

    def wear(x: np.ndarray, rng: object, unworn: float, damage: Any = None) -> tuple[Any, ...]:
        laid.append(damage)
        calls.append("wear")
        return x, x, np.ones_like(x)

    def scratch(x: np.ndarray, rng: object) -> tuple[Any, ...]:
        calls.append("scratch")
        return x, x, np.zeros_like(x)

    monkeypatch.setattr(prints_module, "wear", wear)
    monkeypatch.setattr(prints_module, "scratch", scratch)
    for folder, masked, share, sharp in (
        (marked, False, 0.2, 0.36),
        (marked, True, 0.0, 0.0),
        (pack, False, 0.0, 0.45),
    ):
        laid.clear()
        calls.clear()
        prints = WornPrints(folder, masked=masked)
        rows = prints.rows("train")
        prints.batch(rows[~np.isin(rows % 12, (6, 7))][::7][:200])
        damage = [one for one in laid if one is not None]
        assert len(damage) / len(calls) == pytest.approx(share, abs=0.1)
        assert calls.count("scratch") / len(calls) == pytest.approx(sharp, abs=0.12 if sharp else 0)
        assert not share or damage
        for covers, value in damage:
            assert 0 <= covers.min() <= covers.max() <= 1.0001
            tones = value[covers > 0.65]
            assert abs(float(np.median(np.maximum(tones, 100 - tones))) - 98) < 2


def trainer_of(module: nn.Module, name: str, pack: Path) -> Trainer:
    return Trainer(module, PARTS[name][0], WornPrints(pack, masked=name != FINDER), CONFIG)


@pytest.mark.parametrize("name", [FINDER, MEAN])
def test_averaged_weights_are_evaluated_with_statistics_of_their_own(pack: Path, name: str) -> None:
    """By their definition: mean and variance of what comes into each normalization."""
    torch.manual_seed(0)
    module = Finder(SHAPE) if name == FINDER else MeanFill(SHAPE)
    trainer = trainer_of(module, name, pack)
    trainer.train(Budget(steps=6), 6)
    norms = [x for x in trainer.ema.modules() if isinstance(x, nn.BatchNorm2d)]
    came: dict[nn.Module, list[Tensor]] = {norm: [] for norm in norms}

    def note(norm: nn.Module, given: tuple[Tensor]) -> None:
        if norm.training:
            came[norm].append(given[0])

    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    trainer.keep_if_best(trainer.evaluate())
    assert len(norms) == 6
    for norm, hook in zip(norms, hooks, strict=True):
        hook.remove()
        seen = torch.cat(came[norm])
        assert len(seen) == 16
        torch.testing.assert_close(norm.running_mean, seen.mean((0, 2, 3)))
        torch.testing.assert_close(norm.running_var, seen.var((0, 2, 3)), rtol=0.5, atol=0)
    raw = trainer.module.state_dict()
    kept = {key: x for key, x in trainer.best.items() if "running" in key}
    assert not any(torch.allclose(x, raw[key], rtol=1e-3) for key, x in kept.items())
    assert not any(module.training for module in trainer.ema.modules())
    assert trainer.evaluate() == trainer.best_dev


def test_a_mean_that_is_fixed_keeps_its_statistics(pack: Path) -> None:
    """The flow learns beside it."""
    trainer = trainer_of(FillModel(FILL_SHAPE), FILL, pack)
    before = {key: x.clone() for key, x in trainer.ema.mean.state_dict().items()}
    trainer.evaluate()
    assert all(torch.equal(x, before[key]) for key, x in trainer.ema.mean.state_dict().items())


def test_it_learns_and_resumes_and_exports(pack: Path, tmp_path: Path) -> None:
    run, weights = tmp_path / "run", tmp_path / "repair.safetensors"

    def train(name: str, steps: int, folder: Path = run) -> list[float]:
        train_part(REPAIR, name, pack, folder, config=CONFIG, budget=Budget(steps=steps), say=str)
        return losses(folder / name)

    with pytest.raises(TrainingError, match="--part repair-mean"):
        train(FILL, 4)
    for name in (FINDER, MEAN, FILL):
        train(name, 8)
        curve = train(name, 16)
        assert len(curve) == 4
        assert np.isfinite(curve).all()
        assert min(curve[1:]) < curve[0] or name == FINDER  # begins with the share of damage
    said: list[str] = []
    export_part([REPAIR], run, weights, say=said.append)
    loaded = load_repair_weights(weights)
    assert loaded.training[FILL]["steps"] == 16
    assert str(weights) in said[-1]
    assert np.isfinite(loaded.fill.mean.out.weight.numpy()).all()

    other, mixed = tmp_path / "other", tmp_path / "mixed.safetensors"
    train(FINDER, 3, other)
    with pytest.raises(TrainingError, match="mean has no evaluated weights"):
        export_part([REPAIR], other, mixed)
    export_part([REPAIR], other, mixed, start=weights, say=str)
    both = load_repair_weights(mixed)
    assert [both.training[part]["steps"] for part in (FINDER, MEAN, FILL)] == [3, 16, 16]
    kept, new = both.fill.mean.out.weight, both.finder.out.weight
    assert torch.equal(kept, loaded.fill.mean.out.weight)
    assert not torch.equal(new, loaded.finder.out.weight)


def test_it_goes_on_from_a_weights_file(
    pack: Path, tmp_path: Path, fill_model: FillModel, repairer: Repairer
) -> None:
    """A part from that of its name, and the flow beside the mean of the file or of the run."""
    weights, still = tmp_path / "start.safetensors", replace(CONFIG, peak_rate=1e-9)
    save_repair_weights(weights, repairer.weights.finder, fill_model, {})
    started = load_repair_weights(weights)
    for name in (FINDER, FILL, MEAN):
        folder = tmp_path / name
        args = (REPAIR, name, pack, folder)
        train_part(*args, start=weights, config=still, budget=Budget(steps=1), say=str)
        module = PARTS[name][1]()
        REPAIR.load(folder, name, module)
        expected = {FINDER: started.finder, MEAN: started.fill.mean, FILL: started.fill}[name]
        for key, one in expected.named_parameters():
            torch.testing.assert_close(module.get_parameter(key), one, rtol=0, atol=1e-6)
