"""Training of the doublings: it learns, resumes, starts from others, and exports."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from colorflow.enlarge import train as train_module
from colorflow.enlarge.model import DEQUANTIZATION_STD, DetailModel, MeanDoubling, StepConfig
from colorflow.enlarge.patches import PatchPack
from colorflow.enlarge.train import (
    DetailObjective,
    export_doublings,
    noisy,
    train_doubling,
)
from colorflow.enlarge.weights import (
    FIRST,
    LAST,
    RESTORE,
    load_enlarge_weights,
    save_enlarge_weights,
)
from colorflow.errors import TrainingError
from colorflow.training import schedule
from colorflow.training.run_folder import load_best, read_state
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig, Trainer
from colorflow.training.until_budget import train_to_budget

pytestmark = pytest.mark.slow

CONFIG = TrainConfig(batch=4, peak_rate=0.01, evaluate_every=4, dev_photos=8, autocast=False)


def small(*, restores: bool = False) -> StepConfig:
    return StepConfig(
        restores=restores, width=12, blocks=1, own_blocks=1, couplings=2, coupling_width=8, bins=4
    )


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small ones, one thread, and malloc as other tests expect it."""
    found = {LAST: small(), FIRST: small(), RESTORE: small(restores=True)}
    monkeypatch.setattr(train_module, "DOUBLINGS", found)
    monkeypatch.setattr(train_module, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(schedule, "WARM_UP_STEPS", 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trained(
    pack: Path, run: Path, name: str = LAST, *,
    steps: int = 8, start: Path | None = None,
) -> list[str]:  # fmt: skip
    lines: list[str] = []
    train_doubling(
        name,
        pack,
        run,
        start=start,
        config=CONFIG,
        budget=Budget(steps=steps),
        say=lines.append,
    )
    return lines


def test_it_learns_and_resumes(patches_folder: Path, tmp_path: Path) -> None:
    lines = trained(patches_folder, tmp_path / "run", steps=32)
    for unit, part in (("squared L* units", lines[:4]), ("bits/dim", lines[4:])):
        assert len(part) == 4
        assert all("degraded" not in line and line.split(" *")[0].endswith(unit) for line in part)
    dev = [float(line.split("dev ")[1].split()[0]) for line in lines[4:]]
    assert dev[-1] < dev[0] - 0.05
    again = trained(patches_folder, tmp_path / "run", steps=40)
    assert [again[0], again[2]] == [
        "last-mean: goes on at step 16",
        "last: goes on at step 16",
    ]
    assert len(again) == 4
    mean, flow = (read_state(tmp_path / "run", name) for name in ("last-mean", LAST))
    assert mean is not None
    assert flow is not None
    for name, x in mean["best"].items():
        assert torch.equal(flow["ema"][f"mean.{name}"], x), "the flow goes on over the better mean"


def best_of(run: Path, name: str) -> MeanDoubling | DetailModel:
    build = MeanDoubling if name.endswith("-mean") else DetailModel
    module = build(train_module.DOUBLINGS[name.removesuffix("-mean")])
    load_best(run, name, module, "")
    return module


def test_the_flow_learns_what_the_mean_leaves(patches_folder: Path, tmp_path: Path) -> None:
    """And the mean stays what it was after the first half."""
    trained(patches_folder, tmp_path)
    network, model = best_of(tmp_path, "last-mean"), best_of(tmp_path, LAST)
    assert isinstance(model, DetailModel)
    for name, x in network.state_dict().items():
        assert torch.equal(x, model.mean.state_dict()[name]), name
    assert model.mean.out.out.weight.abs().max() > 0
    pack = PatchPack(patches_folder)
    high, low = pack.batch(pack.rows("train", variant="whole"))
    mean = model.sample(low, 0.0)
    assert F.mse_loss(mean, high) < F.mse_loss(F.interpolate(low, scale_factor=2), high)


def test_the_loss_is_bits_per_modeled_number(patches_folder: Path) -> None:
    pack = PatchPack(patches_folder)
    high, low = pack.batch(pack.rows("dev"))
    model, objective = DetailModel(small()), DetailObjective(LAST, 3)
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
    network = MeanDoubling(StepConfig(width=12, blocks=1))
    without = network(high, low).mean()
    network.fit(high, low)
    least = network(high, low).mean()
    assert least < 0.75 * without
    weight = network.linear.weight.clone()
    for seed in range(3):
        change = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed))
        network.linear.weight.copy_(weight + 1e-3 * change)
        assert network(high, low).mean() > least


def test_a_doubling_starts_from_another(patches_folder: Path, tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "last.safetensors"
    trained(patches_folder, run, steps=4)
    export_doublings(run, file, say=print)
    # What the file has under the name itself comes first.
    models = dict(load_enlarge_weights(file).models)
    models[FIRST] = copy.deepcopy(models[LAST])
    with torch.no_grad():
        for x in models[FIRST].parameters():
            x.add_(0.1)
    save_enlarge_weights(file, models, {})
    models = dict(load_enlarge_weights(file).models)
    for name, whole in ((FIRST, True), (RESTORE, False)):
        seen: dict[str, dict[str, torch.Tensor]] = {}

        def watch(trainer: Trainer, *given: object, seen: dict = seen, do=train_to_budget) -> None:  # type: ignore[type-arg, no-untyped-def]
            state = trainer.module.state_dict()
            seen[trainer.objective.folder] = {k: x.clone() for k, x in state.items()}
            do(trainer, *given)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(train_module, "train_to_budget", watch)
            trained(patches_folder, run, name, steps=4, start=file)
        start = models.get(name, models[LAST])
        for part, module in (("{}-mean", start.mean), ("{}", start)):
            best, now = module.state_dict(), seen[part.format(name)]
            same = {k for k, x in now.items() if k in best and torch.equal(x, best[k])}
            assert {k for k in best if k.startswith("context.")} <= same
            own = {k for k in best if not k.startswith("mean.")}
            assert (own <= same) == whole
        mean = best_of(run, f"{name}-mean").state_dict()
        for key, x in mean.items():
            assert torch.equal(seen[name][f"mean.{key}"], x), "the doubling's own mean"


def test_export_writes_what_was_trained(patches_folder: Path, tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "weights/enlarge.safetensors"
    with pytest.raises(TrainingError, match="last has no evaluated weights"):
        export_doublings(run, file, say=print)
    trained(patches_folder, run)
    lines: list[str] = []
    export_doublings(run, file, say=lines.append)
    found = load_enlarge_weights(file)
    assert set(found.models) == {LAST, FIRST}
    assert found.training[FIRST]["doubling"] == LAST
    assert found.training[LAST]["steps"] == 4
    state = read_state(run, LAST)
    assert state is not None
    for name, x in found.models[LAST].state_dict().items():
        assert torch.allclose(x, state["best"][name], rtol=2e-3, atol=1e-3), name
    trained(patches_folder, run, RESTORE)
    export_doublings(run, file, say=lines.append)
    assert set(load_enlarge_weights(file).models) == {LAST, FIRST, RESTORE}


def test_export_takes_what_the_run_lacks_from_a_file(patches_folder: Path, tmp_path: Path) -> None:
    """And replaces what it has, only."""
    run, more, file = tmp_path / "run", tmp_path / "more", tmp_path / "all.safetensors"
    trained(patches_folder, run)
    export_doublings(run, file, say=print)
    before = load_enlarge_weights(file)
    with pytest.raises(TrainingError, match="last has no evaluated weights"):
        export_doublings(more, file, others=file)
    trained(patches_folder, more, RESTORE, steps=4)
    export_doublings(more, file, others=file)
    after = load_enlarge_weights(file)
    assert set(after.models) == {LAST, FIRST, RESTORE}
    assert after.training[LAST] == before.training[LAST]
    assert after.training[RESTORE]["steps"] == 2
    for name in (LAST, FIRST):
        now = after.models[name].state_dict()
        for key, x in before.models[name].state_dict().items():
            assert torch.equal(x, now[key]), (name, key)
    trained(patches_folder, more, FIRST, steps=4)
    export_doublings(more, file, others=file)
    assert "doubling" not in load_enlarge_weights(file).training[FIRST]
