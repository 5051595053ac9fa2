"""The API without a server: memory of results, wrong arguments, and what stays."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorflow.color import compiling
from colorflow.photo import photo_from_image
from colorflow.recipe import ColoringSpec, Colors, Recipe
from colorflow.result import Result
from colorflow.ui.api import Api
from colorflow.ui.owners import COOKIE
from colorflow.ui.work import DeskWorker
from tests.ui.fake_colorizer import FakeColorizer


@pytest.fixture
def api(root: Path, worker: DeskWorker) -> Api:
    with gr.Blocks(analytics_enabled=False):
        return Api(worker)


def test_results_are_rendered_without_a_float_plane_of_lightness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the photo and the result itself, memory for strips of rows alone."""
    monkeypatch.setattr(compiling, "PIXELS", 1 << 60)  # as on the page
    side = 2048
    gradient = np.arange(side, dtype=np.float32)[:, None] + np.arange(side, dtype=np.float32)
    photo = photo_from_image((gradient / 16).astype(np.uint8))
    recipe = Recipe(colors=Colors(spec=ColoringSpec(seeds=(0,))))
    result = Result(photo, recipe, grid=np.full((2, 1, 1), 20, np.float32))
    for _ in range(2):  # the first allocates what is allocated once
        tracemalloc.start()
        result.save(tmp_path / "colored.jpg")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    own, made, plane = side**2, 3 * side**2, 4 * side**2
    assert peak < own + made + 0.75 * plane


@pytest.fixture
def photo(root: Path, worker: DeskWorker) -> dict[str, str]:
    """An upload."""
    folder = root / (64 * "a")
    folder.mkdir()
    Image.fromarray(data.camera()[::4, ::4]).save(folder / "small.png")
    worker.space.owners.give(folder / "small.png", "ada")
    return {"path": str(folder / "small.png")}


def refusal(call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """The sentence that a call is refused with."""
    with pytest.raises(gr.Error) as error:
        call(SimpleNamespace(cookies={COOKIE: "ada"}), *arguments, **named)
    said = str(error.value.message)
    assert said[-1] in ".?"
    assert "\n" not in said
    return said


HINT = {"row": 1, "column": 1, "a": 0, "b": 0}


WRONG = (
    ({"n": 0}, "n: expected a whole number from 1 to 8, got 0"),
    ({"n": 1.5}, "n: expected"),
    ({"n": True}, "n: expected"),
    ({"n": [4]}, "n: expected"),
    ({"temperature": -0.1}, "temperature: expected a number from 0 to 1.5, got -0.1"),
    ({"temperature": "bold"}, "temperature: expected"),
    ({"samples": "yes"}, "samples: expected true or false, got 'yes'"),
    ({"seed": -1}, "seed: expected a whole number from 0 to 4294967295"),
    ({"format": "gif"}, "format: expected same or png or jpeg or tiff or webp, got 'gif'"),
    ({"hints": "x"}, "hints: expected a list of hints"),
    ({"hints": [1]}, "hints: hint 1: expected row, column, a and b"),
    ({"hints": [HINT, {**HINT, "row": 128}]}, "hints: hint 2 lies outside the photo"),
    ({"hints": [{**HINT, "a": 500}]}, "hints: hint 1: a: expected"),
    ({"hints": [{**HINT, "adds": [[1, 128]]}]}, "hints: hint 1 lies outside the photo"),
    ({"hints": [{**HINT, "takes": [1]}]}, "hints: hint 1: takes: expected [row, column] for each"),
    (
        {"hints": [{**HINT, "takes": [[1, 1]] * 2000}] * 6},
        "hints: the hints add and take 12000 places; this page takes 10000 at most",
    ),
    ({"hints": [HINT] * 101}, "hints: has 101 hints; this page takes 100 at most"),
    ({"photo": None}, "photo: expected a file that was uploaded"),
    ({"photo": "photo.jpg"}, "photo: expected a file that was uploaded"),
    ({"photo": {"path": "a\0b"}}, "photo: expected a file that was uploaded"),
)


def test_wrong_arguments(api: Api, photo: dict[str, str]) -> None:
    for arguments, words in WRONG:
        assert words in refusal(api.colorize, **{"photo": photo, **arguments})
    for arguments, words in (
        ({"scale": 3}, "scale: expected 2 or 4, got 3"),
        ({"scale": True}, "scale: expected"),
        ({"restore": 1}, "restore: expected true or false, got 1"),
        ({"format": "gif"}, "format: expected"),
        ({"photo": None}, "photo: expected a file that was uploaded"),
    ):
        assert words in refusal(api.enlarge, **{"photo": photo, **arguments})


def test_nothing_stays_of_what_fails(
    api: Api, photo: dict[str, str], colorizer: FakeColorizer, root: Path
) -> None:
    colorizer.error = MemoryError()
    assert refusal(api.colorize, photo) == "There is not enough memory; choose a smaller photo."
    assert [one.name for one in root.iterdir()] == [64 * "a"]
