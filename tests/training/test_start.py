"""Starting from trained weights: step 0 is the old model, and new parts learn."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch

from colorflow.errors import ColorflowError, TrainingError, WeightsError
from colorflow.model.config import HINT_PLANES
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights, save_weights
from colorflow.training.loop import give_levels
from colorflow.training.pixels import PixelPack
from colorflow.training.trained import Trained, read_config
from tests.training.runs import Train, raw_state

pytestmark = pytest.mark.slow

GRIDS = (4, 8, 16, 32, 64)
FINE = (32,)


@pytest.fixture(scope="module")
def old_run(go: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 2 steps a level. Read it only."""
    folder = tmp_path_factory.mktemp("old_run")
    go(folder, steps=2, levels=GRIDS, peak_rate=0.5, evaluate_every=10.0)
    return folder


@pytest.fixture(scope="module")
def old_weights(old_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights file of the run."""
    trained = Trained(old_run)
    pyramid = ChromaPyramid(trained.shape)
    for grid, level in zip(GRIDS, pyramid.levels, strict=True):
        level.load_state_dict(trained.level(grid)[0])
    give_late_blocks(pyramid, trained)
    path = tmp_path_factory.mktemp("old_weights") / "old.safetensors"
    save_weights(path, pyramid, (0.5,) * 5, {}, torch.float32)
    return path


def give_late_blocks(pyramid: ChromaPyramid, trained: Trained) -> None:
    late = trained.late_blocks()
    assert late is not None
    assert pyramid.late_blocks is not None
    pyramid.late_blocks.load_state_dict(late)


@pytest.mark.parametrize(("kind", "planes"), [("run", HINT_PLANES), ("file", 0)])
def test_step_0_is_the_old_model(
    kind: str, planes: int, old_run: Path, old_weights: Path, pack_folder: Path
) -> None:
    """The same log_prob without hints, to the bit; the same contexts with hints too, as long as
    nothing has been learned from them."""
    start = Trained(old_run if kind == "run" else old_weights)
    torch.manual_seed(5)
    new = ChromaPyramid(dataclasses.replace(start.shape, extra_planes=planes)).eval()
    give_levels(new, start, GRIDS)
    give_late_blocks(new, start)
    old, pack = load_weights(old_weights).pyramid, PixelPack(pack_folder)
    ab, condition = pack.batch(pack.rows("dev"))
    condition = old.refine(condition)
    hinted = dataclasses.replace(condition, planes=torch.ones(len(ab), 3, 64, 64))
    with torch.no_grad():
        assert torch.equal(new.log_prob(ab, condition), old.log_prob(ab, condition))
        if planes:
            for level, of_old in zip(new.levels, old.levels, strict=True):
                context = level.context.of_photo(hinted)
                assert torch.equal(context, of_old.context.of_photo(condition))


def test_training_begins_there(old_run: Path, go: Train, tmp_path: Path) -> None:
    """Two steps of a warming rate lead not far from the old weights, but the planes are learned."""
    go(tmp_path / "run", start=old_run, hints=True, steps=2, levels=FINE)
    old, new = raw_state(old_run, "level32"), raw_state(tmp_path / "run", "level32")
    extra = new["level"].keys() - old["best"].keys()
    names = ("hidden.weight", "hidden.bias", "out.weight")
    assert extra == {f"context.from_planes.{name}" for name in names}
    assert new["level"]["context.from_planes.out.weight"].any()
    for name, value in old["best"].items():
        assert torch.allclose(new["level"][name], value, atol=2e-3), name
    assert read_config(tmp_path / "run").takes_hints
    assert json.loads((tmp_path / "run" / "config.json").read_text())["start"] == old_run.name


# what cannot be a start


def refused(kind: type[ColorflowError], go: Train, folder: Path, start: Path) -> str:
    with pytest.raises(kind) as caught:
        go(folder, start=start, steps=1, levels=FINE)
    assert str(caught.value).startswith(str(start))
    return str(caught.value)


def test_no_start(go: Train, tmp_path: Path) -> None:
    assert "no such weights file" in refused(WeightsError, go, tmp_path / "run", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    message = refused(TrainingError, go, tmp_path / "run", tmp_path / "empty")
    assert "no training run here" in message
    (tmp_path / "file").write_text("mine")
    message = refused(WeightsError, go, tmp_path / "run", tmp_path / "file")
    assert "not a readable safetensors file" in message
    assert not (tmp_path / "run").exists()


def test_weights_that_do_not_fit(old_run: Path, go: Train, tmp_path: Path) -> None:
    """A level that the start lacks, a level that lacks a tensor, and another level's weights."""
    part = shutil.copytree(old_run, tmp_path / "part")
    path, whole = part / "level32" / "state.pt", raw_state(old_run, "level32")
    for name in ("context.position", "flow.bijections.1.network.out.weight"):
        best = {key: x for key, x in whole["best"].items() if key != name}
        assert len(best) < len(whole["best"])
        torch.save(whole | {"best": best}, path)
        assert "do not fit level 32" in refused(TrainingError, go, tmp_path / "run", part)
    shutil.copy(part / "level64" / "state.pt", path)
    assert "do not fit level 32" in refused(TrainingError, go, tmp_path / "run", part)
    path.unlink()
    message = refused(TrainingError, go, tmp_path / "run", part)
    assert "level 32 has no evaluated weights yet" in message
