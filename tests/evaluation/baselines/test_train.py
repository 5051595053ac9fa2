"""Training and export of baselines: what they leave, going on, and what they refuse."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from colorflow.errors import PackError, TrainingError
from colorflow.evaluation.baselines import BASELINES, Baseline, load_baseline
from colorflow.evaluation.baselines import train as train_module
from colorflow.evaluation.baselines.cinn import cinn_objective
from colorflow.evaluation.baselines.deterministic import DeterministicNetwork
from colorflow.evaluation.baselines.train import TEMPERATURES, export_baseline, train_baseline
from colorflow.evaluation.baselines.weights import DETERMINISTIC_SHAPE
from colorflow.evaluation.densities import ConditionalDensity
from colorflow.files import default_weights
from colorflow.model.condition import Condition
from colorflow.model.config import PyramidConfig
from colorflow.model.features import Features
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights, save_weights
from colorflow.training import until_budget
from colorflow.training.pack import Pack
from colorflow.training.run_folder import RunFolder
from colorflow.training.schedule import Budget
from colorflow.training.start import Start
from colorflow.training.trainer import TrainConfig, Trainer
from tests.evaluation.conftest import same, state_of
from tests.evaluation.small_baselines import CONFIG as SHAPE

CONFIG = TrainConfig(batch=8, peak_rate=0.02, evaluate_every=3.0, autocast=False)
Go = Callable[..., list[str]]

pytestmark = pytest.mark.usefixtures("small_baselines")


@pytest.fixture
def go(pack_folder: Path) -> Go:
    """Trains in a folder, 3 steps between evaluations; what it says."""

    def go(
        folder: Path,
        name: str = "deterministic",
        *,
        steps: int = 6,
        config: TrainConfig = CONFIG,
        contexts: Path | None = None,
        say: Callable[[str], None] | None = None,
    ) -> list[str]:
        said: list[str] = []
        train_baseline(
            name,
            [pack_folder],
            folder,
            config=config,
            budget=Budget(steps=steps),
            contexts=contexts,
            say=say or said.append,
        )
        return said

    return go


@pytest.fixture
def no_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(until_budget, "write_grid", lambda *_: None)


# training


@pytest.mark.parametrize(
    ("name", "unit"), [("deterministic", "squared CIELAB units"), ("cinn2019", "nats a photo")]
)
def test_a_run_leaves_its_state_curve_and_grid(
    name: str, unit: str, go: Go, tmp_path: Path
) -> None:
    """The messages say what the numbers are."""
    said = go(tmp_path, name, steps=2, config=TrainConfig(batch=8, evaluate_every=1.0))
    assert [line.split(",")[0] for line in said] == [f"{name}: step 1", f"{name}: step 2"]
    assert all(unit in line for line in said)
    assert {path.name for path in (tmp_path / name).iterdir()} == {
        "state.pt", "curve.csv", "grid.png", "tensorboard",
    }  # fmt: skip
    assert state_of(tmp_path, name)["best"]


def test_minutes_are_processor_time_as_in_the_zoo(
    no_grid: None, pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds of that clock a step: half a minute is three steps."""
    clock = itertools.count(0, 10)
    monkeypatch.setattr(train_module, "processor_seconds", lambda: next(clock))
    said: list[str] = []
    train_baseline(
        "deterministic", [pack_folder], tmp_path,
        config=replace(CONFIG, evaluate_every=100), budget=Budget(minutes=0.5), say=said.append,
    )  # fmt: skip
    assert [line.split(",")[0] for line in said] == ["deterministic: step 3"]


def test_an_unknown_baseline(go: Go, pack_folder: Path, tmp_path: Path) -> None:
    sentence = "pix2pix: no such baseline; there are deterministic, cinn2019"
    with pytest.raises(TrainingError) as caught:
        go(tmp_path / "run", "pix2pix")
    assert str(caught.value) == sentence
    with pytest.raises(TrainingError) as caught:
        export_baseline("pix2pix", tmp_path, tmp_path / "w.safetensors", pack_folder=pack_folder)
    assert str(caught.value) == sentence
    assert not list(tmp_path.iterdir())


# beginning with a pyramid's contexts


@pytest.fixture
def pyramid(tmp_path: Path) -> Path:
    """Weights of a pyramid of the same shape, which takes hints in addition; random parameters."""
    return save_pyramid(tmp_path / "pyramid.safetensors", replace(SHAPE, extra_planes=3))


def save_pyramid(path: Path, shape: PyramidConfig) -> Path:
    module = ChromaPyramid(shape)
    torch.manual_seed(5)
    with torch.no_grad():
        for x in (*module.parameters(), *module.buffers()):
            if x.is_floating_point():
                x.uniform_(0.1, 1.0)
        if module.late_blocks is not None:
            module.late_blocks.copy_from(Features())
            for x in module.late_blocks.parameters():
                x.mul_(0.95)
    save_weights(path, module, (1.0,) * len(shape.levels), {}, torch.float32)
    return path


def test_it_begins_with_the_contexts_of_a_pyramid(
    go: Go, pyramid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their statistics of features; its own heads are as new."""
    seen: list[Trainer] = []
    monkeypatch.setattr(train_module, "train_to_budget", lambda trainer, *_: seen.append(trainer))
    go(tmp_path / "run", contexts=pyramid)
    contexts = 0
    for module in (seen[0].module, seen[0].ema):
        state = module.state_dict()
        for index, level in enumerate(load_weights(pyramid).pyramid.levels):
            for name, x in level.context.state_dict().items():
                if not name.startswith("from_planes."):
                    assert torch.equal(state.pop(f"contexts.{index}.{name}"), x), name
                    contexts += 1
        assert state.keys() == {
            f"heads.{i}.{part}" for i in range(5) for part in ("weight", "bias")
        }
        assert not any(x.any() for x in state.values())
    assert contexts > 50


def test_it_goes_on_from_where_it_was_and_with_the_same_contexts(
    go: Go, no_grid: None, pyramid: Path, tmp_path: Path
) -> None:
    go(tmp_path / "run", steps=1, contexts=pyramid)
    before = state_of(tmp_path / "run", "deterministic")
    assert go(tmp_path / "run", steps=1, contexts=pyramid) == ["deterministic: goes on at step 1"]
    assert same(state_of(tmp_path / "run", "deterministic"), before)
    with pytest.raises(TrainingError, match="another shape or with other settings"):
        go(tmp_path / "run", steps=1)


def other_width(shape: PyramidConfig) -> PyramidConfig:
    return replace(shape, levels=(replace(shape.levels[0], width=12), *shape.levels[1:]))


def fewer_maps(shape: PyramidConfig) -> PyramidConfig:
    return replace(shape, levels=(replace(shape.levels[0], maps=()), *shape.levels[1:]))


def fewer_levels(shape: PyramidConfig) -> PyramidConfig:
    eight = replace(shape.levels[2], grid=8)
    return replace(shape, levels=(eight, *shape.levels[2:]))


@pytest.mark.parametrize("change", [other_width, fewer_maps, fewer_levels])
def test_contexts_of_another_shape(
    change: Callable[[PyramidConfig], PyramidConfig], go: Go, tmp_path: Path
) -> None:
    path = save_pyramid(tmp_path / "pyramid.safetensors", change(SHAPE))
    with pytest.raises(TrainingError) as caught:
        go(tmp_path / "run", contexts=path)
    assert str(caught.value).startswith(f"{path}: its contexts are not those of the determ")


@pytest.mark.slow
def test_it_begins_with_late_blocks_and_keeps_them(
    go: Go, no_grid: None, pack_folder: Path, tmp_path: Path
) -> None:
    """Through training, going on, export and loading, and every level sees their maps."""
    pyramid = save_pyramid(tmp_path / "late.safetensors", replace(SHAPE, late_blocks=True))
    trained = load_weights(pyramid).pyramid.late_blocks
    assert trained is not None
    slow = replace(CONFIG, peak_rate=1e-9)
    go(tmp_path / "run", steps=1, contexts=pyramid, config=slow)
    best = state_of(tmp_path / "run", "deterministic")["best"]
    for name, x in trained.state_dict().items():
        torch.testing.assert_close(best[f"contexts.0.last_blocks.{name}"], x, rtol=0, atol=1e-3)
    go(tmp_path / "run", steps=2, contexts=pyramid, config=slow)
    path = tmp_path / "deterministic.safetensors"
    export_baseline("deterministic", tmp_path / "run", path, pack_folder=pack_folder, say=str)
    module = load_baseline(path).module
    assert isinstance(module, DeterministicNetwork)
    pack = Pack(pack_folder)
    _, condition = pack.batch(pack.rows("dev")[:1])
    seen: list[Condition] = []
    for context in module.contexts:
        context.of_photo = lambda c, of=context.of_photo: seen.append(c) or of(c)
    with torch.no_grad():
        module(condition)
        maps = module.contexts[0].last_blocks(condition.features[32])
    assert len(seen) == 5
    for own in seen:
        torch.testing.assert_close(own.features[16], maps[16])
        torch.testing.assert_close(own.features[8], maps[8])


def test_the_shipped_weights_have_contexts_for_it() -> None:
    shipped = Start(default_weights())
    module = DeterministicNetwork(DETERMINISTIC_SHAPE, own_blocks=True)
    module.take_late_blocks()
    found = train_module._contexts_of(shipped, module)
    module.load_state_dict(module.state_dict() | found)
    new = module.state_dict().keys() - found.keys()
    assert {name.partition(".")[0] for name in new} == {"heads"}


def test_the_cinn_has_no_contexts_of_a_pyramid(go: Go, pyramid: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--contexts: only the deterministic network"):
        go(tmp_path / "run", "cinn2019", contexts=pyramid)


# export


def save_state(folder: Path, name: str, best: dict[str, Tensor]) -> None:
    """A run whose best weights are the given ones."""
    last = {name: torch.full_like(x, 9) for name, x in best.items()}
    state = {
        "level": last, "ema": last, "optimizer": {}, "step": 40, "seconds": 90.0, "skipped": 2,
        "best_dev": 12.34567, "best": best,
    }  # fmt: skip
    RunFolder(folder, {}).save(name, state)


def test_the_best_weights_are_exported(pack_folder: Path, tmp_path: Path) -> None:
    module = BASELINES["deterministic"].build()
    save_state(tmp_path / "run", "deterministic", module.state_dict())
    path, said = tmp_path / "deterministic.safetensors", list[str]()
    export_baseline(
        "deterministic", tmp_path / "run", path, pack_folder=pack_folder, say=said.append
    )
    loaded = load_baseline(path)
    assert loaded.temperature == 1
    assert loaded.training == {"steps": 40, "minutes": 1.5, "dev": 12.3457, "skipped_steps": 2}
    expected = {name: x.half().float() for name, x in module.state_dict().items()}
    assert same(loaded.module.state_dict(), expected)
    (line,) = said
    assert line.startswith(f"{path}: 0.")


class NormalDensity(ConditionalDensity):
    """Samples about gray, with the std that it is built with."""

    def __init__(self, std: float) -> None:
        nn.Module.__init__(self)
        self.std = nn.Parameter(torch.tensor(std))

    def sample(
        self,
        condition: Condition,
        n: int,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        sampled = torch.randn(len(condition), n, 2, 64, 64, generator=generator)
        return temperature * self.std * sampled


def normal_run(folder: Path, std: float, patch: pytest.MonkeyPatch) -> None:
    baseline = Baseline(build=lambda: NormalDensity(0.0), objective=cinn_objective)
    patch.setitem(BASELINES, "cinn2019", baseline)
    save_state(folder, "cinn2019", NormalDensity(std).state_dict())


@pytest.mark.parametrize("chosen", [0.3, 0.7, 0.9])
def test_the_temperature_is_that_of_the_lowest_energy_score(
    chosen: float, pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 8192 dimensions the score of samples about gray is sqrt(s^2 + v) - s / sqrt(2), with s
    their std and v the mean square of the truth; it is lowest where s is the root of v."""
    pack = Pack(pack_folder)
    rows = pack.rows("dev", variant="whole")
    v = (pack.batch(rows, ())[0].double().numpy() ** 2).mean((1, 2, 3))

    def score(s: float) -> float:
        return float(np.mean(np.sqrt(s**2 + v) - s / np.sqrt(2)))

    grid = np.linspace(1, 60, 1000)
    std = grid[np.argmin([score(s) for s in grid])] / chosen
    expected = {t: score(t * std) for t in TEMPERATURES}
    assert min(expected, key=lambda t: expected[t]) == chosen
    normal_run(tmp_path / "run", std, monkeypatch)
    path, said = tmp_path / "cinn2019.safetensors", list[str]()
    export_baseline("cinn2019", tmp_path / "run", path, pack_folder=pack_folder, say=said.append)
    assert load_baseline(path).temperature == chosen
    assert said[0].endswith(f" -> {chosen:g}")
    for t, value in expected.items():
        found = float(said[0].split(f"{t:g}: ")[1].split(",")[0].split(" ")[0])
        assert found == pytest.approx(value, rel=0.02)


def test_the_temperature_is_chosen_on_so_many_dev_photos(
    pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    normal_run(tmp_path / "run", 20.0, monkeypatch)
    seen: list[int] = []
    batch = Pack.batch

    def watch(pack: Pack, rows: np.ndarray, *more: object) -> object:
        seen.extend(rows)
        return batch(pack, rows, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Pack, "batch", watch)
    path = tmp_path / "w.safetensors"
    export_baseline("cinn2019", tmp_path / "run", path, pack_folder=pack_folder, photos=3, say=str)
    assert len(set(seen)) == 3
    assert set(seen) <= set(Pack(pack_folder).rows("dev", variant="whole"))


def test_a_pack_without_dev_photos(
    pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = shutil.copytree(pack_folder, tmp_path / "pack")
    table = (pack / "photos.csv").read_text(encoding="utf-8")
    (pack / "photos.csv").write_text(table.replace(",dev,", ",train,"), encoding="utf-8")
    normal_run(tmp_path / "run", 20.0, monkeypatch)
    with pytest.raises(PackError, match="no dev photo to choose the samples' temperature"):
        export_baseline(
            "cinn2019", tmp_path / "run", tmp_path / "w.safetensors", pack_folder=pack, say=str
        )
    assert not (tmp_path / "w.safetensors").exists()


def test_nothing_is_trained(pack_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    for _ in range(2):
        with pytest.raises(TrainingError, match="has no evaluated weights yet") as caught:
            export_baseline("cinn2019", tmp_path / "run", path, pack_folder=pack_folder, say=str)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / 'run'}: cinn2019 ")
        assert f"`colorflow baseline train cinn2019 PACK -o {tmp_path / 'run'}`" in message
        save_state(tmp_path / "run", "cinn2019", {})
    assert not path.exists()


def test_weights_of_another_shape(pack_folder: Path, tmp_path: Path) -> None:
    """As after a change of the architecture."""
    save_state(tmp_path, "deterministic", BASELINES["cinn2019"].build().state_dict())
    with pytest.raises(TrainingError, match="do not fit deterministic as it is now"):
        export_baseline(
            "deterministic", tmp_path, tmp_path / "w.safetensors", pack_folder=pack_folder, say=str
        )
