"""Training of the doublings: they learn, resume, start from others, and are exported."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from colorflow.cli import main
from colorflow.enlarge import train as train_module
from colorflow.enlarge.model import DEQUANTIZATION_STD, DetailModel, MeanDoubling, StepConfig
from colorflow.enlarge.patches import PatchPack
from colorflow.enlarge.train import ENLARGE, DetailLoss, noisy
from colorflow.enlarge.weights import (
    FIRST,
    LAST,
    RESTORE,
    load_enlarge_weights,
    save_enlarge_weights,
)
from colorflow.errors import TrainingError
from colorflow.training import trainer as trainer_module
from colorflow.training.export import export_part
from colorflow.training.run_folder import read_state
from colorflow.training.trainer import Budget, TrainConfig, train_part
from tests.small_weights import small_step

pytestmark = pytest.mark.slow

CONFIG = TrainConfig(batch=4, peak_rate=0.01, evaluate_every=4, dev_photos=8, autocast=False)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small ones, one thread, and malloc as other tests expect it."""
    found = {LAST: small_step(), FIRST: small_step(), RESTORE: small_step(restores=True)}
    monkeypatch.setattr(train_module, "DOUBLINGS", found)
    monkeypatch.setattr(trainer_module, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(trainer_module, "WARM_UP_STEPS", 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trained(
    pack: Path, run: Path, name: str = LAST, *,
    steps: int = 4, start: Path | None = None,
) -> list[str]:  # fmt: skip
    """Trains a mean and the flow over what it leaves, each for so many steps; what they say."""
    lines: list[str] = []
    for part in (f"{name}-mean", name):
        train_part(
            ENLARGE, part, pack, run, start=start, config=CONFIG, budget=Budget(steps=steps),
            say=lines.append,
        )  # fmt: skip
    return lines


def export(run: Path, file: Path, start: Path | None = None) -> None:
    export_part([ENLARGE], run, file, start=start, say=str)


def test_it_learns_and_resumes(patches_folder: Path, tmp_path: Path) -> None:
    lines = trained(patches_folder, tmp_path / "run", steps=16)
    for unit, part in (("squared L* units", lines[:4]), ("bits/dim", lines[4:])):
        assert len(part) == 4
        assert all("degraded" not in line and line.split(" *")[0].endswith(unit) for line in part)
    dev = [float(line.split("dev ")[1].split()[0]) for line in lines[4:]]
    assert dev[-1] < dev[0] - 0.05
    again = trained(patches_folder, tmp_path / "run", steps=20)
    assert [again[0], again[2]] == ["last-mean: goes on at step 16", "last: goes on at step 16"]
    assert len(again) == 4
    mean, flow = (read_state(tmp_path / "run", name) for name in ("last-mean", LAST))
    assert mean is not None
    assert flow is not None
    for name, x in mean["best"].items():
        assert torch.equal(flow["ema"][f"mean.{name}"], x), "the flow goes on over the better mean"


def best_of(run: Path, name: str) -> MeanDoubling | DetailModel:
    build = MeanDoubling if name.endswith("-mean") else DetailModel
    module = build(train_module.DOUBLINGS[name.removesuffix("-mean")])
    ENLARGE.load(run, name, module)
    return module


def test_the_flow_learns_what_the_mean_leaves(patches_folder: Path, tmp_path: Path) -> None:
    """And the mean stays what it was."""
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
    model, criterion = DetailModel(small_step()), DetailLoss(LAST, 3)
    criterion.fit(model, high, low, torch.Generator().manual_seed(1))
    loss = criterion(model, high, low, torch.Generator().manual_seed(2))
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
    """All of it where the shapes are the same, and else the context network."""
    file, model = tmp_path / "last.safetensors", DetailModel(small_step())
    other = copy.deepcopy(model)
    with torch.no_grad():
        for x in other.parameters():
            x.add_(0.1)
    save_enlarge_weights(file, {LAST: model, FIRST: other}, {})
    models = load_enlarge_weights(file).models
    for name, whole in ((FIRST, True), (RESTORE, False)):
        run = tmp_path / name
        trained(patches_folder, run, name)
        mean = best_of(run, f"{name}-mean").state_dict()
        (run / name / "state.pt").unlink()
        flow = ENLARGE.trainer(name, patches_folder, run, file, CONFIG)
        (run / f"{name}-mean" / "state.pt").unlink()
        first = ENLARGE.trainer(f"{name}-mean", patches_folder, run, file, CONFIG)
        start = models.get(name, models[LAST])
        for trainer, module in ((first, start.mean), (flow, start)):
            best, now = module.state_dict(), trainer.module.state_dict()
            same = {k for k, x in now.items() if k in best and torch.equal(x, best[k])}
            assert {k for k in best if k.startswith("context.")} <= same
            assert ({k for k in best if not k.startswith("mean.")} <= same) == whole
        for key, x in mean.items():
            assert torch.equal(flow.module.state_dict()[f"mean.{key}"], x), "its own mean"


def test_export_writes_what_was_trained_and_the_rest_of_a_file(
    patches_folder: Path, tmp_path: Path
) -> None:
    run, more, file = tmp_path / "run", tmp_path / "more", tmp_path / "all.safetensors"
    trained(patches_folder, run)
    export(run, file)
    before = load_enlarge_weights(file)
    assert set(before.models) == {LAST, FIRST}
    assert before.training[FIRST]["doubling"] == LAST
    assert before.training[LAST]["steps"] == 4
    best = best_of(run, LAST).state_dict()
    for name, x in before.models[LAST].state_dict().items():
        assert torch.allclose(x, best[name], rtol=2e-3, atol=1e-3), name
    trained(patches_folder, more, RESTORE, steps=2)
    with pytest.raises(TrainingError, match="last has no evaluated weights"):
        export(more, tmp_path / "new.safetensors")
    export(more, file, start=file)
    after = load_enlarge_weights(file)
    assert set(after.models) == {LAST, FIRST, RESTORE}
    assert after.training == {**before.training, RESTORE: after.training[RESTORE]}
    assert after.training[RESTORE]["steps"] == 2
    for name in (LAST, FIRST):
        now = after.models[name].state_dict()
        for key, x in before.models[name].state_dict().items():
            assert torch.equal(x, now[key]), (name, key)
    trained(patches_folder, more, FIRST, steps=2)
    export(more, file, start=file)
    assert "doubling" not in load_enlarge_weights(file).training[FIRST]


def test_commands(patches_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = tmp_path / "run", tmp_path / "enlarge.safetensors"
    train = ["train", str(patches_folder), "-o", str(run), "--minutes", "0.003"]
    flow, mean = (["--part", f"enlarge-last{half}"] for half in ("", "-mean"))
    assert main([*train, *flow]) == 1
    named = f"`colorflow train PACK -o {run} --part enlarge-last-mean`"
    assert f"last-mean has no evaluated weights yet; train it with {named}" in (
        capsys.readouterr().err
    )
    for part in (mean, flow):
        assert main([*train, *part, "--batch", "4", "--evaluate-every", "1"]) == 0
    assert "bits/dim" in capsys.readouterr().out
    assert main(["export", str(run), str(file)]) == 0
    assert set(load_enlarge_weights(file).models) == {LAST, FIRST}
