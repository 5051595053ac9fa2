"""Planar and radial flows in the plane: amortized, and each layer with a say of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from colorflow.flows import Bijection, Planar, Radial
from colorflow.zoo import ARCHITECTURES, planar, radial

CONTEXT_CHANNELS = 3


@pytest.mark.parametrize(("build", "kind"), [(planar, Planar), (radial, Radial)])
def test_layers_differ_and_all_see_the_context(
    build: Callable[..., Bijection], kind: type[Bijection], randomize: Callable[..., Bijection]
) -> None:
    flow = randomize(build((2, 1, 1), CONTEXT_CHANNELS, depth=5), 0.35).double()
    layers = [part for part in flow.modules() if isinstance(part, kind)]
    assert len(layers) == 5
    x = torch.ones(1, 2, 1, 1, dtype=torch.float64)
    context = torch.ones(1, CONTEXT_CHANNELS, 1, 1, dtype=torch.float64)
    moved = torch.stack([layer(x, context)[0].flatten() for layer in layers])
    assert torch.cdist(moved, moved)[~torch.eye(5, dtype=torch.bool)].min() > 1e-4
    other = torch.stack([layer(x, -context)[0].flatten() for layer in layers])
    assert (moved - other).abs().amax(1).min() > 1e-4


def test_they_are_for_the_plane_alone() -> None:
    in_the_plane = {name for name, architecture in ARCHITECTURES.items() if not architecture.images}
    assert in_the_plane == {"planar", "radial"}
