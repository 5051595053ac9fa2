"""Hints with the model: how far a color goes, and the same picture by the command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from colorflow.batch import Settings, make_plan, read_hints
from colorflow.color.swatches import MATERIALS, material_swatches
from colorflow.colorizer import Colorizer
from colorflow.photo import read_photo
from colorflow.recipe import Hint
from colorflow.ui.coloring import Options
from colorflow.ui.desk import Desk
from colorflow.ui.limits import UploadSpace
from colorflow.ui.render import SAMPLE_PHOTOS
from colorflow.ui.work import DeskWorker
from tests.in_process import run_in_process
from tests.small_weights import save_small_weights
from tests.ui.handling import file_of, fulfil, pixels


@pytest.fixture(scope="module")
def hinted(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """With small weights that take hints."""
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    return Colorizer.load(save_small_weights(path, extra_planes=3))


def test_the_command_makes_the_picture_that_the_page_showed(
    hinted: Colorizer, desk: Desk, gray: Path, tmp_path: Path
) -> None:
    """From saved hints, which say on which coloring they were given."""
    worker = DeskWorker(hinted, None, None, UploadSpace(tmp_path / "root"))
    worker.open(desk, [gray])
    fulfil(desk)
    worker.color(desk, Options(3, 0.7))
    fulfil(desk)
    desk.choose(2)
    desk.saturate(1.5)
    desk.put_point(600, 400)
    desk.color_point((-30.0, 25.0))
    worker.recolor(desk)
    fulfil(desk)
    worker.finish(desk, 1, False, "Its own")
    fulfil(desk)
    downloaded = file_of(desk)
    worker.save_hints(desk)
    plan = make_plan([gray], tmp_path, Settings(n=3), hints=read_hints(file_of(desk)))
    (outcome,) = run_in_process(plan, hinted)
    (made,) = outcome.colorings
    assert (outcome.status, Path(str(made.path)).name) == ("done", downloaded.name)
    assert np.array_equal(pixels(Path(str(made.path))), pixels(downloaded))


def test_a_color_of_a_face_stays_in_the_face() -> None:
    shipped = Colorizer.load()
    photo = read_photo(SAMPLE_PHOTOS / "portrait.jpg")
    row, column = 123, 225
    skin = material_swatches(70)[list(MATERIALS).index("Light or tan skin")]
    hint = Hint(row, column, skin.a / 2, skin.b / 2)  # paler than the face is without it
    plain, hinted, around = (
        shipped.colorize(photo, 1, hints=hints, force=True)[0]
        for hints in ((), [hint], [replace(hint, reach="around")])
    )
    change, local = (np.hypot(*(one.ab - plain.ab)) for one in (hinted, around))
    rows, columns = np.indices(change.shape)
    away = np.hypot(rows - row / 8, columns - column / 8)
    assert change[away < 3].mean() > 4, "the face"
    assert change[away > 10].max() < 0.1, "the clothes and all else"
    assert local[away < 2].mean() > 4
    assert local[away > 6].max() < 0.1, "what reaches around the point alone"
    assert np.array_equal(around.model_ab, plain.model_ab)
