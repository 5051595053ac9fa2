"""Albums of small gray photos, weights that cost nothing, and a bench for archives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image

from colorflow import batch
from colorflow.batch import PhotoOutcome, Plan, Settings, make_plan
from colorflow.batch.settings import BatchSettings
from colorflow.colorizer import Colorizer
from colorflow.enlarge.enlarger import Enlarger
from colorflow.repair.repairer import Repairer
from tests.batch.bench import Bench
from tests.batch.results import Run, Save, Work
from tests.in_process import run_in_process

HEIGHT, WIDTH = 48, 64


def gray_pixels(number: int = 0) -> np.ndarray:
    """A piece of a photo in gray, each number another one."""
    top, left = 40 + 3 * number % 200, 100 + 7 * number % 200
    rgb = skimage.data.astronaut()[top : top + HEIGHT, left : left + WIDTH]
    return np.round(255 * skimage.color.rgb2gray(rgb)).astype(np.uint8)


@pytest.fixture
def save_photo() -> Save:
    """Writes a gray photo, with the folders that it needs."""

    def save(path: Path, number: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(gray_pixels(number)).save(path)
        return path

    return save


@pytest.fixture
def album(tmp_path: Path, save_photo: Save) -> Path:
    """A folder with two photos and a folder with one."""
    for number, name in enumerate(("a.jpg", "b.png", "inner/c.jpg")):
        save_photo(tmp_path / "album" / name, number)
    return tmp_path / "album"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def work(colorizer: Colorizer, enlarger: Enlarger, repairer: Repairer, out: Path) -> Work:
    """Plans and runs by some settings; outcomes by the photos' names."""

    def work(settings: BatchSettings, *inputs: Path, **options: object) -> dict[str, PhotoOutcome]:
        plan = make_plan(inputs, out, settings, **options)  # type: ignore[arg-type]
        outcomes = run_in_process(plan, colorizer, enlarger, repairer)
        return {outcome.path.name: outcome for outcome in outcomes}

    return work


@pytest.fixture
def color_all(work: Work) -> Run:
    """The same for coloring; what is none of its settings is an option of the plan."""
    names = {field.name for field in fields(Settings)}

    def color_all(*inputs: Path, **given: object) -> dict[str, PhotoOutcome]:
        settings = Settings(**{k: x for k, x in given.items() if k in names})  # type: ignore[arg-type]
        return work(settings, *inputs, **{k: x for k, x in given.items() if k not in names})

    return color_all


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "bench"
    folder.mkdir()
    return Bench(folder)


@pytest.fixture
def in_process(
    monkeypatch: pytest.MonkeyPatch, colorizer: Colorizer, enlarger: Enlarger, repairer: Repairer
) -> None:
    """The command works in this process, which takes no seconds to start."""

    def run(plan: Plan, **_: object) -> Iterator[PhotoOutcome]:
        return run_in_process(plan, colorizer, enlarger, repairer)

    monkeypatch.setattr(batch, "run", run)
