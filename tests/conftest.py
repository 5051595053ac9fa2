"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable

# As the command does, before NumPy is imported: worker processes inherit it from the first test to
# call the command, and on some processors the number of threads changes the last bit of a product.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
import torch
from torch import nn

SEED = 0


def _randomize(module: nn.Module, gain: float = 0.7) -> nn.Module:
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for parameter in module.parameters():
            scale = gain / parameter[0].numel() ** 0.5  # keeps activations of order one
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(scale * noise.to(parameter))
        for name, buffer in module.named_buffers():
            kind = name.rpartition(".")[2]
            if kind in ("mean", "std"):
                noise = torch.randn(buffer.shape, generator=generator, dtype=torch.float64)
                buffer.copy_(noise if kind == "mean" else (0.5 * noise).exp())
    return module.eval()


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Networks so small gain nothing from more, and the sums are the same everywhere."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed() -> None:
    """The same initial parameters in every order of tests."""
    torch.manual_seed(SEED)


@pytest.fixture
def randomize() -> Callable[..., nn.Module]:
    """Gives a module random parameters and statistics, in evaluation mode.

    Layers that start at zero make a flow the identity and hide every fault, so no test of a
    bijection may run without this.
    """
    return _randomize
