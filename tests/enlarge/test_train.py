"""Training of the doublings: it learns, resumes, starts from others, and exports."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from colorflow.enlarge import train as train_module
from colorflow.enlarge.model import DEQUANTIZATION_STD, DetailModel, StepConfig
from colorflow.enlarge.objective import DetailObjective, noisy
from colorflow.enlarge.patches import PatchPack
from colorflow.enlarge.train import Trainee, export_doublings, load_trained, train_doubling
from colorflow.enlarge.weights import FIRST, LAST, RESTORE, load_enlarge_weights
from colorflow.errors import TrainingError
from colorflow.training import schedule
from colorflow.training.run_folder import read_state
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig

CONFIG = TrainConfig(batch=4, peak_rate=0.01, evaluate_every=4, dev_photos=8, autocast=False)


def small(name: str, *, restores: bool = False, reduced: int = 0) -> Trainee:
    shape = StepConfig(restores=restores, width=12, blocks=1, couplings=2, coupling_width=8, bins=4)
    return Trainee(
        build=lambda: DetailModel(shape),
        objective=lambda: DetailObjective(name, shape.channels),
        reduced=reduced,
        damaged=restores,
    )


@pytest.fixture(autouse=True)
def doublings(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Trainee]]:
    """Small ones, one thread, and malloc as other tests expect it."""
    found = {
        LAST: small(LAST),
        FIRST: small(FIRST, reduced=1),
        RESTORE: small(RESTORE, restores=True),
    }
    monkeypatch.setattr(train_module, "DOUBLINGS", found)
    monkeypatch.setattr(train_module, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(schedule, "WARM_UP_STEPS", 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield found
    torch.set_num_threads(threads)


def trained(
    pack: Path, run: Path, doublings: dict[str, Trainee], name: str = LAST, *,
    steps: int = 8, start: str | None = None,
) -> list[str]:  # fmt: skip
    lines: list[str] = []
    train_doubling(
        name,
        pack,
        run,
        trainees=doublings,
        start=start,
        config=CONFIG,
        budget=Budget(steps=steps),
        say=lines.append,
    )
    return lines


def test_it_learns_and_resumes(
    patches_folder: Path, tmp_path: Path, doublings: dict[str, Trainee]
) -> None:
    lines = trained(patches_folder, tmp_path / "run", doublings, steps=40)
    dev = [float(line.split("dev ")[1].split()[0]) for line in lines]
    assert len(dev) == 10
    assert dev[-1] < dev[0] - 0.2
    assert all(
        "degraded" not in line and line.split(" *")[0].endswith("bits/dim") for line in lines
    )
    assert (tmp_path / "run/last/grid.png").stat().st_size > 1000
    again = trained(patches_folder, tmp_path / "run", doublings, steps=44)
    assert again[0] == "last: goes on at step 40"
    assert len(again) == 2


def test_the_loss_is_bits_per_modeled_number(patches_folder: Path) -> None:
    pack = PatchPack(patches_folder)
    high, low = pack.batch(pack.rows("dev"))
    model, objective = small(LAST).build(), DetailObjective(LAST, 3)
    objective.fit(model, high, low, torch.Generator().manual_seed(1))
    loss = objective.loss(model, high, low, torch.Generator().manual_seed(2))
    with_noise = noisy(high, torch.Generator().manual_seed(2))
    assert abs(float((with_noise - high).std()) - DEQUANTIZATION_STD) < 0.01
    expected = -model(with_noise, low) / (3 * 64 * 64) / math.log(2)
    assert torch.allclose(loss, expected)
    floor = 0.5 * math.log2(2 * math.pi * math.e * DEQUANTIZATION_STD**2)
    assert floor < float(loss.mean().detach()) < floor + 6, "the entropy of the noise is the least"


def test_the_linear_prediction_is_that_of_least_squares(patches_folder: Path) -> None:
    """As good as any other weights, and better than none."""
    pack = PatchPack(patches_folder)
    high, low = pack.batch(pack.rows("train", variant="whole"))
    model = small(LAST).build()
    assert isinstance(model, DetailModel)
    without = model._residual(high, low).square().mean()
    model.fit(high, low)
    least = model._residual(high, low).square().mean()
    assert least < 0.75 * without
    weight = model.linear.weight.clone()
    for seed in range(3):
        change = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed))
        model.linear.weight.copy_(weight + 1e-3 * change)
        assert model._residual(high, low).square().mean() > least


def test_temperature_0_is_better_than_bicubic_before_any_step(patches_folder: Path) -> None:
    pack = PatchPack(patches_folder)
    model = small(LAST).build()
    assert isinstance(model, DetailModel)
    model.fit(*pack.batch(pack.rows("train", variant="whole")))
    high, low = pack.batch(pack.rows("dev"))
    bicubic = F.interpolate(low, scale_factor=2, mode="bicubic")
    ours = model.eval().sample(low, 0.0)
    assert F.mse_loss(ours, high) < F.mse_loss(bicubic, high)


def test_a_doubling_starts_from_another(
    patches_folder: Path, tmp_path: Path, doublings: dict[str, Trainee]
) -> None:
    run = tmp_path / "run"
    trained(patches_folder, run, doublings, steps=4)
    best = load_trained(run, LAST, doublings[LAST])[0].state_dict()
    for name, whole in ((FIRST, True), (RESTORE, False)):
        seen = {}
        original = train_module.train_to_budget

        def watch(trainer: object, *given: object, seen: dict = seen, do=original) -> None:  # type: ignore[type-arg, no-untyped-def]
            seen.update({k: x.clone() for k, x in trainer.module.state_dict().items()})  # type: ignore[attr-defined]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(train_module, "train_to_budget", watch)
            trained(patches_folder, run, doublings, name, start=LAST)
        same = {k for k, x in seen.items() if k in best and torch.equal(x, best[k])}
        context = {k for k in best if k.startswith("context.")}
        assert context <= same
        assert (same == set(best)) == whole


def test_export_writes_what_was_trained(
    patches_folder: Path, tmp_path: Path, doublings: dict[str, Trainee]
) -> None:
    run, file = tmp_path / "run", tmp_path / "weights/enlarge.safetensors"
    with pytest.raises(TrainingError, match="last has no evaluated weights"):
        export_doublings(run, file, say=print)
    trained(patches_folder, run, doublings)
    lines: list[str] = []
    export_doublings(run, file, say=lines.append)
    found = load_enlarge_weights(file)
    assert set(found.models) == {LAST, FIRST}
    assert found.training[FIRST]["doubling"] == LAST
    assert found.training[LAST]["steps"] == 8
    state = read_state(run, LAST)
    assert state is not None
    for name, x in found.models[LAST].state_dict().items():
        assert torch.allclose(x, state["best"][name], rtol=2e-3, atol=1e-3), name
    trained(patches_folder, run, doublings, RESTORE)
    export_doublings(run, file, say=lines.append)
    assert set(load_enlarge_weights(file).models) == {LAST, FIRST, RESTORE}


def test_a_run_of_another_recipe_is_refused(
    patches_folder: Path, tmp_path: Path, doublings: dict[str, Trainee]
) -> None:
    trained(patches_folder, tmp_path / "run", doublings, steps=4)
    with pytest.raises(TrainingError, match="another shape or with other settings"):
        train_doubling(
            LAST,
            patches_folder,
            tmp_path / "run",
            trainees=doublings,
            config=TrainConfig(batch=2),
            budget=Budget(steps=4),
        )
