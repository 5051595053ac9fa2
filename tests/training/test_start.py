"""Starting from trained weights: step 0 is the old model, and a run goes on as ever."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from colorflow.errors import ColorflowError, TrainingError, WeightsError
from colorflow.model.condition import Conditioner
from colorflow.model.config import HINT_PLANES, PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights, save_weights
from colorflow.training import export as export_module
from colorflow.training.export import export
from colorflow.training.loop import train
from colorflow.training.pack import Pack
from colorflow.training.run_folder import read_config, read_state
from colorflow.training.schedule import Budget
from colorflow.training.start import Start
from colorflow.training.targets import LevelObjective
from colorflow.training.trainer import Trainer
from tests.training.conftest import small_training

pytestmark = pytest.mark.slow

GRIDS = (4, 8, 16, 32, 64)
Go = Callable[..., list[str]]


@pytest.fixture(scope="module")
def old_run(
    pack_folder: Path,
    shape: PyramidConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A run of 4 steps a level. Read it only."""
    folder = tmp_path_factory.mktemp("old_run")
    config, budget = small_training(peak_rate=0.5, evaluate_every=10.0), Budget(steps=4)
    train([pack_folder], folder, shape=shape, config=config, budget=budget, say=str)
    return folder


@pytest.fixture(scope="module")
def old_weights(
    old_run: Path, shape: PyramidConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The weights file of the run."""
    pyramid = ChromaPyramid(shape)
    for grid, level in zip(GRIDS, pyramid.levels, strict=True):
        state = read_state(old_run, f"level{grid}")
        assert state is not None
        level.load_state_dict(state["best"])
    path = tmp_path_factory.mktemp("old_weights") / "old.safetensors"
    save_weights(path, pyramid, (0.5,) * 5, {}, torch.float32)
    return path


@pytest.fixture
def go(pack_folder: Path) -> Go:
    """Trains in a folder, level 8 by default; what it says."""

    def go(
        folder: Path,
        start: Path | None,
        *,
        steps: int = 2,
        hints: bool = True,
        levels: tuple[int, ...] = (8,),
        shape: PyramidConfig | None = None,
        dropout: float | None = None,
        changes: dict[str, int] | None = None,
        say: Callable[[str], None] | None = None,
    ) -> list[str]:
        said: list[str] = []
        train(
            [pack_folder],
            folder,
            shape=shape,
            hints=hints,
            dropout=dropout,
            level_changes=changes,
            start=start,
            config=small_training(),
            budget=Budget(steps=steps),
            levels=levels,
            say=say or said.append,
        )
        return said

    return go


@pytest.mark.parametrize("planes", [0, HINT_PLANES])
@pytest.mark.parametrize("kind", ["run", "file"])
def test_step_0_is_the_old_model(
    kind: str,
    planes: int,
    old_run: Path,
    old_weights: Path,
    pack_folder: Path,
) -> None:
    """The same log_prob without hints, to the bit, of weights and of their average; the same
    contexts with hints too, as long as nothing has been learned from them."""
    start = Start(old_run if kind == "run" else old_weights)
    torch.manual_seed(5)
    pyramid = ChromaPyramid(dataclasses.replace(start.shape, extra_planes=planes))
    averaged = ChromaPyramid(pyramid.config)
    pack, device = Pack(pack_folder), torch.device("cpu")
    for index, grid in enumerate(pyramid.config.chroma_grids):
        objective = LevelObjective(pyramid, index)
        trainer = Trainer(pyramid.levels[index], objective, pack, small_training(), device)
        start.apply(trainer, grid)
        averaged.levels[index] = trainer.ema
    old = load_weights(old_weights).pyramid
    ab, condition = pack.batch(pack.rows("dev"))
    hinted = dataclasses.replace(condition, planes=torch.ones(len(ab), 3, 64, 64))
    with torch.no_grad():
        expected = old.log_prob(ab, condition)
        for new in (pyramid.eval(), averaged.eval()):
            assert torch.equal(new.log_prob(ab, condition), expected)
            if planes:
                for level, of_old in zip(new.levels, old.levels, strict=True):
                    context = level.context.of_photo(hinted)
                    assert torch.equal(context, of_old.context.of_photo(condition))


@pytest.mark.parametrize("kind", ["run", "file"])
def test_training_begins_there(
    kind: str, old_run: Path, old_weights: Path, go: Go, tmp_path: Path
) -> None:
    """Two steps of a warming rate lead not far from the old weights, but the planes are learned."""
    start = old_run if kind == "run" else old_weights
    go(tmp_path / "run", start)
    old, new = read_state(old_run, "level8"), read_state(tmp_path / "run", "level8")
    assert old is not None
    assert new is not None
    extra = new["level"].keys() - old["best"].keys()
    names = ("hidden.weight", "hidden.bias", "out.weight")
    assert extra == {f"context.from_planes.{name}" for name in names}
    assert new["level"]["context.from_planes.out.weight"].any()
    for name, value in old["best"].items():
        assert torch.allclose(new["level"][name], value, atol=2e-3), name
    assert new["step"] == 2
    assert read_config(tmp_path / "run").takes_hints
    assert json.loads((tmp_path / "run" / "config.json").read_text())["start"] == start.name


def test_a_started_run_goes_on_to_the_same_bits(old_run: Path, go: Go, tmp_path: Path) -> None:
    """6 steps at once, and 3 + 3 with the program ended in between: no second start."""

    def end_after_the_first(_: str) -> None:
        raise KeyboardInterrupt

    go(tmp_path / "straight", old_run, steps=6)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "resumed", old_run, steps=6, say=end_after_the_first)
    torch.manual_seed(99)
    assert go(tmp_path / "resumed", old_run, steps=6)[0] == "level 8: goes on at step 3"
    straight, resumed = (read_state(tmp_path / name, "level8") for name in ("straight", "resumed"))
    assert straight is not None
    assert resumed is not None
    for part in ("level", "ema", "best"):
        for name, value in straight[part].items():
            assert torch.equal(resumed[part][name], value), (part, name)


def test_without_hints_it_is_a_run_of_the_old_shape(
    old_weights: Path, go: Go, tmp_path: Path, shape: PyramidConfig
) -> None:
    go(tmp_path, old_weights, hints=False)
    assert read_config(tmp_path) == shape


def test_dropout_may_be_another_than_that_of_the_start(
    old_run: Path, old_weights: Path, go: Go, tmp_path: Path
) -> None:
    """It is part of the shape, so a run keeps to its own; the start's comes with none given."""
    assert all(level.dropout > 0 for level in read_config(old_run).levels)
    go(tmp_path / "own", old_weights, hints=False)
    go(tmp_path / "none", old_weights, hints=False, dropout=0.0)
    own, none = (read_config(tmp_path / name) for name in ("own", "none"))
    assert own == read_config(old_run)
    assert [level.dropout for level in none.levels] == [0.0] * 5
    assert own.with_dropout(0) == none
    with pytest.raises(TrainingError, match="another shape or with other settings"):
        go(tmp_path / "none", old_weights, hints=False, steps=3)
    first, second = (read_state(tmp_path / name, "level8") for name in ("own", "none"))
    assert first is not None
    assert second is not None
    assert any(not torch.equal(x, second["level"][key]) for key, x in first["level"].items())


CHANGES = ({"couplings": 5}, {"context_layers": 3})


@pytest.mark.parametrize(
    ("grid", "changes"), [(grid, changes) for grid in (8, 32) for changes in CHANGES]
)
def test_a_grown_level_begins_as_the_old_one(
    grid: int,
    changes: dict[str, int],
    old_run: Path,
    pack_folder: Path,
) -> None:
    start = Start(old_run)
    pyramid = ChromaPyramid(start.shape.with_levels([grid], **changes))
    index = pyramid.config.chroma_grids.index(grid)
    pack, level = Pack(pack_folder), pyramid.levels[index]
    objective = LevelObjective(pyramid, index)
    trainer = Trainer(level, objective, pack, small_training(), torch.device("cpu"))
    start.apply(trainer, grid)
    old = ChromaPyramid(start.shape)
    old.levels[index].load_state_dict(start.weights(grid))
    ab, _ = pack.batch(pack.rows("dev"))
    condition = Conditioner()(100 * torch.rand(len(ab), 1, 256, 256))
    noise = [torch.Generator().manual_seed(3) for _ in range(2)]
    with torch.no_grad():
        losses = [
            LevelObjective(model, index).loss(module.eval(), ab, condition, source)
            for model, module, source in zip(
                (old, pyramid), (old.levels[index], trainer.ema), noise, strict=True
            )
        ]
    assert torch.allclose(losses[0], losses[1], atol=1e-2, rtol=1e-5)
    assert len(list(level.parameters())) > len(list(old.levels[index].parameters()))


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: next(iter(changes)))
def test_what_has_grown_learns(
    changes: dict[str, int], old_run: Path, go: Go, tmp_path: Path
) -> None:
    """What begins with zeros ends with none."""
    go(tmp_path / "run", old_run, hints=False, changes=changes, steps=6)
    old, new = read_state(old_run, "level8"), read_state(tmp_path / "run", "level8")
    assert old is not None
    assert new is not None
    extra = new["best"].keys() - old["best"].keys()
    assert extra
    of_couplings, of_layers = ("network.out.weight",), ("project.weight", "forward.3.weight")
    endings = of_couplings if "couplings" in changes else of_layers
    ends = [name for name in extra if name.endswith(endings)]
    assert len(ends) == (3 if "couplings" in changes else 4)
    assert all(new["best"][name].any() for name in ends)
    shape = read_config(tmp_path / "run")
    assert shape == read_config(old_run).with_levels([8], **changes)
    assert go(tmp_path / "run", old_run, hints=False, changes=changes, steps=7)[0].endswith(
        "step 6"
    )


def test_changes_that_cannot_be(old_run: Path, go: Go, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"--levels 32: .*couplings: expected 1 to 64"):
        go(tmp_path / "run", old_run, levels=(32,), changes={"couplings": 65})
    assert not (tmp_path / "run").exists()


def test_a_level_cannot_shrink(old_run: Path, go: Go, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="do not fit level 8"):
        go(tmp_path / "run", old_run, changes={"couplings": 1})


def test_a_run_with_hints_is_a_start_as_well(old_run: Path, go: Go, tmp_path: Path) -> None:
    go(tmp_path / "first", old_run)
    go(tmp_path / "second", tmp_path / "first", hints=False, steps=1)
    first, second = (read_state(tmp_path / name, "level8") for name in ("first", "second"))
    assert first is not None
    assert second is not None
    planes = "context.from_planes.out.weight"
    assert torch.allclose(second["level"][planes], first["best"][planes], atol=1e-3)
    assert read_config(tmp_path / "second").takes_hints


def test_the_start_is_part_of_the_settings(old_run: Path, go: Go, tmp_path: Path) -> None:
    go(tmp_path / "run", old_run)
    other = shutil.copytree(old_run, tmp_path / "other")
    for start in (None, other):
        shape = None if start else read_config(old_run)
        with pytest.raises(TrainingError, match="another shape or with other settings"):
            go(tmp_path / "run", start, shape=shape)


def test_the_weights_file_says_where_they_started(
    old_run: Path, pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bits_per_dim", "coarsest_nats", "blow_ups"):
        value = {"all": 5.0} if name == "bits_per_dim" else 0.0
        monkeypatch.setattr(export_module, name, lambda *_, value=value, **__: value)
    run, path = shutil.copytree(old_run, tmp_path / "run"), tmp_path / "new.safetensors"
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"start": "earlier"}))
    export(run, path, pack_folder=pack_folder, temperatures=[0.5] * 5, say=str)
    assert load_weights(path).training["start"] == "earlier"


# what cannot be a start


def refused(kind: type[ColorflowError], go: Go, folder: Path, start: Path) -> str:
    with pytest.raises(kind) as caught:
        go(folder, start)
    assert str(caught.value).startswith(str(start))
    return str(caught.value)


def test_no_start(go: Go, tmp_path: Path) -> None:
    assert "no such weights file" in refused(WeightsError, go, tmp_path / "run", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    message = refused(TrainingError, go, tmp_path / "run", tmp_path / "empty")
    assert "no training run here" in message
    (tmp_path / "file").write_text("mine")
    message = refused(WeightsError, go, tmp_path / "run", tmp_path / "file")
    assert "not a readable safetensors file" in message
    assert not (tmp_path / "run").exists()


def test_a_level_that_the_start_lacks(old_run: Path, go: Go, tmp_path: Path) -> None:
    part = shutil.copytree(old_run, tmp_path / "part")
    shutil.rmtree(part / "level8")
    message = refused(TrainingError, go, tmp_path / "run", part)
    assert "level 8 has no evaluated weights yet" in message


@pytest.mark.parametrize("name", ["context.position", "flow.bijections.1.network.out.weight"])
def test_weights_that_lack_a_tensor(name: str, old_run: Path, go: Go, tmp_path: Path) -> None:
    part = shutil.copytree(old_run, tmp_path / "part")
    state = read_state(part, "level8")
    assert state is not None
    assert name in state["best"]
    del state["best"][name]
    torch.save(state, part / "level8" / "state.pt")
    assert "do not fit level 8" in refused(TrainingError, go, tmp_path / "run", part)


@pytest.mark.parametrize("field", ["late_blocks", "last_blocks"])
def test_a_run_of_another_version_goes_on(
    field: str, old_run: Path, go: Go, tmp_path: Path
) -> None:
    """Its config.json lacks a field of today's, or has one that there is no more."""
    go(tmp_path / "run", old_run, steps=2)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    if field == "late_blocks":
        del config["pyramid"]["late_blocks"]
    else:
        for level in config["pyramid"]["levels"]:
            level["last_blocks"] = False
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert go(tmp_path / "run", old_run, steps=3)[0] == "level 8: goes on at step 2"


def test_weights_that_do_not_fit(old_run: Path, go: Go, tmp_path: Path) -> None:
    part = shutil.copytree(old_run, tmp_path / "part")
    shutil.copy(part / "level4" / "state.pt", part / "level8" / "state.pt")
    message = refused(TrainingError, go, tmp_path / "run", part)
    assert "its weights do not fit level 8 as it is now" in message


def test_a_shape_beside_a_start(old_run: Path, go: Go, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shape: expected none"):
        go(tmp_path, old_run, shape=read_config(old_run))
