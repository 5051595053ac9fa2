"""A stand-in for the run, and two small photos."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import colorflow.batch
from tests.cli.fake_run import FakeRun


@pytest.fixture
def fake_run(monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    fake = FakeRun()
    monkeypatch.setattr(colorflow.batch, "run", fake)
    return fake


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.new("L", (8, 6), 90).save(folder / name)
    return folder
