"""Small baselines, and a pack of made-up photos that needs no feature network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from colorflow.baselines import BASELINES
from colorflow.baselines import train as train_module
from colorflow.model.config import PyramidConfig
from tests.small_baselines import CONFIG, SMALL_BASELINES
from tests.training.made_up_pack import write_pack


@pytest.fixture(scope="session")
def config() -> PyramidConfig:
    """The shape of a small deterministic network."""
    return CONFIG


@pytest.fixture
def small_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small modules under the names of the baselines."""
    for name, baseline in SMALL_BASELINES.items():
        monkeypatch.setitem(BASELINES, name, baseline)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks so small gain nothing from more, and the sums are the same everywhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _malloc_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "keep_freed_memory", lambda: None)


@pytest.fixture(scope="session")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack of 18 photos in 36 rows. Read it only."""
    folder = tmp_path_factory.mktemp("pack")
    write_pack(folder)
    return folder
