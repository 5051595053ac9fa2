"""The mean head learns on the late blocks of trained weights, and is exported."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from colorflow.errors import TrainingError
from colorflow.model.config import PyramidConfig
from colorflow.model.heads import MeanHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights, save_weights
from colorflow.training import export as export_module
from colorflow.training.export import export
from colorflow.training.pixels import PixelPack
from colorflow.training.targets import MeanHeadObjective
from tests.training.runs import Train, raw_state

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(go: Train, start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps. Read it only."""
    folder = tmp_path_factory.mktemp("mean_run")
    assert "squared CIELAB units" in go(folder, steps=2, mean_head=True, start=start)[0]
    return folder


def test_the_loss_is_the_error_of_the_mean(pack_folder: Path, start: Path) -> None:
    pyramid = load_weights(start).pyramid
    pack = PixelPack(pack_folder)
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


def test_export_puts_the_head_into_the_file(
    run: Path, start: Path, pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {"bits_per_dim": {"all": 1.0}, "calibrate": {}}
    for name, value in measured.items():
        monkeypatch.setattr(export_module, name, lambda *_, value=value, **__: value)
    path = tmp_path / "new.safetensors"
    options = {"pack_folder": pack_folder, "temperatures": (0.5,) * 5, "gain": 1.0}
    export(run, path, fallback=start, say=str, **options)  # type: ignore[arg-type]
    pyramid = load_weights(path).pyramid
    best = raw_state(run, "mean")["best"]
    assert pyramid.mean_head is not None
    for name, value in pyramid.mean_head.state_dict().items():
        torch.testing.assert_close(value, best[name], rtol=2e-3, atol=2e-3)  # float16
    levels, old = pyramid.levels.state_dict(), load_weights(start).pyramid.levels.state_dict()
    for name, value in levels.items():
        torch.testing.assert_close(value, old[name], rtol=2e-3, atol=2e-3)


def test_it_needs_late_blocks(go: Train, shape: PyramidConfig, tmp_path: Path) -> None:
    plain = tmp_path / "plain.safetensors"
    pyramid = ChromaPyramid(dataclasses.replace(shape, late_blocks=False))
    save_weights(plain, pyramid, (0.5,) * 5, {}, torch.float32)
    with pytest.raises(TrainingError, match="no late blocks have been trained"):
        go(tmp_path / "run", steps=1, mean_head=True, start=plain)
