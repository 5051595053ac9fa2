"""The mean head learns on the late blocks of trained weights, resumes, and is exported."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from colorflow import cli
from colorflow.errors import TrainingError
from colorflow.model.config import PyramidConfig
from colorflow.model.features import Features
from colorflow.model.mean import MeanHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights, save_weights
from colorflow.training import export as export_module
from colorflow.training import trainer
from colorflow.training.export import export
from colorflow.training.loop import train
from colorflow.training.mean import MeanHeadObjective
from colorflow.training.pixels import PixelPack
from colorflow.training.run_folder import read_config, read_mean_head, read_state
from colorflow.training.schedule import Budget
from tests.training.conftest import small_training

pytestmark = pytest.mark.slow

Go = Callable[..., list[str]]


@pytest.fixture(scope="module")
def start(shape: PyramidConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights with late blocks and without a mean head."""
    torch.manual_seed(5)
    pyramid = ChromaPyramid(dataclasses.replace(shape, late_blocks=True))
    assert pyramid.late_blocks is not None
    pyramid.late_blocks.copy_from(Features())
    path = tmp_path_factory.mktemp("start") / "start.safetensors"
    save_weights(path, pyramid, (0.5,) * 5, {}, torch.float32)
    return path


@pytest.fixture(scope="module")
def go(pixels_folder: Path, start: Path) -> Go:
    """Trains in a folder; returns what was said."""

    def run(folder: Path, steps: int = 2, **changes: Any) -> list[str]:
        said: list[str] = []
        config = small_training(batch=4, peak_rate=0.01, evaluate_every=2.0, dev_photos=2)
        options = {"start": start, "mean_head": True, "say": said.append, **changes}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trainer, "FIT_ROWS", 4)
            train([pixels_folder], folder, config=config, budget=Budget(steps=steps), **options)
        return said

    return run


@pytest.fixture(scope="module")
def run(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps. Read it only."""
    folder = tmp_path_factory.mktemp("mean_run")
    assert "squared CIELAB units" in go(folder)[0]
    return folder


def state_of(folder: Path) -> dict[str, Any]:
    state = read_state(folder, "mean")
    assert state is not None
    return state


def test_the_loss_is_the_error_of_the_mean(pixels_folder: Path, start: Path) -> None:
    pyramid = load_weights(start).pyramid
    pack = PixelPack(pixels_folder)
    ab, condition = pack.batch(pack.rows("dev"))
    objective, head = MeanHeadObjective(pyramid), MeanHead().eval()
    assert objective.maps == (32, 64)
    objective.fit(head, ab, condition, torch.Generator())
    torch.nn.init.normal_(head.fine_ab.weight, std=0.1)
    with torch.no_grad():
        found = objective.loss(head, ab, condition, torch.Generator())
        means = head(condition.refined_by(pyramid.late_blocks))  # type: ignore[arg-type]
    for own, mean, loss in zip(ab, means, found, strict=True):
        assert float(loss) == pytest.approx(float((mean - own).square().mean()), rel=1e-4)
    assert means.std() > 0.1


def test_the_head_learns_and_nothing_else(run: Path, start: Path) -> None:
    learned = state_of(run)["level"]
    torch.manual_seed(0)
    assert learned.keys() == MeanHead().state_dict().keys()
    assert read_config(run).mean_head
    assert not any(name.startswith("level") for name in map(lambda path: path.name, run.iterdir()))
    assert (run / "mean" / "grid.png").stat().st_size > 0
    assert learned["standardize.16.std"].std() > 0
    assert load_weights(start).pyramid.mean_head is None


def test_it_resumes_to_the_bit(go: Go, tmp_path: Path) -> None:
    def end_after_the_first(_: str) -> None:
        raise KeyboardInterrupt

    go(tmp_path / "straight", steps=4)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "broken", steps=4, say=end_after_the_first)
    go(tmp_path / "broken", steps=4)
    straight, broken = (state_of(tmp_path / name)["ema"] for name in ("straight", "broken"))
    for name, value in straight.items():
        assert torch.equal(value, broken[name]), name


def test_export_puts_the_head_into_the_file(
    run: Path, start: Path, pixels_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_measuring(monkeypatch)
    path = tmp_path / "new.safetensors"
    options = {"pack_folder": pixels_folder, "temperatures": (0.5,) * 5}
    export(run, path, fallback=start, say=str, **options)  # type: ignore[arg-type]
    pyramid = load_weights(path).pyramid
    best = read_mean_head(run)
    assert best is not None
    assert pyramid.mean_head is not None
    for name, value in pyramid.mean_head.state_dict().items():
        torch.testing.assert_close(value, best[name], rtol=2e-3, atol=2e-3)  # float16
    levels, old = pyramid.levels.state_dict(), load_weights(start).pyramid.levels.state_dict()
    for name, value in levels.items():
        torch.testing.assert_close(value, old[name], rtol=2e-3, atol=2e-3)


def test_weights_with_a_head_go_on(go: Go, run: Path, start: Path, tmp_path: Path) -> None:
    pyramid = ChromaPyramid(dataclasses.replace(load_weights(start).pyramid.config, mean_head=True))
    best = read_mean_head(run)
    assert best is not None
    assert pyramid.mean_head is not None
    assert pyramid.late_blocks is not None
    pyramid.mean_head.load_state_dict(best)
    pyramid.late_blocks.copy_from(Features())
    path = tmp_path / "with_head.safetensors"
    save_weights(path, pyramid, (0.5,) * 5, {}, torch.float32)
    go(tmp_path / "more", steps=1, start=path)
    learned = state_of(tmp_path / "more")["level"]
    for name in ("standardize.16.std", "standardize.8.mean"):
        torch.testing.assert_close(learned[name], best[name])


def test_it_needs_late_blocks(go: Go, shape: PyramidConfig, tmp_path: Path) -> None:
    plain = tmp_path / "plain.safetensors"
    save_weights(plain, ChromaPyramid(shape), (0.5,) * 5, {}, torch.float32)
    with pytest.raises(TrainingError, match="no late blocks have been trained"):
        go(tmp_path / "run", start=plain)


def test_the_command(
    pixels_folder: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "FIT_ROWS", 4)
    arguments = ["--steps", "1", "--batch", "4", "--start", str(start)]
    folder = tmp_path / "run"
    assert (
        cli.main(["train", str(pixels_folder), "-o", str(folder), "--mean-head", *arguments]) == 0
    )
    assert read_mean_head(folder) is not None


def _without_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "bits_per_dim": {"all": 1.0},
        "coarsest_nats": 1.0,
        "blow_ups": 0.0,
        "calibrate": {},
    }.items():
        monkeypatch.setattr(export_module, name, lambda *_, value=value, **__: value)
