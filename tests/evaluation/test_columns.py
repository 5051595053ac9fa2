"""What each column samples, and the likelihood beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from colorflow.errors import WeightsError
from colorflow.evaluation.baselines import BASELINES, ConditionalDensity, load_baseline
from colorflow.evaluation.columns import Column, baseline_columns, columns_of, training_colors_of
from colorflow.model.condition import CONDITION_GRID, Condition
from colorflow.model.heads import HEADS_SIZE
from colorflow.model.weights import LoadedWeights, load_weights
from colorflow.photo_model import PhotoModel
from colorflow.recipe import ColoringSpec
from tests.evaluation.conftest import generator, random_condition
from tests.evaluation.small_baselines import save_baseline
from tests.small_weights import GAIN, TEMPERATURES


@pytest.fixture(scope="module")
def loaded(weights: Path) -> LoadedWeights:
    return load_weights(weights)


@pytest.fixture(scope="module")
def columns(loaded: LoadedWeights) -> dict[str, Column]:
    return {column.name: column for column in columns_of(loaded)}


@dataclass(eq=False)
class Seen:
    """What columns know of a photo."""

    condition: Condition

    @property
    def mirrored(self) -> Condition:
        """It looks like the photo."""
        return self.condition

    @property
    def large(self) -> Condition:
        """The photo beside itself, twice across and twice down."""
        return self.condition.map(lambda x: x.tile(2, 2))


def samples(column: Column, photo: Condition, n: int, seed: int = 3) -> Tensor:
    assert column.sample is not None
    with torch.no_grad():
        return column.sample(Seen(photo), n, generator(seed))  # type: ignore[arg-type]


def model_of(loaded: LoadedWeights, photo: Condition) -> PhotoModel:
    large = Seen(photo).large
    return PhotoModel(loaded, lambda side, *, mirrored: large if side == HEADS_SIZE else photo)


@pytest.fixture(scope="module")
def both() -> Condition:
    """Of two photos."""
    return random_condition(2)


@pytest.fixture(scope="module")
def condition(both: Condition) -> Condition:
    return both.map(lambda x: x[:1])


def test_samples_at_std_1_are_the_models(
    columns: dict[str, Column], loaded: LoadedWeights, condition: Condition
) -> None:
    ab = samples(columns["colorflow_std1"], condition, 4)
    assert ab.shape == (4, 2, 64, 64)
    repeated = condition.map(lambda x: x.expand(4, *x.shape[1:]))
    for latent in loaded.pyramid.encode(ab, repeated, 1.0):
        assert abs(latent.std() - 1) < 4 / math.sqrt(latent.numel()) + 1e-3


def test_samples_at_the_schedule_are_as_users_see_them(
    columns: dict[str, Column], loaded: LoadedWeights, condition: Condition
) -> None:
    """Those of the model at its temperatures and gain, assigned to things, with skin's color."""
    source = generator(3)
    latents = [
        std * torch.randn(4, *shape, generator=source)
        for shape, std in zip(loaded.pyramid.latent_shapes(), TEMPERATURES, strict=True)
    ]
    with torch.no_grad():
        ab = loaded.pyramid.decode(latents, condition, GAIN).numpy()
    tints = (latents[0].sum((2, 3)) / 4).numpy()
    model, specs = model_of(loaded, condition), [ColoringSpec(seeds=(0,) * 5)] * 4
    want = model.paint(ab, specs, tints)
    got = samples(columns["colorflow"], condition, 4)
    np.testing.assert_allclose(got, want, atol=0.05)
    assert np.abs(want - ab).mean() > 0.5
    assert model.skin is not None
    sure = model.skin.weight > 0.9
    assert sure.any()
    turns = np.angle(np.array([one[0, sure] + 1j * one[1, sure] for one in want]))
    assert np.ptp(turns, 0).max() > 0.05, "each sample has its own tone of skin"


def test_principal_colorings_are_those_that_users_get(
    columns: dict[str, Column], loaded: LoadedWeights, condition: Condition
) -> None:
    principal = columns["principal"].principal
    assert principal is not None
    ab, shares = principal(Seen(condition), 5)  # type: ignore[arg-type]
    model = model_of(loaded, condition)
    want, want_shares = model.principal(ColoringSpec(seeds=(0,) * 5), 5)
    specs = [ColoringSpec(seeds=(0,) * 5).principal_spec(i, 5) for i in range(5)]
    np.testing.assert_array_equal(ab, model.paint(want, specs))
    assert tuple(shares) == want_shares


def test_bits_per_dim_are_those_of_log_prob(
    columns: dict[str, Column], loaded: LoadedWeights, condition: Condition
) -> None:
    ab = 10 * torch.randn(1, 2, 64, 64)
    column = columns["colorflow"]
    assert column.density is not None
    with torch.no_grad():
        bits, back = column.density(ab, condition)
    assert 0 < (back - ab).abs().max() < 0.05
    want = -float(loaded.pyramid.log_prob(ab, condition)) / 8192 / math.log(2)
    assert bits["all"] == pytest.approx(want, rel=1e-5)
    dims = {"4": 32, "8": 96, "16": 384, "32": 1536, "64": 6144}
    assert bits.keys() == {*dims, "all"}
    total = sum(bits[name] * count for name, count in dims.items()) / 8192
    assert total == pytest.approx(want, rel=1e-5)


# baselines


@pytest.fixture
def baselines(tmp_path: Path, small_baselines: None) -> Path:
    """A folder with a file of each."""
    for name, baseline in BASELINES.items():
        module = randomized(baseline())
        save_baseline(tmp_path / f"{name}.safetensors", name, module, 0.5)
    return tmp_path


def randomized(module: nn.Module) -> nn.Module:
    """All parameters random, those of layers that start at zero too."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        if isinstance(module, ConditionalDensity):
            module.standardize.std.fill_(8.0)
    return module


def columns_by_name(folder: Path) -> dict[str, Column]:
    return {column.name: column for column in baseline_columns(folder, print)}


def test_a_missing_baseline_is_named(baselines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(columns_by_name(baselines)) == list(BASELINES)
    assert not capsys.readouterr().out
    path = baselines / "cinn2019.safetensors"
    path.unlink()
    assert list(columns_by_name(baselines)) == ["deterministic"]
    line = f"{path}: is missing, so the table has no column cinn2019\n"
    assert capsys.readouterr().out == line


def test_every_sample_of_the_deterministic_network_is_its_result(
    baselines: Path, both: Condition
) -> None:
    column = columns_by_name(baselines)["deterministic"]
    photos = [both.map(lambda x, i=i: x[i : i + 1]) for i in range(2)]
    first, second = (samples(column, photo, 3) for photo in photos)
    module, _ = load_baseline(baselines / "deterministic.safetensors", "deterministic")
    with torch.no_grad():
        expected = module(photos[0])[0]
    assert first.shape == (3, 2, 64, 64)
    assert all(torch.equal(ab, expected) for ab in first)
    assert (first[0] - second[0]).abs().max() > 0.1


def test_the_cinns_column_is_its_own_density_at_its_temperature(
    baselines: Path, condition: Condition
) -> None:
    column = columns_by_name(baselines)["cinn2019"]
    module, _ = load_baseline(baselines / "cinn2019.safetensors", "cinn2019")
    assert column.density is not None
    noise = 10 * torch.randn(1, 2, 64, 64)
    with torch.no_grad():
        context = module.context_of(condition)
        for ab in samples(column, condition, 2):
            z, _ = module.flow.bijection(ab[None], context)
            assert z.std().item() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(2 * z.numel()))
        bits, back = column.density(noise, condition)
        want = -float(module.flow.log_prob(noise, context)) / 8192 / math.log(2)
    assert bits == {"all": pytest.approx(want, rel=1e-5)}
    assert (back - noise).abs().max() < 0.01
    assert not torch.equal(back, noise)


def test_the_colors_of_the_training_photos(loaded: LoadedWeights) -> None:
    """From the header, where earlier versions called the limit by another name."""
    with pytest.raises(WeightsError, match="write them again with `colorflow export`"):
        training_colors_of(replace(loaded, training={}))
    stored = {"colors": {"mean_ab": [2.0, -3.0], "largest_chroma": 50.0}}
    newer = replace(loaded, training=stored)
    assert training_colors_of(newer).blow_up_chroma == 50
    (mean,) = [column for column in columns_of(newer) if column.name == "mean_color"]
    one = Condition(lightness=torch.zeros(1, 1, CONDITION_GRID, CONDITION_GRID), features={})
    assert samples(mean, one, 1)[0, :, 5, 9].tolist() == [2.0, -3.0]
