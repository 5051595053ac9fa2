"""What can be done to a desk, without a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import cv2
import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.color import rgb2lab

from colorflow.errors import ColorflowError
from colorflow.recipe import Place
from colorflow.ui import coloring
from colorflow.ui.coloring import DeskPhoto, Options
from colorflow.ui.colorize import ColorizeTab, Desks, _place_of
from colorflow.ui.desk import MOST_PHOTOS
from colorflow.ui.limits import VISITORS, UploadSpace
from colorflow.ui.render import render
from colorflow.ui.server import sweep
from colorflow.ui.work import DeskWorker, run
from tests.statements import colors_of, statement_of
from tests.test_scan import laid, landscape
from tests.ui.cracked_print import (
    CRACK,
    HEIGHT,
    SIDE,
    SPOT,
    WIDTH,
    cracked_print,
    save_scan,
    whole_print,
)
from tests.ui.fake_colorizer import AB, FakeColorizer
from tests.ui.handling import (
    IMAGE_DESCRIPTION,
    SUBJECT,
    WorkedDesk,
    asks,
    file_of,
    fulfil,
    pixels,
    zipped,
)


def chroma_of(path: Path) -> np.ndarray:
    """Mean a and b of a picture, CIELAB units, where it is neither dark nor bright."""
    lab = rgb2lab(pixels(path)[..., :3])
    return np.asarray(lab[(lab[..., 0] > 30) & (lab[..., 0] < 70), 1:].mean(axis=0))


@pytest.fixture
def in_color(tmp_path: Path) -> Path:
    """A photo that has colors."""
    path = tmp_path / "in color.png"
    Image.fromarray(data.coffee()[:300, :400]).save(path)
    return path


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Of a cracked print on a bed."""
    path = tmp_path / "scan.jpg"
    save_scan(path, 2.0)
    return path


@pytest.fixture
def cracked(tmp_path: Path) -> Path:
    """Such a print without a bed."""
    path = tmp_path / "print.png"
    Image.fromarray(cracked_print()).save(path)
    return path


@pytest.fixture
def single(desk: WorkedDesk, gray: Path) -> WorkedDesk:
    """A desk with a gray photo."""
    desk.put(gray)
    return desk


@pytest.fixture
def pair(single: WorkedDesk, small: Path) -> WorkedDesk:
    """A desk with a gray photo, which is looked at, and a small one."""
    single.put(small)
    single.look_at(0)
    return single


# photos


def test_photos_come_as_files_and_zips_and_bad_ones_are_named(
    desk: WorkedDesk, gray: Path, small: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(gray.read_bytes()[:3000])
    files = {"may/a.png": small, "may/b.png": small, "may/notes.txt": b"June, too"}
    archive = zipped(tmp_path / "1962.zip", files)
    desk.put(gray, broken, archive)
    assert [one.name for one in desk.photos] == [gray.name, "1962/may/a.png", "1962/may/b.png"]
    assert desk.at is desk.photos[0]
    assert [one.name for one in desk.problems] == ["broken.jpg", "1962.zip"]
    assert "broken.jpg: the picture is damaged" in render(desk)["status"]
    assert "1 file was left out, not named like photos: may/notes.txt" in render(desk)["status"]
    desk.put(gray, archive)
    assert len(desk.photos) == 3
    assert "here already, and were not opened again: 3." in desk.said
    desk.remove(2)
    desk.put(archive)
    assert "not opened again: 1." in desk.said
    assert [one.name for one in desk.photos][1:] == ["1962/may/a.png", "1962/may/b.png"]


@pytest.mark.parametrize("opened", [0, 1])
def test_what_a_cancelled_upload_left_comes_with_the_same_upload_again(
    desk: WorkedDesk, gray: Path, small: Path, tmp_path: Path, opened: int
) -> None:
    """And what is opened when more comes is not lost."""
    archive = zipped(tmp_path / "1962.zip", {"a.png": small, "b.png": small})
    desk.worker.open(desk, [archive])
    opening = run(desk, "open")
    while len(desk.photos) < opened or len(desk.waiting) != 2 - opened:
        next(opening)
    desk.cancel("open")
    list(opening)
    desk.worker.open(desk, [archive])
    opening = run(desk, "open")
    next(opening)
    desk.put(gray)
    list(opening)
    assert [one.name for one in desk.photos] == ["1962/a.png", "1962/b.png", gray.name]


@pytest.mark.parametrize("shown", range(1, 4))
def test_what_a_broken_stream_ends_can_be_wished_again(
    desk: WorkedDesk, gray: Path, small: Path, shown: int
) -> None:
    """Gradio closes a handler after any of its messages, and never calls those in the queue."""
    desk.worker.open(desk, [gray, small])
    desk.worker.color_all(desk, Options(n=1))
    album, opening = run(desk, "album"), run(desk, "open")
    for _ in range(shown):
        next(opening)
    opening.close()
    assert list(desk.wishes) == ["album"]
    for _ in album:  # nothing else is to come, and others wait for its place
        pass
    assert [len(one.colorings) for one in desk.photos] == [1] * (shown - 1)
    if shown < 3:
        desk.do("color_all", Options(n=1))
    assert [len(one.colorings) for one in desk.photos] == [1, 1]


def test_a_desk_takes_so_many_photos(
    desk: WorkedDesk, small: Path, gray: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorflow.ui.work.MOST_PHOTOS", 1)
    desk.put(small, gray)
    assert [one.name for one in desk.photos] == [small.name]
    assert "a desk takes 1 photos" in desk.problems[0].reason


def test_a_photo_that_is_taken_away_takes_its_files_along_and_no_other_photo(
    pair: WorkedDesk, gray: Path, small: Path
) -> None:
    """By one press or two."""
    pair.color(n=2)
    gone, stays = pair.photos
    (own,) = re.findall(r'data-act="remove" data-index="([^"]*)"', render(pair)["strip"])
    pair.remove(_place_of(pair, own))
    with pytest.raises(ColorflowError, match="gone already"):
        pair.remove(_place_of(pair, own))
    assert pair.at is stays
    assert (gone.folder.exists(), stays.folder.exists()) == (False, True)
    pair.put(gray)
    assert [one.name for one in pair.photos] == [small.name, gray.name], "it may come again"


@pytest.mark.parametrize("wish_seconds", [None, 3600, 0])
def test_a_desk_goes_after_its_last_action(
    tmp_path: Path, worker: DeskWorker, small: Path, wish_seconds: float | None
) -> None:
    """Unless it has work that has waited for less than so many seconds."""
    root = tmp_path / VISITORS
    root.mkdir()
    desks = Desks(UploadSpace(root))
    desk, other = desks.of(asks("a")), desks.of(asks("b"))
    worker.open(desk, [small])
    fulfil(desk)
    if wish_seconds is not None:
        worker.color_all(desk, Options(n=1))
    for path in (desk.folder, *desk.folder.rglob("*")):
        os.utime(path, (time.time() - 101, time.time() - 101))
    desks.keep(wish_seconds or 0)
    sweep(tmp_path, 100)
    assert desks.of(asks("b")) is other
    assert desk.folder.exists() == bool(wish_seconds)
    assert (desks.of(asks("a")) is desk) == bool(wish_seconds)


def test_a_page_gets_the_desk_that_its_browser_left(
    tmp_path: Path, worker: DeskWorker, small: Path
) -> None:
    """And that no open page has; nobody else does, and no program without a cookie."""
    desks = Desks(UploadSpace(tmp_path))
    desk = desks.of(asks("a", "ada"))
    worker.open(desk, [small])
    fulfil(desk)
    assert desks.of(asks("b", "ada")) is not desk, "a second tab"
    desks.leave(asks("a", "ada"))
    assert desks.of(asks("a", "ada")) is desk, "who stayed after the browser's question"
    assert desks.of(asks("c", "ada")) is not desk
    for session in "ac":
        desks.leave(asks(session, "ada"))
    for number, (visitor, username) in enumerate((("bob", None), ("", None), ("ada", "bob"))):
        assert desks.of(asks(f"other {number}", visitor, username)) is not desk
    assert desks.of(asks("d", "ada")) is desk, "and not the empty one, which was left later"
    assert desks.of(asks("e", "ada")) is not desk
    desks.leave(asks("d", "ada"))
    shutil.rmtree(desk.folder)
    assert desks.of(asks("f", "ada")) is not desk


def test_a_new_page_goes_on_with_what_was_not_begun(
    worker: DeskWorker, desk: WorkedDesk, small: Path, gray: Path, tmp_path: Path
) -> None:
    desk.put(gray)
    worker.open(desk, [small])
    work = run(desk, "open")
    next(work)
    worker.finish(desk, 2, False, "PNG")
    desk.files.append(small)
    desk.view = "points"
    with gr.Blocks(analytics_enabled=False):
        ColorizeTab(worker)._begin(desk)
    assert desk.view == "photo", "the tools of a new page are closed"
    assert "data-number" not in render(desk)["file"], "the browser saves no file twice"
    assert list(work) == [], "nobody waits for this any more"
    fulfil(desk)
    assert [one.name for one in desk.photos] == [gray.name, small.name]
    assert "data-number" in render(desk)["file"]


# colorings


def test_colorings_stay_in_their_order(single: WorkedDesk) -> None:
    single.color(n=3)
    photo = single.photo
    assert [one.caption for one in photo.gallery] == ["A: average of all", "B: 50 %", "C: 50 %"]
    assert photo.chosen is photo.gallery[0]
    single.color(n=2, samples=True)
    single.color(n=1, samples=True)
    assert [one.caption for one in photo.gallery][3:] == ["Sample 1", "Sample 2", "Sample 3"]
    single.color(n=3)
    assert len(photo.gallery) == 6, "the same are not made again"
    assert photo.chosen is photo.gallery[0]
    single.choose(1)
    single.do("more", 2)
    assert [one.caption.split(",")[0] for one in photo.gallery][6:] == ["B", "B"]
    assert photo.chosen is photo.gallery[1]
    single.choose(-1)
    assert photo.chosen is None
    single.color(n=1, temperature=0.5)
    assert photo.gallery[-1].caption == "A: average of all, temperature 0.5"


def test_the_first_coloring_is_seen_before_the_others(single: WorkedDesk) -> None:
    single.worker.color(single, Options(n=3))
    seen = [len(single.photo.gallery) for _ in run(single, "color")]
    assert 1 in seen
    assert seen[-1] == 3
    assert single.photo.chosen is single.photo.gallery[0]


@pytest.mark.parametrize("cancels", [False, True])
def test_results_of_an_old_wish_are_not_applied(pair: WorkedDesk, *, cancels: bool) -> None:
    """And what was there stays; a wish of another kind does, too."""
    pair.worker.color(pair, Options(n=5, samples=True))
    pair.worker.finish(pair, 2, False, "PNG")
    old, (first, second) = run(pair, "color"), pair.photos
    while not first.colorings:
        next(old)
    pair.look_at(1)
    if cancels:
        pair.cancel("color")
        pair.cancel("nothing")
    else:
        pair.worker.color(pair, Options(n=2))
    made = len(first.colorings)
    assert list(old) == []
    assert set(pair.wishes) == ({"finish"} if cancels else {"finish", "color"})
    fulfil(pair)
    assert len(pair.files) == 1
    assert [len(one.gallery) for one in (first, second)] == [made, 0 if cancels else 2]


@pytest.mark.parametrize("is_looked_at", [True, False])
def test_a_photo_that_goes_takes_only_its_own_wishes_along(
    pair: WorkedDesk, *, is_looked_at: bool
) -> None:
    pair.worker.color(pair, Options(n=4))
    pair.worker.finish(pair, 2, False, "PNG")
    pair.look_at(1)
    pair.worker.unsure(pair)
    stays, gone = ("color", "finish"), ("ask",)
    if not is_looked_at:
        stays, gone = gone, stays
    pair.remove(1 if is_looked_at else 0)
    assert tuple(pair.wishes) == stays
    fulfil(pair)
    assert len(pair.photo.gallery) == (4 if is_looked_at else 0)


def test_a_failure_is_told_and_ends_the_wish(single: WorkedDesk, colorizer: FakeColorizer) -> None:
    colorizer.error = MemoryError()
    single.color()
    assert (single.is_bad, single.said) == (
        True,
        "There is not enough memory; choose a smaller photo.",
    )
    colorizer.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        single.color()
    assert single.wishes == {}, "a fault of the program leaves none"
    colorizer.error = None
    single.color()
    assert len(single.photo.gallery) == 4


def test_a_photo_with_colors_is_left_alone_until_it_is_treated_as_gray(
    desk: WorkedDesk, in_color: Path, gray: Path
) -> None:
    desk.put(gray, in_color)
    desk.do("color_all", Options(n=1))
    assert [len(one.colorings) for one in desk.photos] == [1, 0]
    desk.treat_as_gray(everything=True)
    desk.do("color_all", Options(n=1))
    assert [len(one.colorings) for one in desk.photos] == [1, 1]
    desk.look_at(1)
    own = render(desk)["stage"]
    desk.compares_gray = True
    gray_name = desk.photo.upload.gray.name
    assert [gray_name in one for one in (own, render(desk)["stage"])] == [False, True]


# saturation and files


@pytest.mark.parametrize("saturation", [0.0, 0.6, 1.3])
def test_saturation_of_what_is_shown_and_saved(single: WorkedDesk, saturation: float) -> None:
    single.color(n=2)
    single.saturate(saturation)
    single.choose(1)
    path = single.finish(1, "PNG")
    expected = saturation * np.array(AB[1])
    shown = single.require_chosen().painted(saturation)
    assert shown.name in render(single)["stage"]
    for one in (shown, path):
        np.testing.assert_allclose(chroma_of(one), expected, atol=2)
    stated = colors_of(path)
    assert (stated.saturation, stated.spec.seed) == (saturation, 0)
    single.saturate(1.0)
    assert single.photo.gallery[1].preview.as_posix() in unquote(render(single)["stage"])


def test_a_file_has_the_photos_own_size_name_and_metadata(single: WorkedDesk, gray: Path) -> None:
    single.color(n=1)
    assert single.photo.is_unsaved
    path = single.finish(1, "Its own")
    assert not single.photo.is_unsaved
    assert path.name == "grandma (1931)_a.jpg"
    with Image.open(gray) as before, Image.open(path) as after:
        assert after.size == before.size
        assert after.getexif()[IMAGE_DESCRIPTION].startswith(SUBJECT)
        assert after.info["dpi"] == (300, 300)
    single.saturate(0.5)
    assert single.photo.is_unsaved


@pytest.mark.parametrize("is_colored", [True, False])
def test_larger_sizes_of_photos_that_are_colored_or_not(
    desk: WorkedDesk, small: Path, *, is_colored: bool
) -> None:
    desk.put(small)
    with pytest.raises(ColorflowError, match="as it came"):
        desk.worker.finish(desk, 1, False, "Its own")
    desk.worker.budget.pixels = 50_000
    with pytest.raises(ColorflowError, match="would have 0 megapixels"):
        desk.worker.finish(desk, 4, False, "PNG")
    if is_colored:
        desk.color(n=1)
    path = desk.finish(2, "JPEG")
    name = "small_a_x2_mean.jpg" if is_colored else "small_x2_mean.jpg"
    assert path.name == name
    assert pixels(path).shape[:2] == (128, 128)
    recipe = statement_of(path).recipe
    assert recipe.enlargement
    assert (recipe.enlargement.scale, recipe.colors is not None) == (2, is_colored)


# the print


def test_each_print_of_a_scan_is_a_photo_of_its_own(desk: WorkedDesk, tmp_path: Path) -> None:
    bed = tmp_path / "bed.jpg"
    save_scan(bed, 2.0, -1.0, 1.0)
    desk.put(bed)
    first, second, third = desk.photos
    assert [one.name for one in desk.photos] == [f"bed.jpg, print {n}" for n in (1, 2, 3)]
    assert (desk.at, desk.view) == (first, "photo")
    for one in desk.photos:
        assert pixels(one.form.photo.path).shape == pytest.approx((HEIGHT, WIDTH), abs=4)
        shown = pixels(one.form.photo.thumbnail).shape
        assert shown[1] / shown[0] == pytest.approx(WIDTH / HEIGHT, rel=0.05), "not the bed"
    desk.look_at(1)
    desk.act("replan", repairs=True)
    desk.put_point(30, 40)
    desk.act("color_point", (20.0, 10.0))
    assert [one.form.plan.repairs for one in desk.photos] == [False, True, False]
    assert [len(one.points.hints) for one in desk.photos] == [0, 1, 0]
    assert [len(one.colorings) for one in desk.photos] == [0, 1, 0]
    desk.look_at(0)
    desk.act("cut_out")
    assert first.form.photo is first.upload
    desk.cut_out(list(first.corners))
    desk.remove(2)
    desk.do("color_all", Options(n=1))
    names = desk.zip(tmp_path)
    assert names == ["colored/bed_a.png", "colored/bed_print2_hints.png"]
    prepared = [statement_of(tmp_path / name) for name in names]
    cuts = [one.recipe.crop.number for one in prepared if one.recipe.crop]
    assert (cuts, [one.prints for one in prepared]) == ([1, 2], [3, 3])
    assert [one.recipe.repair is not None for one in prepared] == [False, True]
    desk.remove(0)
    assert (desk.photos, second.gallery) == ([second], second.colorings)
    desk.look_at(0)
    assert desk.finish(2, "PNG").name == "bed_print2_hints_x2_mean.png"
    desk.remove(0)
    assert not any(one.folder.exists() for one in (first, second, third))
    desk.put(bed)
    assert len(desk.photos) == 3, "it may come again"


def test_another_frame_of_a_scan_is_a_photo_of_its_own(
    desk: WorkedDesk, tmp_path: Path, gray: Path
) -> None:
    """Prints that overlap are found as none or as one."""
    path = tmp_path / "heap.jpg"
    save_scan(path, 2.0)
    desk.put(path, gray)
    first, other = desk.photos
    with pytest.raises(ColorflowError, match="do not enclose"):
        desk.act("add_frame", [(0, 0), (9, 9), (9, 0), (0, 9)])
    assert desk.photos == [first, other]
    desk.act("add_frame", list(first.corners))
    second = desk.photos[1]
    assert desk.photos == [first, second, other]
    assert (desk.at, desk.view, desk.said) == (second, "frame", "")
    assert (second.name, second.form.photo) == ("heap.jpg, print 2", second.upload)
    assert first.form.plan.frame == first.corners, "what was marked is cut out"
    assert 'class="other"' in render(desk)["stage"], "the frames of the other prints are seen"
    width, height = second.upload.width, second.upload.height
    desk.act("cut_out", [(0, 0), (width / 2, 0), (width / 2, height), (0, height)])
    overlap = "It overlaps heap.jpg; what lies in both frames is in both pictures."
    assert desk.said == overlap
    desk.look_for("frame")
    assert overlap in render(desk)["stage"]
    desk.act("cut_out", [(0, 0), (width, 0), (width, 20), (0, 20)])
    assert desk.said == ""
    desk.color(n=1)
    path = desk.finish(1, "PNG")
    assert path.name == "heap_print2_a.png"
    said = statement_of(path)
    assert said.recipe.crop
    assert (said.recipe.crop.number, said.prints) == (2, 2)
    desk.remove(0)
    assert desk.finish(1, "PNG").exists(), "its files are its own"
    desk.act("add_frame", list(second.corners))
    assert desk.photo.name == "heap.jpg, print 3"


def test_a_print_that_was_not_found_is_marked_by_hand(desk: WorkedDesk, tmp_path: Path) -> None:
    path, sky = tmp_path / "table.png", tmp_path / "sky.png"
    table = np.full((300, 400, 3), (120, 85, 60), np.uint8)
    cv2.fillConvexPoly(
        table, np.array([(60, 200), (250, 40), (350, 170), (200, 260)]), (90, 90, 90)
    )
    Image.fromarray(table).save(path)
    Image.fromarray(landscape()).save(sky)
    desk.put(path)
    photo = desk.photo
    assert (photo.prints, photo.may_be_cut, desk.view) == ((), True, "photo")
    stage = render(desk)["stage"]
    assert "No print was found here, but it seems to lie on a table" in stage
    assert stage.count("data-act") == 2
    desk.look_for("frame")
    assert "Drag the corners" in render(desk)["stage"]
    assert photo.corners == ((40, 30), (360, 30), (360, 270), (40, 270))
    desk.act("cut_out", list(photo.corners))
    assert (photo.form.photo.width, photo.form.photo.height) == (320, 240)
    assert "No print" not in render(desk)["stage"]
    desk.put(sky)
    photo = desk.photo
    assert desk.view == "photo", "nothing is cut out, or offered to be, without a question"
    assert "A part of this may be a print." in render(desk)["stage"]
    assert len(photo.prints) == 1
    desk.act("cut_out")
    assert "A part" not in render(desk)["stage"], "the whole was chosen"


@pytest.mark.parametrize("toning", [(1.0, 1.0, 1.0), (1.0, 0.84, 0.64)])
def test_the_colors_of_a_table_are_not_those_of_a_print(
    desk: WorkedDesk, tmp_path: Path, toning: tuple[float, ...]
) -> None:
    """Gray and toned prints are colored at once; a print in color is left alone."""
    old = (whole_print()[..., None] * toning).astype(np.uint8)
    in_color = cv2.resize(data.coffee(), (WIDTH, HEIGHT))
    paths = [tmp_path / "one.jpg", tmp_path / "two.jpg"]
    for path, papers in zip(paths, ([old], [old, in_color]), strict=True):
        table = np.random.default_rng(0).normal((160, 96, 50), 1.5, (SIDE, 3 * SIDE, 3))
        table = table.round().clip(0, 255).astype(np.uint8)
        for index, paper in enumerate(papers):
            laid(table, paper, (SIDE * (index + 0.5), SIDE / 2), 2.0, border=0)
        Image.fromarray(table).save(path, quality=95)
    desk.put(*paths)
    desk.do("color_all", Options(n=1))
    assert [one.is_colored for one in desk.photos] == [False, True, False]
    assert "already has colors" in render(desk)["status"], "the table has"
    desk.cut_out(list(desk.photo.corners))
    desk.worker.prepare(desk)
    desk.worker.color_all(desk, Options(n=1))
    for _ in run(desk, "album"):  # which comes before the print is cut out
        pass
    assert [one.is_colored for one in desk.photos] == [True, True, False]
    assert not any(one.treated_as_gray for one in desk.photos)
    assert "already has colors" not in render(desk)["status"]


def test_colorings_belong_to_the_form_that_they_were_made_on(desk: WorkedDesk, scan: Path) -> None:
    desk.put(scan)
    photo = desk.photo
    desk.color(n=2)
    first = photo.gallery
    desk.act("cut_out", list(photo.corners))
    assert (photo.gallery, photo.chosen) == ([], None)
    desk.color(n=1)
    (cut,) = photo.gallery
    desk.act("replan", fades=True)
    assert photo.gallery == [cut], "it has the same shape"
    assert photo.chosen is None
    desk.choose(0)
    assert photo.shown_form is cut.form, "and is shown on what it was made on"
    desk.act("cut_out")
    assert photo.gallery == first, "they are back"
    assert photo.colorings == [*first, cut]


def test_a_repair_drops_no_coloring(desk: WorkedDesk, cracked: Path, tmp_path: Path) -> None:
    desk.put(cracked)
    photo = desk.photo
    desk.color(n=2)
    desk.choose(1)
    desk.saturate(0.5)
    before, chosen, shown = photo.gallery, photo.chosen, render(desk)["stage"]
    desk.act("replan", repairs=True)
    assert (photo.gallery, photo.chosen) == (before, None), "none of what is seen now"
    parts = render(desk)
    assert "press Color" in parts["prepare-views"]
    assert parts["gallery"].count("as it was before") == 2
    desk.do("color_all", Options(n=1))
    assert photo.gallery == [*before, photo.chosen], "the repaired one has no coloring yet"
    assert "press Color" not in render(desk)["prepare-views"]
    repaired = photo.chosen
    desk.act("mark", [SPOT], 1 / 50)
    assert photo.gallery == [*before, repaired]
    desk.act("undo_mark")
    assert photo.chosen is repaired
    desk.choose(-1)
    desk.finish(2, "PNG")
    assert photo.is_unsaved, "that file has no coloring"
    assert desk.zip(tmp_path) == ["colored/print_a.png"]
    assert not photo.is_unsaved
    assert statement_of(tmp_path / "colored/print_a.png").recipe.repair, (
        "a coloring of what is to be colored now comes first"
    )
    desk.act("replan", repairs=False)
    assert (photo.chosen, render(desk)["stage"]) == (chosen, shown), "as if nothing had been"
    assert photo.gallery == [*before, repaired]


@pytest.mark.parametrize("fades", [False, True])
def test_no_damage_changes_nothing(desk: WorkedDesk, tmp_path: Path, *, fades: bool) -> None:
    path = tmp_path / "sound.png"
    Image.fromarray(whole_print()).save(path)
    desk.put(path)
    photo = desk.photo
    desk.act("replan", fades=fades)
    desk.color(n=2)
    desk.choose(1)
    before, chosen, picture = photo.gallery, photo.chosen, photo.form.photo
    desk.act("replan", repairs=True)
    assert "nothing is changed" in render(desk)["prepare-views"]
    assert (photo.chosen, photo.form.photo) == (chosen, picture)
    desk.color(n=2)
    assert photo.gallery == before, "these are here already"
    if not fades:
        desk.choose(-1)
        with pytest.raises(ColorflowError, match="as it came"):
            desk.worker.finish(desk, 1, False, "Its own")
    desk.act("replan", repairs=False)
    assert photo.form.photo is picture


def test_places_of_a_repair(desk: WorkedDesk, cracked: Path) -> None:
    desk.put(cracked)
    with pytest.raises(ColorflowError, match="wait for it"):
        desk.mark([SPOT], 1 / 50)
    desk.act("replan", repairs=True)
    for act, values, is_filled in (("mark", ([SPOT], 1 / 50), False), ("undo_mark", (), True)):
        desk.act(act, *values)
        repaired = pixels(desk.photo.form.photo.path)
        (x, y), (crack_x, crack_y) = SPOT, CRACK[1]
        assert (repaired[y, x] < 240, repaired[crack_y, crack_x] < 240) == (is_filled, True)
    with pytest.raises(ColorflowError, match="from 0 to 300 across"):
        desk.mark([(WIDTH + 5, 3)], 1 / 50)
    desk.replan(repairs=False)
    desk.worker.prepare(desk)
    assert desk.photo.form.photo is desk.photo.upload, "at once"


def test_what_strokes_made_goes_unless_it_is_colored_or_was_just_seen(
    desk: WorkedDesk, cracked: Path
) -> None:
    desk.put(cracked)
    photo = desk.photo
    desk.act("replan", repairs=True)
    desk.color(n=1)
    colored, seen = photo.form.photo, [photo.form.photo]
    for x in range(10, 60, 10):
        desk.act("mark", [(x, 5), (x, 30)], 1 / 100)
        seen.append(photo.form.photo)
    assert set(photo.folder.glob("made-*")) == {one.folder for one in (colored, *seen[-2:])}
    desk.act("undo_mark")
    assert photo.form.photo is seen[-2], "at once"
    desk.act("undo_mark")
    again = photo.form.photo
    assert again not in seen, "that is made again"
    desk.choose(0)
    assert desk.finish(1, "PNG").exists(), "on what it was made on"
    assert set(photo.folder.glob("made-*")) == {one.folder for one in (colored, seen[-2], again)}


@pytest.mark.parametrize("seed", range(4))
def test_a_touch_follows_a_crack_that_was_not_found(
    desk: WorkedDesk, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    crack = np.sort(rng.integers(20, HEIGHT - 20, 4)).tolist()
    along = list(zip((60, 120, 180, 240), crack, strict=True))
    drawn, under = whole_print(), np.zeros((HEIGHT, WIDTH), np.uint8)
    for picture, gray in ((drawn, 236), (under, 1)):
        cv2.polylines(picture, [np.array(along)], False, gray, 3)
    path = tmp_path / "print.png"
    Image.fromarray(drawn).save(path)
    desk.put(path)
    desk.replan(repairs=True)

    def share() -> float:
        """Of the crack, how much is repaired."""
        desk.prepare()
        return float((pixels(desk.photo.form.photo.path)[under > 0] < 230).mean())

    (x, y), end = along[1], along[2]
    assert share() == 0
    desk.mark([(x + 1, y - 2)], 1 / 400)
    assert share() > 0.98, "all of it by a click beside it"
    desk.mark([along[3]], 1 / 400)
    assert share() == 0, "and back by one on it"
    desk.mark([(x, y), end], 1 / 50)
    part = share()
    assert 0.2 < part < 0.6, "a line takes what is under it"
    desk.mark([end, along[3]], 1 / 50)
    assert share() > part + 0.2, "one that begins on a place prolongs it"
    desk.undo_mark()
    middle = [(x + 0.3 * (end[0] - x), y + 0.3 * (end[1] - y)), end]
    desk.mark(middle, 1 / 50)
    assert 0 < share() < part / 2, "one along a place takes back what it covers"
    desk.undo_mark()
    assert share() == part


@pytest.mark.parametrize(
    ("corners", "said"),
    [
        ([(0, 0), (420, 0), (420, 500), (0, 420)], "Choose a place on the photo: from 0 to 420"),
        ([(0, 0), (400, 400), (400, 0), (0, 400)], "sides cross"),
        ([(0, 0), (9, 0), (9, 9), (0, 9)], "too close"),
        ("nothing", "two numbers"),
        ([(0, 0), (float("nan"), 0), (9, 9), (0, 9)], "two numbers"),
    ],
)
def test_corners_that_enclose_nothing(
    desk: WorkedDesk, scan: Path, corners: object, said: str
) -> None:
    desk.put(scan)
    before = desk.photo.plan
    with pytest.raises(ColorflowError, match=said):
        desk.cut_out(corners)
    assert desk.photo.plan == before


@pytest.mark.parametrize("replaced", [False, True])
def test_a_print_is_prepared_though_its_coloring_is_not_wanted_any_more(
    pair: WorkedDesk, *, replaced: bool
) -> None:
    pair.replan(repairs=True)
    pair.worker.prepare(pair)
    pair.worker.color(pair, Options(n=1))
    coloring = run(pair, "color")
    while not pair.photo.is_in_work:
        next(coloring)
    if replaced:
        pair.look_at(1)
        pair.worker.color(pair, Options(n=1))
    else:
        pair.cancel("color")
    assert list(coloring) == []
    fulfil(pair)
    assert pair.photos[0].form.plan.repairs
    assert [len(one.colorings) for one in pair.photos] == [0, int(replaced)]


# hints


@pytest.mark.parametrize("turns", range(4))
def test_hints_keep_the_coordinates_of_the_upload(
    desk: WorkedDesk, colorizer: FakeColorizer, scan: Path, turns: int
) -> None:
    desk.put(scan)
    photo = desk.photo
    desk.click(0.5, 0.4)
    desk.color_point((20.0, 10.0))
    (hint,) = photo.points.hints
    assert (hint.row, hint.column) == (168, 210)
    desk.cut_out(list(photo.corners))
    for _ in range(turns):
        desk.turn(1)
    desk.prepare()
    desk.recolor()
    (given,) = colorizer.hinted[-1]
    form = photo.form.photo
    lightness = pixels(photo.form.photo.path)[int(given.row), int(given.column)]
    assert abs(int(lightness) - int(pixels(scan)[168, 210])) <= 12, "it is the same thing"
    desk.click((given.column + 0.5) / form.width, (given.row + 0.5) / form.height)
    assert photo.points.current == 0, "a click there means it"
    assert photo.points.hints == (replace(hint, reach="larger"),), "and the larger thing"


def test_points_color_the_photo_and_undo_brings_back_what_was_there(single: WorkedDesk) -> None:
    photo = single.photo
    single.recolor()
    (plain,) = photo.gallery
    single.click(0.3, 0.3)
    single.do("offer")
    shares = [one.share or 0 for one in photo.swatches]
    assert 0 < sum(shares) <= 1.001
    single.act("pick_swatch", next(i for i, share in enumerate(shares) if share))
    assert photo.gallery[1].caption == "A: average of all, 1 hint"
    assert photo.chosen is photo.gallery[1]
    single.photo.points.hold(0)
    single.act("click", 0.6, 0.6)
    assert len(photo.gallery) == 3
    single.photo.points.undo()
    single.worker.recolor(single)
    assert (single.wishes, photo.chosen) == ({}, photo.gallery[1]), "without any work"
    single.photo.points.undo()
    single.worker.recolor(single)
    assert photo.chosen is plain
    with pytest.raises(ColorflowError, match="no color"):
        single.color_point(None)
    with pytest.raises(ColorflowError, match="from 0 to 1535 across"):
        single.put_point(1536, 0)


def test_hints_are_saved_for_another_day_with_their_coloring(
    single: WorkedDesk, gray: Path, tmp_path: Path
) -> None:
    with pytest.raises(ColorflowError, match="no points"):
        single.worker.save_hints(single)
    single.color(n=3)
    single.choose(2)
    single.saturate(0.5)
    single.put_point(700, 500)
    single.act("color_point", (30.0, -20.0))
    single.worker.save_hints(single)
    saved = json.loads(file_of(single).read_text())
    hint = {"row": 500, "column": 700, "a": 30, "b": -20, "reach": "thing"}
    assert saved[gray.name]["hints"] == [hint]
    chosen, path = single.require_chosen(), tmp_path / "hints.json"
    path.write_bytes(file_of(single).read_bytes())
    single.remove(0)
    single.put(gray)
    single.do("load_hints", path)
    again = single.require_chosen()
    assert (again.spec, again.task.hints) == (chosen.spec, chosen.task.hints)
    assert single.photo.saturation == 0.5
    bad = tmp_path / "bad.json"
    saved[gray.name]["coloring"]["seeds"] = [1, 2]
    saved[gray.name]["hints"][0]["a"] = 25
    bad.write_text(json.dumps(saved))
    single.do("load_hints", bad)
    others = single.require_chosen()
    assert [one.a for one in others.task.hints] == [25]
    assert len(others.spec.seeds) > 2
    bad.write_text("{")
    with pytest.raises(ColorflowError, match=r"bad\.json: is not a JSON file"):
        single.worker.load_hints(single, bad)


def squares(photo: DeskPhoto, places: Sequence[Place]) -> set[tuple[int, int]]:
    """The squares of `FakeColorizer.things` on which places of the upload lie, as it is shown."""
    form = photo.shown_form
    return {
        (int(6 * (row + 0.5) / form.photo.height), int(6 * (column + 0.5) / form.photo.width))
        for row, column in photo.places_on(form, places).values()
    }


def test_a_line_adds_what_it_touches_and_the_newest_one_wins(
    single: WorkedDesk, colorizer: FakeColorizer
) -> None:
    """Squares are 256 pixels wide; a line of two places has no gaps."""
    photo = single.photo
    single.act("look_for", "points")
    single.act("choose_brush", "adds")
    assert not single.draws, "there is no point"
    with pytest.raises(ColorflowError, match="Click a thing and choose its color first"):
        single.draw([(10, 10), (20, 20)])
    single.put_point(100, 100)
    with pytest.raises(ColorflowError, match="Click a thing and choose its color first"):
        single.draw([(10, 10), (20, 20)])
    single.act("color_point", (30.0, -20.0))
    assert single.draws
    plain, chosen = photo.points.hints, photo.chosen
    single.act("draw", [(300, 100), (1500, 100)])
    row = {(0, column) for column in range(1, 6)}
    (hint,) = photo.points.hints
    assert squares(photo, hint.adds) == row
    assert 150 <= len(hint.adds) <= 151, "one for each cell of 8 pixels"
    assert photo.chosen is not chosen
    assert colorizer.hinted[-1] == (hint,)

    single.act("choose_brush", "takes")
    single.act("draw", [(1300, 30), (1340, 40)])
    (hint,) = photo.points.hints
    assert squares(photo, hint.adds) == row - {(0, 5)}, "far from the line, but in its region"
    assert squares(photo, hint.takes) == {(0, 5)}
    single.act("choose_brush", "adds")
    single.act("draw", [(1500, 120), (1500, 150)])
    (hint,) = photo.points.hints
    assert (squares(photo, hint.adds), hint.takes) == (row, ())
    for _ in range(3):
        single.worker.change(single, lambda desk: desk.photo.points.undo())
    assert photo.points.hints == plain
    assert photo.chosen is chosen, "without any work"


@pytest.mark.parametrize("turns", range(4))
def test_lines_keep_to_what_they_were_drawn_over_when_it_is_cut_or_turned(
    desk: WorkedDesk, colorizer: FakeColorizer, scan: Path, turns: int
) -> None:
    desk.put(scan)
    photo = desk.photo
    desk.cut_out(list(photo.corners))
    desk.turn(turns)
    desk.prepare()
    desk.act("look_for", "points")
    desk.click(0.5, 0.5)
    desk.act("color_point", (20.0, 10.0))
    desk.act("choose_brush", "adds")
    size = photo.shown_form.photo
    desk.act(
        "draw", [(0.1 * size.width, 0.05 * size.height), (0.9 * size.width, 0.05 * size.height)]
    )
    (hint,) = photo.points.hints
    assert squares(photo, hint.adds) == {(0, column) for column in range(6)}
    (given,) = colorizer.hinted[-1]
    assert all(row < 0.06 * size.height for row, _ in given.adds)
    desk.cut_out()
    desk.turn(-turns)
    desk.prepare()
    (given,) = photo.hints_on(photo.form, photo.points.hints)
    assert given == hint


def test_lines_that_cannot_be_are_told(single: WorkedDesk) -> None:
    single.view, single.brush = "points", "takes"
    single.put_point(100, 100)
    single.color_point((30.0, -20.0))
    with pytest.raises(ColorflowError, match="still being looked for"):
        single.draw([(10, 10), (20, 20)])
    single.do("offer")
    for line in ([(10, 10), (2000, 20)], [(-1, 10), (20, 20)]):
        with pytest.raises(ColorflowError, match="from 0 to 1536 across"):
            single.draw(line)
    for wrong in (None, "x", [1, 2], [(1, 2)] * 1001, [(1, float("nan"))]):
        with pytest.raises(ColorflowError, match="Each place is two numbers"):
            single.draw(wrong)
    assert single.photo.points.hints[0].takes == ()
    single.choose_brush("moves")
    assert not single.draws


def test_the_newest_page_has_the_brush_that_was_chosen(single: WorkedDesk) -> None:
    single.choose_brush("takes")
    assert single.edits()["brush"] == "takes"
    single.page_has({"brush": "adds"})
    single.choose_brush("adds")
    assert "brush" not in single.edits()
    single.begin_page()
    assert single.edits()["brush"] == "adds"


def test_a_print_that_is_turned_and_back_shows_its_damage_again(
    desk: WorkedDesk, cracked: Path
) -> None:
    desk.put(cracked)
    desk.act("replan", repairs=True)
    before = desk.photo.places
    assert before
    desk.worker.change(desk, lambda desk: desk.turn(1))
    desk.act("turn", -1)
    assert desk.photo.places
    assert not desk.photo.is_unprepared
    desk.worker.change(desk, lambda desk: desk.mark([(5, 5), (30, 5)], 0.02))
    desk.worker.change(desk, lambda desk: desk.cancel("prepare"))
    assert desk.photo.is_unprepared, "the mark is gone, and so is its picture"
    desk.act("look_for", "places")
    assert not desk.photo.plan.marks
    assert not desk.photo.is_unprepared


def test_points_color_no_print_that_is_still_to_be_turned(single: WorkedDesk) -> None:
    single.put_point(700, 500)
    single.worker.change(single, lambda desk: desk.turn(1))
    with pytest.raises(ColorflowError, match="being prepared; press Color"):
        single.act("color_point", (30.0, -20.0))
    assert not single.photo.colorings
    single.color(n=1)
    assert single.require_chosen().task.hints
    assert single.require_chosen().form.plan.turns == 1


def test_undoing_a_point_of_one_photo_ends_no_coloring_of_another(pair: WorkedDesk) -> None:
    pair.color(n=1)
    pair.put_point(700, 500)
    pair.act("color_point", (30.0, -20.0))
    pair.look_at(1)
    pair.worker.color(pair, Options())
    pair.look_at(0)
    wish = pair.wishes["color"]
    pair.worker.change(pair, lambda desk: desk.photo.points.undo())
    assert pair.wishes["color"] is wish
    assert wish.photo is pair.photos[1]


# references and maps


def test_colors_of_a_reference_and_maps(single: WorkedDesk, small: Path, in_color: Path) -> None:
    single.do("add_references", [small])
    assert "has no colors that could be carried over" in single.said
    with pytest.raises(ColorflowError, match="Choose a photo in color"):
        single.worker.where_referred(single)
    single.do("add_references", [in_color])
    single.color(n=1, strength=1.0)
    (coloring,) = single.photo.gallery
    assert coloring.caption == "A: average of all, like in color"
    true = rgb2lab(data.coffee()[:300, :400])[..., 1:].mean(axis=(0, 1))
    np.testing.assert_allclose(coloring.ab.ravel(), true, atol=1)
    single.do("where_referred")
    glow = pixels(single.photo.maps["reference"]).mean(axis=(0, 2))
    assert glow[:500].mean() > glow[-500:].mean() + 20, "its left half is alike"
    single.remove_reference(0)
    single.color(n=1)
    assert [one.task.references for one in single.photo.gallery][1:] == [()]
    single.do("unsure")
    assert single.photo.maps["unsure"].name in render(single)["unsure"]
    single.act("turn", 1)
    assert render(single)["unsure"] == "", "that was of another picture"


# the album


def test_an_album_is_colored_and_comes_back_in_a_zip(
    desk: WorkedDesk, small: Path, in_color: Path, tmp_path: Path
) -> None:
    files = {"may/beach.png": small, "june/beach.png": small, "june/colored.png": in_color}
    archive = zipped(tmp_path / "1962.zip", {**files, "broken.png": b"nothing"})
    desk.worker.open(desk, [archive])
    desk.worker.color_all(desk, Options(n=2))
    with pytest.raises(ColorflowError, match="no coloring here yet"):
        desk.worker.zip(desk, "PNG", every=False)
    fulfil(desk)
    desk.look_at(0)
    desk.choose(1)
    for every, count in ((False, 2), (True, 4)):
        names = desk.zip(tmp_path, every=every)
        assert file_of(desk).name == "1962-colored.zip"
        assert len(names) == count
        folders = {Path(one).parent.as_posix() for one in names}
        assert folders == {"colored/1962/may", "colored/1962/june"}
        sheet = (tmp_path / "contact-sheet.html").read_text(encoding="utf-8")
        for said in ("left as it is", "1962/broken.png", "the file is not a"):
            assert said in sheet
    assert not any(one.is_unsaved for one in desk.photos)


def test_same_colors_for_the_album(
    desk: WorkedDesk, gray: Path, small: Path, in_color: Path
) -> None:
    desk.put(gray, small, in_color)
    with pytest.raises(ColorflowError, match="Choose a coloring first"):
        desk.worker.same_colors(desk, Options())
    desk.color(n=2)
    desk.choose(1)
    desk.saturate(0.7)
    for _ in range(2):
        desk.do("same_colors", Options())
    first, second, third = desk.photos
    assert (len(first.colorings), len(third.colorings)) == (2, 0)
    (made,) = second.colorings
    assert second.chosen is made
    np.testing.assert_allclose(made.ab.ravel(), 0.7 * np.array(AB[1]), atol=3)
    assert made.caption == "A: average of all, like grandma (1931)"
    desk.saturate(0.5)
    desk.do("same_colors", Options())
    assert len(second.colorings) == 2
    desk.remove(0)
    desk.do("more", 1)
    assert len(second.colorings) == 3, "the colors stay though their photo has gone"


@pytest.mark.parametrize("is_full", [False, True])
def test_an_album_goes_on_after_a_photo_that_fails(
    pair: WorkedDesk,
    gray: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_full: bool,
) -> None:
    if is_full:
        monkeypatch.setattr(coloring, "MOST_COLORINGS", 2)
        pair.color(n=2)
        pair.turn(1)  # now it has none
    else:
        pair.photos[0].upload.path.unlink()
    pair.do("color_all", Options(n=2))
    assert [len(one.gallery) for one in pair.photos] == [0, 2]
    assert [one.name for one in pair.problems] == [gray.name]
    assert pair.said == "1 photos are colored."


def test_photos_that_are_taken_away_while_the_album_is_worked_on(
    pair: WorkedDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorflow.ui.work._SHOW_SECONDS", 0.0)
    pair.put(Path(shutil.copy(pair.photos[1].upload.path, tmp_path / "third.png")))
    pair.worker.color_all(pair, Options(n=2))
    album, (first, second, third) = run(pair, "album"), pair.photos
    while not first.colorings:
        next(album)
    pair.remove(0)
    list(album)
    assert (pair.said, pair.problems) == ("2 photos are colored.", [])
    pair.worker.zip(pair, "PNG", every=False)
    writing = run(pair, "album")
    next(writing)
    next(writing)
    pair.remove(1)
    list(writing)
    assert [one.folder.exists() for one in (first, second, third)] == [False, True, False]
    with zipfile.ZipFile(file_of(pair)) as file:
        assert "taken away" in file.read("contact-sheet.html").decode()
        assert [one for one in file.namelist() if one.endswith("png")] == ["colored/small_a.png"]


# the view


def test_two_hundred_photos_are_shown_within_50_ms(
    desk: WorkedDesk, small: Path, tmp_path: Path
) -> None:
    desk.put(small)
    desk.color(n=8)
    desk.photos = [desk.photo] * MOST_PHOTOS
    desk.look_for("points")
    desk.click(0.5, 0.5)
    render(desk)
    began = time.thread_time()
    for _ in range(5):
        render(desk)
    assert (time.thread_time() - began) / 5 < 0.05


def test_a_field_that_crossed_a_message_is_sent_again(pair: WorkedDesk) -> None:
    """Otherwise the page would show the desk's old value, and the desk have the visitor's."""
    pair.begin_page()
    assert {"upload": None, **pair.edits()} == pair.fields, "files may be on their way"
    pair.page_has({"repairs": True})
    pair.replan(repairs=True)
    assert pair.edits() == {}, "the page has it, and nothing was on its way"
    pair.look_at(1)
    assert pair.edits() == {"repairs": False}
    pair.page_has({"repairs": True})  # ticked before the message came, which unticks it
    pair.replan(repairs=True)
    assert pair.edits() == {"repairs": True}
    pair.page_has({"repairs": False})
    pair.replan(repairs=False)
    assert pair.edits() == {"repairs": False}
    pair._sent["repairs"] -= 10
    pair.page_has({"repairs": True})
    pair.replan(repairs=True)
    assert pair.edits() == {}
