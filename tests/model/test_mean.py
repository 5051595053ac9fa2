"""The mean head: shapes, statistics, independence of photos, and that it learns."""

from __future__ import annotations

import math

import pytest
import torch

from colorflow.model.condition import FEATURE_CHANNELS, Condition
from colorflow.model.heads import MeanHead


def condition(photos: int, seed: int = 0) -> Condition:
    source = torch.Generator().manual_seed(seed)
    return Condition(
        lightness=100 * torch.rand(photos, 1, 128, 128, generator=source),
        features={
            grid: 3 + 2 * torch.randn(photos, channels, grid, grid, generator=source)
            for grid, channels in FEATURE_CHANNELS.items()
        },
    )


def randomized() -> MeanHead:
    torch.manual_seed(1)
    head = MeanHead()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    head.fit(condition(8, seed=5))
    return head.eval()


def test_every_input_counts_and_every_parameter_gets_a_gradient() -> None:
    head, photos = randomized(), condition(2)
    photos = photos.map(lambda x: x.requires_grad_())
    head(photos).square().mean().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    for x in (photos.lightness, *photos.features.values()):
        assert x.grad is not None
        assert x.grad.abs().max() > 0


def test_features_are_standardized_by_the_training_data() -> None:
    head, photos = randomized(), condition(8, seed=5)
    for grid, x in photos.features.items():
        standard = head.standardize[str(grid)](x)
        assert standard.mean((0, 2, 3)).abs().max() < 0.05
        assert (standard.std((0, 2, 3)) - 1).abs().max() < 0.05
        assert head.standardize[str(grid)](1e6 * x).abs().max() <= 6


@pytest.mark.slow
def test_it_learns_colors_that_features_tell() -> None:
    torch.manual_seed(0)
    head, photos = MeanHead(dropout=0.0), condition(8)
    truth = 10 * photos.features[64][:, :2]
    head.fit(photos)
    optimizer = torch.optim.Adam(head.parameters(), 3e-3)
    first = last = math.nan
    for step in range(60):
        loss = (head(photos) - truth).square().mean()
        value = float(loss.detach())
        first, last = (value, last) if step == 0 else (first, value)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert last < 0.4 * first
