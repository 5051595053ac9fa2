"""The API without a server: memory of results, what the quiz tells, who is remembered."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorflow.photo import photo_from_image
from colorflow.ui.api import Api
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.storage import VISITORS
from tests.ui.fake_colorizer import FakeColorizer


@pytest.fixture
def api(root: Path) -> Api:
    (root / VISITORS).mkdir()
    with gr.Blocks(analytics_enabled=False):
        return Api(FakeColorizer(), root, MemoryBudget())  # type: ignore[arg-type]


def test_results_are_rendered_without_a_float_plane_of_lightness(root: Path) -> None:
    """Beside the result itself, memory for strips of rows alone."""
    side = 2048
    gradient = np.arange(side, dtype=np.float32)[:, None] + np.arange(side, dtype=np.float32)
    photo = photo_from_image((gradient / 16).astype(np.uint8), "large.png")
    colorizer = FakeColorizer()
    (root / VISITORS).mkdir()
    with gr.Blocks(analytics_enabled=False):
        api = Api(colorizer, root, MemoryBudget())  # type: ignore[arg-type]
    colorings = colorizer.colorize(photo, 1, force=True)
    api._write(photo, colorings, "jpeg")  # what is allocated once
    tracemalloc.start()
    try:
        api._write(photo, colorings, "jpeg")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    result, plane = 3 * side**2, 4 * side**2
    assert peak < result + 0.75 * plane


@pytest.fixture
def photo(root: Path) -> dict[str, str]:
    """An upload."""
    folder = root / (64 * "a")
    folder.mkdir()
    Image.fromarray(data.camera()[::4, ::4]).save(folder / "small.png")
    return {"path": str(folder / "small.png")}


def refusal(call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """The sentence that a call is refused with."""
    with pytest.raises(gr.Error) as error:
        call(*arguments, **named)
    said = str(error.value.message)
    assert said[-1] in ".?"
    assert "\n" not in said
    return said


HINT = {"row": 1, "column": 1, "a": 0, "b": 0}


WRONG = (
    ({"n": 0}, "n: expected a whole number from 1 to 8, got 0"),
    ({"n": 9}, "n: expected"),
    ({"n": 1.5}, "n: expected"),
    ({"n": True}, "n: expected"),
    ({"n": "4" * 9999}, "n: expected"),
    ({"n": None}, "n: expected"),
    ({"n": [4]}, "n: expected"),
    ({"vividness": -0.1}, "vividness: expected a number from 0 to 1.5, got -0.1"),
    ({"vividness": 1e300}, "vividness: expected"),
    ({"vividness": "bold"}, "vividness: expected"),
    ({"samples": "yes"}, "samples: expected true or false, got 'yes'"),
    ({"preview": 1}, "preview: expected true or false, got 1"),
    ({"seed": -1}, "seed: expected a whole number from 0 to 4294967295"),
    ({"seed": 2**32}, "seed: expected"),
    ({"format": "gif"}, "format: expected one of same, png, jpeg, tiff, webp, got 'gif'"),
    ({"format": {"png": 1}}, "format: expected"),
    ({"format": "../../x"}, "format: expected"),
    ({"hints": "x"}, "hints: expected a list of hints"),
    ({"hints": [1]}, "hints: hint 1: expected row, column, a and b"),
    ({"hints": [HINT, {**HINT, "row": 128}]}, "hints: hint 2 lies outside the photo"),
    ({"hints": [{**HINT, "a": 500}]}, "hints: hint 1: a: expected"),
    ({"hints": [{**HINT, "a": "red"}]}, "hints: hint 1: a: expected a number"),
    ({"hints": [HINT] * 101}, "hints: has 101 hints; this page takes 100 at most"),
    ({"photo": None}, "photo: expected a file that was uploaded"),
    ({"photo": "photo.jpg"}, "photo: expected a file that was uploaded"),
    ({"photo": {"path": "a\0b"}}, "photo: expected a file that was uploaded"),
    ({"photo": {"path": 3}}, "photo: expected a file that was uploaded"),
)


def test_wrong_arguments(api: Api, photo: dict[str, str]) -> None:
    for arguments, words in WRONG:
        call = api.hints if "hints" in arguments else api.colorize
        assert words in refusal(call, **{"photo": photo, **arguments})
