"""Small baselines."""

from __future__ import annotations

import pytest

from colorflow.evaluation.baselines import train as train_module


@pytest.fixture(autouse=True)
def _malloc_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "keep_freed_memory", lambda: None)
