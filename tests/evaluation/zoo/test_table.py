"""`write_table`: what it measures, the three files, prose that stays, and what it refuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from colorflow.errors import EvaluationError, TrainingError
from colorflow.evaluation.densities import ConditionalDensity
from colorflow.evaluation.report import check_destination
from colorflow.evaluation.zoo import figure, measure, toys
from colorflow.evaluation.zoo.figure import FIGURE
from colorflow.evaluation.zoo.measure import Row, inverse_errors, median_seconds, photo_nats
from colorflow.evaluation.zoo.table import (
    BEGIN,
    END,
    ROWS,
    insert_table,
    markdown,
    write_table,
)
from colorflow.evaluation.zoo.train import make_trainer, train_architecture
from colorflow.flows import Bijection, Composition, Flatten, InversionError
from colorflow.model.condition import Condition
from colorflow.model.config import default_config
from colorflow.training.pack import Pack
from colorflow.training.run_folder import RunFolder, run_config
from colorflow.training.trainer import TrainConfig, Trainer

FIRST_KEYS = [
    "name", "parameters", "bits_per_dim_train", "bits_per_dim_dev", "seconds_per_step",
    "seconds_per_sample", "inverse_error", "minutes",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(pack_folder: Path, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two trained architectures. Read it only."""
    folder = tmp_path_factory.mktemp("run")
    for name, minutes in (("small", 4.0), ("smaller", 1.0)):
        train_architecture(
            name, pack_folder, folder, config=config, minutes=minutes, say=lambda _: None
        )
    return folder


@pytest.fixture(scope="module")
def pictures() -> tuple[torch.Tensor, Condition]:
    """In place of those that need the feature network."""
    pack_like = torch.Generator().manual_seed(0)
    ab = 20 * torch.randn(4, 2, 64, 64, generator=pack_like)
    features = {8: torch.rand(4, 320, 8, 8), 16: torch.rand(4, 112, 16, 16)}
    return ab, Condition(lightness=100 * torch.rand(4, 1, 128, 128), features=features)


@pytest.fixture(scope="module")
def written(
    run: Path,
    pack_folder: Path,
    pictures: tuple[torch.Tensor, Condition],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[str], list[Row]]:
    """The folder of a table beside prose, what was said, and the rows."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "zoo.md").write_text(f"# Mine\n\nBefore.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure, "shipped_pictures", lambda: pictures)
        patch.setattr(measure, "REPEATS", 2)
        rows = write_table(run, pack_folder, folder, seed=7, say=said.append)
    return folder, said, rows


@pytest.fixture
def trainer(pack_folder: Path, config: TrainConfig, tmp_path: Path) -> Trainer:
    """Of an untrained architecture: the identity after standardization."""
    return make_trainer("small", Pack(pack_folder), tmp_path, config, torch.device("cpu"))


# the files


def test_the_json_has_an_object_a_row(written: tuple[Path, list[str], list[Row]]) -> None:
    folder, _, rows = written
    objects = json.loads((folder / "zoo.json").read_text())
    assert [item["name"] for item in objects] == [row.name for row in rows]
    assert {item["name"] for item in objects} == {"SMALL", "SMALLER"}
    for item in objects:
        assert list(item)[:8] == FIRST_KEYS
        assert all(isinstance(item[key], (int, float)) for key in FIRST_KEYS[1:])
        assert all(math.isfinite(item[key]) for key in FIRST_KEYS[1:])
        assert item["command"] == "colorflow zoo table RUN PACK -o docs --seed 7"
        assert item["notes"] == ["reduced: 2 couplings"]
        assert item["hardware"].endswith("cores")
        assert len(item["date"].split("-")) == 3


def test_what_is_measured(written: tuple[Path, list[str], list[Row]]) -> None:
    small, smaller = sorted(written[2], key=lambda row: row.name)
    assert (small.minutes, small.steps, smaller.minutes, smaller.steps) == (4.0, 24, 1.0, 6)
    assert small.parameters == 2 * smaller.parameters
    assert small.context_parameters == smaller.context_parameters > 1000
    for row in (small, smaller):
        assert row.bits_per_dim_dev is not None
        assert 2.05 < row.bits_per_dim_dev < 8  # unit noise alone has 2.05
        assert row.standard_error_dev is not None
        assert 0 < row.standard_error_dev < 1
        assert 0 < row.seconds_per_sample < 60
        assert 0 < row.seconds_per_step < 60
        assert row.inverse_error is not None
        assert 0 < row.inverse_error < 1e-3


def test_the_best_stands_first(written: tuple[Path, list[str], list[Row]]) -> None:
    bits = [row.bits_per_dim_dev for row in written[2]]
    assert bits == sorted(bits, key=lambda value: value or 0)


def test_prose_around_the_table_stays(written: tuple[Path, list[str], list[Row]]) -> None:
    text = (written[0] / "zoo.md").read_text()
    assert text.startswith(f"# Mine\n\nBefore.\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nAfter.\n")
    assert "old" not in text
    assert "| SMALL |" in text
    assert "seed 7" in text
    assert str(written[0]) not in text


def test_what_is_not_trained_is_named(written: tuple[Path, list[str], list[Row]]) -> None:
    said = written[1]
    assert any(line.startswith("maf: not trained in") for line in said)
    assert not any(line.startswith("flat") for line in said), "not of this table"


def test_the_figure_is_a_picture(written: tuple[Path, list[str], list[Row]]) -> None:
    with Image.open(written[0] / "zoo.jpg") as picture:
        assert picture.format == "JPEG"
        assert picture.width > 800
        assert np.asarray(picture).std() > 10


@pytest.mark.slow
def test_the_pictures_are_those_that_scikit_image_ships() -> None:
    data = pytest.importorskip("skimage.data")
    ab, condition = figure.shipped_pictures()
    assert ab.shape == (4, 2, 64, 64)
    assert condition.lightness.shape == (4, 1, 128, 128)
    assert condition.features[16].shape == (4, 112, 16, 16)
    from skimage.color import rgb2lab

    astronaut = rgb2lab(data.astronaut())  # 512x512, so that both grids divide it
    lightness = astronaut[..., 0].reshape(128, 4, 128, 4).mean((1, 3))
    # Averaged as colors here and as lightness there: alike, not equal.
    assert abs(condition.lightness[0, 0].numpy() - lightness).mean() < 2
    chroma = astronaut[..., 1:].reshape(64, 8, 64, 8, 2).mean((1, 3))
    assert abs(ab[0].permute(1, 2, 0).numpy() - chroma).mean() < 2


def test_a_flow_that_cannot_sample_leaves_its_cell_blank(
    pictures: tuple[torch.Tensor, Condition], trainer: Trainer
) -> None:
    density = trainer.ema
    assert isinstance(density, ConditionalDensity)
    density.sample = fails  # type: ignore[method-assign, assignment]
    said: list[str] = []
    assert figure._samples("SMALL", density, pictures[1], 0, said.append) is None
    assert said == ["SMALL: no samples, far away"]


# measuring


def fails(*_: object, **__: object) -> Any:
    raise InversionError("far away")


@pytest.mark.parametrize("split", ["train", "dev"])
def test_likelihood_is_that_of_the_whole_large_photos(trainer: Trainer, split: str) -> None:
    """An untrained flow is the normal density of its statistics; each photo scored once."""
    density = trainer.ema.eval()
    assert isinstance(density, ConditionalDensity)
    nats = photo_nats(density, trainer, split, 500)
    rows = trainer.pack.rows(split, variant="whole", larger_than=128)
    assert len(nats) == len(rows)
    ab = trainer.pack.batch(np.random.default_rng(0).permutation(rows))[0].double().numpy()
    noise = torch.randn(len(rows), 2, 16, 16, generator=torch.Generator().manual_seed(1))
    x = ab.reshape(-1, 2, 16, 4, 16, 4).mean((3, 5)) + noise.numpy()
    mean, std = (v.numpy()[:, None, None] for v in density.standardize.state_dict().values())
    expected = -stats.norm.logpdf(x, mean, std).sum((1, 2, 3))
    assert np.abs(nats.numpy() - expected).max() < 0.01
    assert len(photo_nats(density, trainer, split, 3)) == 3


class Wrong(Bijection):
    """Its inverse is off by minus a half."""

    def forward(self, x: Any, context: Any = None) -> Any:
        return x + 1, x.new_zeros(len(x))

    def inverse(self, z: Any, context: Any = None) -> Any:
        return z - 1.5, z.new_zeros(len(z))


def test_the_inverse_error_is_in_units_of_ab(trainer: Trainer) -> None:
    density = trainer.ema.eval()
    assert isinstance(density, ConditionalDensity)
    assert max(inverse_errors(density, trainer)) < 1e-3  # type: ignore[type-var, operator]
    flat = Flatten((2, 16, 16))
    density.flow.bijection = Composition([density.standardize, Wrong(), flat])
    error, sampling = inverse_errors(density, trainer)
    assert error == pytest.approx(0.5 * float(density.standardize.std.max()), rel=1e-3)
    assert sampling == pytest.approx(0.5, rel=1e-3)


def test_an_inverse_that_does_not_converge_has_no_error(trainer: Trainer) -> None:
    density = trainer.ema.eval()
    assert isinstance(density, ConditionalDensity)
    density.flow.bijection.inverse = fails  # type: ignore[method-assign]
    row = measure.measure("small", trainer)
    assert row.inverse_error is None
    assert row.sampling_error is None
    assert "the inverse did not converge" in row.notes


def test_the_median_leaves_the_first_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0, 50, 100, 101, 200, 202, 300, 303] + [1000] * 50)
    monkeypatch.setattr(measure, "REPEATS", 3)
    monkeypatch.setattr(measure, "SECONDS_OF_A_TIMING", 1e9)
    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    assert median_seconds(lambda: None) == 2


def test_a_slow_action_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0, 100])
    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    assert median_seconds(lambda: None) == 100


# the table's text


def test_a_new_document_gets_the_markers() -> None:
    text = insert_table("# Title\n", "| a |")
    assert text == f"# Title\n\n{BEGIN}\n\n| a |\n{END}\n"
    again = insert_table(text, "| b |")
    assert again == f"# Title\n\n{BEGIN}\n\n| b |\n{END}\n"


def test_what_is_not_finite_is_said(written: tuple[Path, list[str], list[Row]]) -> None:
    row = replace(written[2][0], bits_per_dim_dev=None, standard_error_dev=None, inverse_error=None)
    about = json.loads((written[0] / "zoo.json").read_text())[0]
    text = markdown([row], about)
    assert "| not finite ± not finite |" in text
    assert "| none |" in text


# what it refuses


@pytest.mark.parametrize("text", [BEGIN, END, f"{END}\n{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_broken_markers(text: str, run: Path, pack_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "zoo.md").write_text(text)
    with pytest.raises(EvaluationError, match="expected the comment") as end:
        write_table(run, pack_folder, tmp_path, say=lambda _: None)
    assert str(end.value).startswith(f"{tmp_path / 'zoo.md'}: ")
    assert (tmp_path / "zoo.md").read_text() == text
    assert not (tmp_path / "zoo.json").exists()


def test_an_empty_folder(pack_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no run of `colorflow zoo train` here"):
        write_table(tmp_path, pack_folder, tmp_path / "docs")
    assert not (tmp_path / "docs").exists()


def test_a_run_of_the_pyramid(pack_folder: Path, tmp_path: Path, config: TrainConfig) -> None:
    RunFolder(tmp_path, run_config(default_config(), config))
    with pytest.raises(TrainingError, match="no run of `colorflow zoo train` here"):
        write_table(tmp_path, pack_folder, tmp_path / "docs")


def test_a_run_without_a_trained_architecture(run: Path, pack_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((run / "config.json").read_bytes())
    with pytest.raises(TrainingError, match="no architecture is trained; train one with"):
        write_table(tmp_path, pack_folder, tmp_path / "docs", say=lambda _: None)
    assert not (tmp_path / "docs").exists()


@pytest.mark.parametrize("name", ["zoo.json", "zoo.jpg"])
def test_files_of_others_stay(name: str, run: Path, pack_folder: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(EvaluationError, match=f"{name}: cannot be written .* that colorflow made"):
        write_table(run, pack_folder, tmp_path, say=lambda _: None)
    assert (tmp_path / name).read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_shipped_files_can_be_made_anew() -> None:
    docs = Path(__file__).parents[3] / "docs"
    check_destination(docs / "zoo.json", ROWS)
    check_destination(docs / "zoo.jpg", FIGURE)
    check_destination(docs / "zoo_toys.json", toys.NUMBERS)
    check_destination(docs / "zoo_toys.jpg", toys.FIGURE)
    with pytest.raises(EvaluationError):
        check_destination(docs / "zoo.json", toys.NUMBERS)
    with pytest.raises(EvaluationError):
        check_destination(docs / "zoo.jpg", toys.FIGURE)
