"""What ours is compared with: its own mean, and a density of the whole photo."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from colorflow.color.full_resolution import lightness_of
from colorflow.enlarge.mean import MeanDoubling, StepConfig
from colorflow.enlarge.model import DetailModel
from colorflow.enlarge.train import train_doubling
from colorflow.enlarge.weights import FIRST, LAST, EnlargeWeights
from colorflow.errors import TrainingError
from colorflow.evaluation.enlarge import srflow as srflow_module
from colorflow.evaluation.enlarge.columns import columns_of, densities_of
from colorflow.evaluation.enlarge.srflow import COMPARED, SRFlowDoubling
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig
from tests.enlarge.made_up_patches import write_patches

SMALL = StepConfig(width=8, blocks=1, own_blocks=1, couplings=2, coupling_width=8, bins=4)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(srflow_module, "CONFIG", SMALL)
    monkeypatch.setattr(srflow_module, "_SRFLOW_DEPTH", 1)
    monkeypatch.setattr(srflow_module, "_SRFLOW_WIDTH", 8)


@pytest.fixture
def photos() -> tuple[torch.Tensor, torch.Tensor]:
    from skimage import data

    lightness = torch.from_numpy(lightness_of(data.camera()))
    high = torch.stack([lightness[100:132, 200:232], lightness[300:332, 240:272]])[:, None]
    return high, F.avg_pool2d(high, 2)


@torch.no_grad()
def test_the_mean_keeps_the_means_of_cells(
    photos: tuple[torch.Tensor, torch.Tensor], randomize: Callable[..., nn.Module]
) -> None:
    high, low = photos
    network = MeanDoubling(SMALL)
    randomize(network)
    result = network.sample(low, 1.0)
    assert torch.equal(result, network.sample(low, 0.0))
    assert (F.avg_pool2d(result, 2) - low).abs().max() < 1e-3
    # Equal means: the squared error of the photo is that of its details, three of four numbers.
    error = (result - high).square().mean((1, 2, 3))
    assert torch.allclose(network(high, low), error * 4 / 3, rtol=1e-3)


@torch.no_grad()
def test_srflow_is_a_density_of_the_whole_photo(
    photos: tuple[torch.Tensor, torch.Tensor], randomize: Callable[..., nn.Module]
) -> None:
    high, low = photos
    model = SRFlowDoubling(32)
    randomize(model, 0.1)
    assert (model.decode(model.encode(high, low), low) - high).abs().max() < 1e-2
    samples = model.sample(low, 0.8, torch.Generator().manual_seed(0))
    assert samples.shape == high.shape
    assert (F.avg_pool2d(samples, 2) - low).abs().max() > 0.1, "nothing keeps the means"
    larger = SRFlowDoubling(64)
    larger.load_state_dict(model.state_dict())
    assert larger.sample(F.interpolate(low, scale_factor=2), 0.8).shape == (2, 1, 64, 64)


def test_srflow_s_density_is_that_of_the_change_of_variables(
    photos: tuple[torch.Tensor, torch.Tensor], randomize: Callable[..., nn.Module]
) -> None:
    high = photos[0][:1, :, :8, :8].double()
    low = F.avg_pool2d(high, 2)
    model = SRFlowDoubling(8)
    randomize(model, 0.1)
    model.double()

    def latents(x: torch.Tensor) -> torch.Tensor:
        return model.encode(x.view_as(high), low).flatten()

    jacobian = torch.autograd.functional.jacobian(latents, high.flatten())
    z = latents(high)
    normal = -0.5 * (z**2).sum() - len(z) / 2 * math.log(2 * math.pi)
    expected = float((normal + torch.linalg.slogdet(jacobian).logabsdet).detach())
    assert float(model(high, low).detach()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_columns_of_a_run(tmp_path: Path, randomize: Callable[..., nn.Module]) -> None:
    pack, run = tmp_path / "pack", tmp_path / "run"
    pack.mkdir()
    write_patches(pack)
    models = {name: DetailModel(SMALL) for name in (FIRST, LAST)}
    for model in models.values():
        randomize(model, 0.1)
    weights = EnlargeWeights(models=models, training={}, digest="0" * 16)
    with pytest.raises(TrainingError, match="srflow has no evaluated weights"):
        columns_of(2, weights, 32, run)
    config = TrainConfig(batch=4, evaluate_every=1, dev_photos=4, autocast=False)
    for name in COMPARED:
        train_doubling(
            name, pack, run, trainees=COMPARED, config=config, budget=Budget(steps=2), say=print
        )
    low = np.full((8, 8), 50, np.float32)
    for scale, srflow_run in ((2, run), (4, run), (4, None)):
        columns = columns_of(scale, weights, 8 * scale, srflow_run)
        assert len(columns) == 9 - 2 * (srflow_run is None)
        for column in columns:
            result = column.enlarge(low, 2 if column.random else 1, torch.Generator())
            assert result.shape == (1 + column.random, 8 * scale, 8 * scale), column.name
            assert np.isfinite(result).all()
            assert column.random == (len(result) == 2 and not np.allclose(*result))
    assert set(densities_of(weights, 32, run)) == {"ours", "SRFlow"}
