"""A good weights file, and the pyramid that it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import save_weights
from tests.model.weights.files import TEMPERATURES, TRAINING
from tests.small_weights import small_level


@pytest.fixture(scope="module")
def pyramid() -> ChromaPyramid:
    """As small as can be, with all kinds of layers on the first level; random parameters."""
    torch.manual_seed(0)
    levels = (
        small_level(4, 8, couplings=3, attention=True),
        small_level(4, 8, couplings=1),
        small_level(8, 8, couplings=1),
        small_level(16, couplings=1),
        small_level(32, couplings=1),
    )
    pyramid = ChromaPyramid(PyramidConfig(levels=levels)).eval()
    with torch.no_grad():
        for parameter in pyramid.parameters():
            parameter.normal_(std=0.1)
    return pyramid


@pytest.fixture(scope="module")
def good(pyramid: ChromaPyramid, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a good file holds, in float32."""
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, pyramid, TEMPERATURES, TRAINING, torch.float32)
    return path.read_bytes()


@pytest.fixture
def path(good: bytes, tmp_path: Path) -> Path:
    """A good file of one's own."""
    path = tmp_path / "good.safetensors"
    path.write_bytes(good)
    return path
