"""The one button: what it does equals what the command does, to the bit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import gradio as gr
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from skimage import data

from colorflow.batch import RestoreSettings, Settings, make_plan
from colorflow.colorizer import Colorizer
from colorflow.ui.api import Api
from colorflow.ui.limits import UploadSpace
from colorflow.ui.owners import COOKIE
from colorflow.ui.prepare import RestoreSteps
from colorflow.ui.render import render
from colorflow.ui.work import DeskWorker
from tests.in_process import run_in_process
from tests.small_weights import save_small_weights
from tests.statements import statement_of
from tests.ui.cracked_print import save_scan
from tests.ui.fake_colorizer import SmallRepairer
from tests.ui.handling import WorkedDesk, pixels
from tests.ui.page_process import Page
from tests.ui.visitor import Visitor


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    return Colorizer.load(save_small_weights(tmp_path_factory.mktemp("weights") / "w.safetensors"))


@pytest.fixture
def real(desk: WorkedDesk, small: Colorizer, tmp_path: Path) -> WorkedDesk:
    """A desk with a model, and no fake."""
    space = UploadSpace(tmp_path / "root")
    desk.worker = DeskWorker(small, None, SmallRepairer.load(), space)
    return desk


def faded(path: Path) -> Path:
    """Write a scan of a cracked print whose tones are pale."""
    save_scan(path, 1.5)
    with Image.open(path) as image:
        scan = np.asarray(image)
        exif = image.getexif()
    pale = np.where(scan > 40, 90 + scan * 0.5, scan).astype(np.uint8)
    Image.fromarray(pale).save(path.with_suffix(".png"), exif=exif)
    return path.with_suffix(".png")


def restored(path: Path, folder: Path, worker: DeskWorker, **settings: Any) -> Path:
    """What `colorflow restore` makes of a scan."""
    plan = make_plan([path], folder, RestoreSettings(**settings))
    (outcome,) = run_in_process(plan, worker.colorizer, None, worker.repairer)
    assert outcome.status == "done"
    return outcome.colorings[0].path


@pytest.mark.parametrize("left_out", [(), ("crop",), ("repair",), ("fading",), ("color",)])
def test_it_makes_what_the_command_makes(
    real: WorkedDesk, tmp_path: Path, left_out: tuple[str, ...]
) -> None:
    scan = faded(tmp_path / "scan.jpg")
    real.put(scan)
    steps = RestoreSteps(**dict.fromkeys(left_out, False))
    real.do("restore", steps)
    assert not real.is_bad, real.said
    photo = real.photo
    assert (photo.chosen is None) == ("color" in left_out)
    made = real.finish(1, "PNG")
    want = restored(scan, tmp_path / "out", real.worker, **dict.fromkeys(left_out, False))
    np.testing.assert_array_equal(pixels(made), pixels(want))
    ours, theirs = statement_of(made), statement_of(want)
    assert ours.recipe.repair == theirs.recipe.repair
    assert ours.recipe.unfaded == theirs.recipe.unfaded
    assert (ours.photo, ours.weights) == (theirs.photo, theirs.weights)
    assert (ours.repaired, ours.marks) == (theirs.repaired, theirs.marks)
    assert (ours.recipe.crop and ours.recipe.crop.frame) == (
        theirs.recipe.crop and theirs.recipe.crop.frame
    )
    said = render(real)["restored"].lower()
    assert ("cut out" in said) == ("crop" not in left_out)
    assert ("no damage" in said or "repaired" in said) == ("repair" not in left_out)
    assert ("colored" in said) == ("color" not in left_out)


def test_a_photo_that_needs_nothing_is_colored_alone(real: WorkedDesk, gray: Path) -> None:
    real.put(gray)
    real.do("restore", RestoreSteps(repair=False))
    assert real.photo.form.photo is not real.photo.upload or not real.photo.form.plan.frame
    assert real.photo.chosen
    assert "No frame" in render(real)["restored"]


def test_what_somebody_has_cut_out_and_marked_stays(real: WorkedDesk, tmp_path: Path) -> None:
    scan = faded(tmp_path / "scan.jpg")
    real.put(scan)
    corners = [(50, 60), (300, 60), (300, 260), (50, 260)]
    real.act("cut_out", corners)
    real.act("replan", repairs=True)
    real.act("mark", [(100.0, 100.0)], 1 / 50)
    marked = real.photo.plan
    real.do("restore", RestoreSteps())
    assert (real.photo.plan.frame, real.photo.plan.marks) == (marked.frame, marked.marks)
    assert real.photo.plan.sensitivity == marked.sensitivity
    assert statement_of(real.finish(1, "PNG")).photo is None, "a recipe does not say the marks"


def test_an_album_is_restored_and_color_photos_keep_their_colors(
    real: WorkedDesk, gray: Path, tmp_path: Path
) -> None:
    color = tmp_path / "color.png"
    Image.fromarray(data.astronaut()[::2, ::2]).save(color)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    real.put(gray, color, broken, faded(tmp_path / "scan.jpg"))
    real.do("restore_all", RestoreSteps())
    assert [len(one.colorings) for one in real.photos] == [1, 0, 1]
    assert [one.form.plan.repairs for one in real.photos] == [True, True, True]
    assert real.photos[2].form.plan.frame
    real.look_at(1)
    assert "it has colors, which stay" in render(real)["restored"]
    assert [one.name for one in real.problems] == ["broken.jpg"]


def test_one_photo_has_the_same_bytes_everywhere(
    real: WorkedDesk, small: Colorizer, gray: Path, tmp_path: Path
) -> None:
    """By the command, in Python, on the page, and by the interface for programs."""
    (outcome,) = run_in_process(make_plan([gray], tmp_path / "out", Settings(n=2)), small)
    files = [made.path for made in outcome.colorings]
    for made, file in zip(small.colorize(gray, n=2), files, strict=True):
        made.save(tmp_path / file.name)
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), "in Python"
    real.put(gray)
    real.color(n=2)
    for index, file in enumerate(files):
        real.choose(index)
        assert real.finish(1, "Its own").read_bytes() == file.read_bytes(), "on the page"
    folder = real.worker.space.root / (64 * "a")
    folder.mkdir()
    upload = folder / gray.name
    upload.write_bytes(gray.read_bytes())
    real.worker.space.owners.give(upload, "ada")
    with gr.Blocks(analytics_enabled=False):
        api = Api(real.worker)
    request: Any = SimpleNamespace(cookies={COOKIE: "ada"})
    answers, _ = api.colorize(request, {"path": str(upload)}, n=2)  # type: ignore[arg-type]
    for answer, file in zip(answers, files, strict=True):
        assert Path(answer["path"]).read_bytes() == file.read_bytes(), "for programs"  # type: ignore[index]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_visitor_presses_one_button(
    browser: Browser, app: Page, tmp_path: Path, width: int
) -> None:
    """The server's picture is that of the command, and before and after can be compared."""
    scan = faded(tmp_path / "scan.jpg")
    visitor = Visitor(browser, app, width)
    visitor.put(scan)
    visitor.one("#restore-fading input").uncheck()
    visitor.one("#restore-go").click()
    visitor.settle()
    visitor.expect_text("#restored", "Cut out")
    visitor.expect_text("#restored", "colored")
    visitor.expect_text("#status", "is restored")
    expect(visitor.one("#stage input[type=range]")).to_have_count(1)
    visitor.one("#format").get_by_label("PNG").check()
    path = visitor.saved("#download", tmp_path)
    statement = statement_of(path)
    assert statement.recipe.crop
    assert statement.recipe.repair
    assert statement.recipe.colors
    assert not statement.recipe.unfaded
    print_, whole = pixels(path), pixels(scan)
    assert print_.shape[0] < whole.shape[0]
    assert cv2.cvtColor(print_, cv2.COLOR_RGB2LAB)[..., 1:].std() > 1
    visitor.one("#restore-fading input").check()
    visitor.one("#restore-go").click()
    visitor.settle()
    assert statement_of(visitor.saved("#download", tmp_path)).recipe.unfaded
    visitor.close()
    assert "Traceback" not in app.log
