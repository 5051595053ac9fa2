"""Training of one level: it learns, averages, skips what is not finite, and repeats to the bit."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.errors import TrainingError
from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training import trainer as trainer_module
from colorflow.training.levels import JointLoss, JointModule
from colorflow.training.pixels import PixelPack
from colorflow.training.trainer import PRETRAINED_SHARE, Budget, Trainer

MakeTrainer = Callable[..., Trainer]
LONG = Budget(steps=10_000)


def same(first: Any, second: Any) -> bool:
    """Equal to the bit, in nested states."""
    if isinstance(first, Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)


def without_clock(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name != "seconds"}


def finite(module: torch.nn.Module) -> bool:
    return all(bool(x.isfinite().all()) for x in module.state_dict().values())


# learning


@pytest.mark.parametrize(
    ("index", "numbers", "gain"),
    [(0, 32, 5), (3, 1536, 50)],
)
def test_it_learns_photos_by_heart(
    index: int,
    numbers: int,
    gain: float,
    make_trainer: MakeTrainer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In nats a photo; but no density beats the entropy of the unit noise on its numbers."""
    monkeypatch.setattr(trainer_module, "WARM_UP_STEPS", 10)
    trainer = make_trainer(index)
    before = loss_on_training_photos(trainer)
    first, _, last = (trainer.train(LONG, step) for step in (5, 35, 45))
    assert (trainer.step, trainer.skipped) == (45, 0)
    entropy = numbers / 2 * math.log(2 * math.pi * math.e)
    assert 0.99 * entropy < last < first - gain / 4, "with dropout, the mean of ten steps"
    assert loss_on_training_photos(trainer) < before - gain


@torch.no_grad()
def loss_on_training_photos(trainer: Trainer) -> float:
    rows = trainer.dataset.rows("train", variant="whole", larger_than=128)
    batch = trainer.dataset.batch(rows, trainer.loss.maps)
    noise = torch.Generator().manual_seed(1)
    return float(trainer.loss(trainer.ema.eval(), *batch, noise).mean())


def test_pretrained_blocks_learn_slower(
    make_trainer: MakeTrainer, shape: PyramidConfig, pack_folder: Path
) -> None:
    plain = make_trainer(0)
    pyramid = ChromaPyramid(shape)
    module, loss = JointModule(pyramid, [4]), JointLoss(pyramid, [4])
    config = dataclasses.replace(plain.config, batch=2)
    trainer = Trainer(module, loss, PixelPack(pack_folder), config, fit=False)
    trainer.train(LONG, 2)
    rate_of = {p: group["lr"] for group in trainer.optimizer.param_groups for p in group["params"]}
    assert len(rate_of) == len(list(trainer.module.parameters()))
    (rate_of_blocks,) = {rate_of.pop(p) for p in module.late_blocks.parameters()}
    (rate,) = set(rate_of.values())
    assert rate_of_blocks == pytest.approx(PRETRAINED_SHARE * rate)
    assert 0 < PRETRAINED_SHARE < 1
    assert len(plain.optimizer.param_groups) == 1


def test_small_photos_teach_the_coarse_levels_alone(make_trainer: MakeTrainer) -> None:
    assert [len(make_trainer(index).rows) for index in range(5)] == [30, 30, 30, 27, 27]


def test_fixed_statistics_are_those_of_the_training_rows(
    make_trainer: MakeTrainer, pack_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "FIT_ROWS", 512)
    trainer, pack = make_trainer(0), PixelPack(pack_folder)
    ab, condition = pack.batch(pack.rows("train"), (8,))
    standardize = trainer.module.context.standardize["8"]
    features = condition.features[8]
    assert torch.allclose(standardize.mean[:, 0, 0], features.mean((0, 2, 3)), atol=1e-3)
    assert torch.allclose(standardize.std[:, 0, 0], features.std((0, 2, 3)), rtol=1e-3)
    means = torch.atanh(ab / 128).mul(128).unflatten(2, (4, 16)).unflatten(4, (4, 16)).mean((3, 5))
    std = (means.std((0, 2, 3)) ** 2 + 1).sqrt()  # and unit noise
    assert torch.allclose(trainer.module.flow.bijections[0].std.flatten(), std, rtol=0.02)


@pytest.mark.parametrize(("step", "progress"), [(0, 0.0), (99, 0.25), (150, 0.5)])
def test_the_schedule_reaches_the_optimizer(
    step: int, progress: float, make_trainer: MakeTrainer
) -> None:
    trainer = make_trainer(0, peak_rate=0.5)
    trainer.step = step
    budget = Budget(steps=round(step / progress)) if progress else LONG
    trainer.train(budget, step + 1)
    expected = 0.5 * (step + 1) / 200 * (0.02 + 0.49 * (1 + math.cos(math.pi * progress)))
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-3)


def test_the_average_is_the_average(make_trainer: MakeTrainer) -> None:
    """By its definition: decay (1 + t) / (10 + t) at step t = 0, 1, ..."""
    trainer = make_trainer(0)
    name = next(n for n, p in trainer.module.named_parameters() if p.numel() > 50)
    mean = trainer.module.state_dict()[name].double().clone()
    for t in range(6):
        trainer.train(LONG, t + 1)
        decay = (1 + t) / (10 + t)
        mean = decay * mean + (1 - decay) * trainer.module.state_dict()[name].double()
    averaged = trainer.ema.state_dict()[name]
    assert torch.allclose(averaged.double(), mean, atol=1e-6)
    assert not torch.allclose(averaged, trainer.module.state_dict()[name], atol=1e-6)


# evaluation


def test_evaluation_repeats_and_leaves_training_alone(make_trainer: MakeTrainer) -> None:
    disturbed, plain = make_trainer(0), make_trainer(0)
    for trainer in (disturbed, plain):
        trainer.train(LONG, 2)
    before = disturbed.evaluate()
    assert disturbed.evaluate("whole_degraded") != before
    assert disturbed.evaluate() == before
    for trainer in (disturbed, plain):
        trainer.train(LONG, 4)
    assert same(without_clock(disturbed.state_dict()), without_clock(plain.state_dict()))
    before = plain.evaluate()
    with torch.no_grad():
        for parameter in plain.module.parameters():
            parameter.add_(1)
    assert plain.evaluate() == before, "of the averaged weights"
    plain.ema.load_state_dict(plain.module.state_dict())
    assert plain.evaluate() != before


def test_only_the_best_weights_are_kept(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(0)
    assert trainer.keep_if_best(50.0)
    kept = {name: value.clone() for name, value in trainer.ema.state_dict().items()}
    trainer.train(LONG, 3)
    assert not trainer.keep_if_best(50.0)
    assert not trainer.keep_if_best(math.nan)
    assert same(trainer.best, kept)
    assert trainer.best_dev == 50
    assert trainer.keep_if_best(49.0)
    assert same(trainer.best, trainer.ema.state_dict())
    trainer.train(LONG, 6)
    assert not same(trainer.best, trainer.ema.state_dict()), "a copy"


# to the same bits


@pytest.mark.parametrize(("index", "autocast"), [(0, True), (2, False), (4, True)])
def test_a_state_resumes_to_the_same_bits(
    index: int, autocast: bool, make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    """6 steps against 3 + 3 through a file, over the end of an epoch of 3 batches and half one."""
    straight = make_trainer(index, autocast=autocast)
    straight.train(Budget(steps=6), 6)

    first = make_trainer(index, autocast=autocast)
    first.train(Budget(steps=6), 2)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    torch.randn(7)  # the global generator stands elsewhere after a restart
    second = make_trainer(index, autocast=autocast)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["step"] == 2
    second.load_state_dict(state)
    second.train(Budget(steps=6), 6)
    assert same(without_clock(second.state_dict()), without_clock(straight.state_dict()))
    assert second.seconds > state["seconds"]


def rows_of(trainer: Trainer, steps: int) -> list[list[int]]:
    """Rows of the next steps, as the pack is asked for them; one batch is read ahead."""
    asked: list[list[int]] = []
    batch = trainer.dataset.batch

    def watch(rows: np.ndarray, *more: Any) -> Any:
        asked.append([int(row) for row in rows])
        return batch(rows, *more)

    trainer.dataset.batch = watch  # type: ignore[method-assign]
    trainer.train(LONG, trainer.step + steps)
    trainer.dataset.batch = batch  # type: ignore[method-assign]
    return asked[:steps]


def test_every_epoch_sees_every_row_once_in_a_new_order(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(3, batch=9)
    epochs = np.array(rows_of(trainer, 9)).reshape(3, 27)
    for epoch in epochs:
        assert sorted(epoch) == sorted(trainer.rows)
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[1], epochs[2])


# numbers that are not finite


def test_a_loss_that_is_not_finite_is_skipped_counted_and_harms_nothing(
    make_trainer: MakeTrainer,
) -> None:
    trainer = make_trainer(3)
    broken_at(trainer, iter([False, True, False] * 3))
    loss = trainer.train(LONG, 9)
    assert trainer.step == 9
    assert trainer.skipped == 3
    assert math.isfinite(loss)
    assert finite(trainer.module)
    assert finite(trainer.ema)
    optimizer = trainer.optimizer.state_dict()["state"]
    assert {float(values["step"]) for values in optimizer.values()} == {6.0}
    assert all(bool(values["exp_avg_sq"].isfinite().all()) for values in optimizer.values())


def broken_at(trainer: Trainer, broken: Iterator[bool]) -> None:
    """Makes the loss of some steps infinite."""

    class Broken(type(trainer.loss)):  # type: ignore[misc]
        def __call__(self, *given: Any) -> Tensor:
            return super().__call__(*given) * (math.inf if next(broken) else 1)

    trainer.loss.__class__ = Broken


def test_too_many_in_a_row_end_the_training(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trainer_module.MAX_SKIPPED_IN_A_ROW == 50
    monkeypatch.setattr(trainer_module, "MAX_SKIPPED_IN_A_ROW", 8)
    trainer = make_trainer(0)
    broken_at(trainer, iter([True] * 7 + [False] + [True] * 20))
    with pytest.raises(TrainingError, match="level 4: 8 steps in a row were not finite") as caught:
        trainer.train(LONG, 1000)
    assert "--rate" in str(caught.value)
    assert trainer.skipped == 15
    assert trainer.step == 15


# packs that do not fit


def test_too_few_rows(make_trainer: MakeTrainer) -> None:
    with pytest.raises(TrainingError, match="level 32 has 27 training rows, a batch needs 28"):
        make_trainer(3, batch=28)
    assert make_trainer(2, batch=28)


def test_no_dev_photo_to_choose_by(make_trainer: MakeTrainer, own_pack: Path) -> None:
    text = (own_pack / "photos.csv").read_text()
    (own_pack / "photos.csv").write_text(text.replace("dev", "train"))
    with pytest.raises(TrainingError, match="no large dev photo") as caught:
        make_trainer(0, own_pack)
    assert str(caught.value).startswith(f"{own_pack}: ")
