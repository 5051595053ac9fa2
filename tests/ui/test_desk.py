"""What can be done to a desk, without a server."""

from __future__ import annotations

import json
import os
import random
import re
import time
import zipfile
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.color import rgb2lab

from colorflow.errors import ColorflowError
from colorflow.photo import read_provenance, read_statements
from colorflow.ui import coloring
from colorflow.ui.coloring import Options
from colorflow.ui.colorize import Desks, _place_of
from colorflow.ui.desk import MOST_PHOTOS
from colorflow.ui.limits import VISITORS
from colorflow.ui.render import render
from colorflow.ui.server import sweep
from colorflow.ui.work import DeskWorker, run
from tests.test_scan import laid
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
    desk: WorkedDesk, small: Path, tmp_path: Path, opened: int
) -> None:
    archive = zipped(tmp_path / "1962.zip", {"a.png": small, "b.png": small})
    desk.worker.open(desk, [archive])
    opening = run(desk, "open")
    while len(desk.photos) < opened or len(desk.waiting) != 2 - opened:
        next(opening)
    desk.cancel("open")
    list(opening)
    desk.put(archive)
    assert [one.name for one in desk.photos] == ["1962/a.png", "1962/b.png"]


def test_what_is_opened_when_more_comes_is_not_lost(
    desk: WorkedDesk, gray: Path, small: Path
) -> None:
    desk.worker.open(desk, [gray])
    first = run(desk, "open")
    next(first)
    desk.do("open", [small])
    list(first)
    assert [one.name for one in desk.photos] == [gray.name, small.name]


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
    desk: WorkedDesk, gray: Path, small: Path
) -> None:
    """By one press or two."""
    desk.put(gray, small)
    desk.color(n=2)
    gone, stays = desk.photos
    (own,) = re.findall(r'data-act="remove" data-index="([^"]*)"', render(desk)["strip"])
    desk.remove(_place_of(desk, own))
    with pytest.raises(ColorflowError, match="gone already"):
        desk.remove(_place_of(desk, own))
    assert desk.at is stays
    assert (gone.folder.exists(), stays.folder.exists()) == (False, True)
    desk.put(gray)
    assert [one.name for one in desk.photos] == [small.name, gray.name], "it may come again"


@pytest.mark.parametrize("wish_seconds", [None, 3600, 0])
def test_a_desk_goes_after_its_last_action(
    tmp_path: Path, worker: DeskWorker, small: Path, wish_seconds: float | None
) -> None:
    """Unless it has work that has waited for less than so many seconds."""
    root = tmp_path / VISITORS
    root.mkdir()
    desks = Desks(root)
    desk, other = desks.of("a"), desks.of("b")
    worker.open(desk, [small])
    fulfil(desk)
    if wish_seconds is not None:
        worker.color_all(desk, Options(n=1))
    for path in (desk.folder, *desk.folder.rglob("*")):
        os.utime(path, (time.time() - 101, time.time() - 101))
    desks.keep(wish_seconds or 0)
    sweep(tmp_path, 100)
    assert desks.of("b") is other
    assert desk.folder.exists() == bool(wish_seconds)
    assert (desks.of("a") is desk) == bool(wish_seconds)


# colorings


def test_colorings_stay_in_their_order(desk: WorkedDesk, gray: Path) -> None:
    desk.put(gray)
    desk.color(n=3)
    photo = desk.photo
    assert [one.caption for one in photo.gallery] == ["A: average of all", "B: 50 %", "C: 50 %"]
    assert not any(one.spec.quick for one in photo.colorings)
    assert photo.chosen is photo.gallery[0]
    desk.color(n=2, samples=True)
    desk.color(n=1, samples=True)
    assert [one.caption for one in photo.gallery][3:] == ["Sample 1", "Sample 2", "Sample 3"]
    desk.color(n=3)
    assert len(photo.gallery) == 6, "the same are not made again"
    assert photo.chosen is photo.gallery[0]
    desk.choose(1)
    desk.do("more", 2)
    assert [one.caption.split(",")[0] for one in photo.gallery][6:] == ["B", "B"]
    assert photo.chosen is photo.gallery[1]
    desk.choose(-1)
    assert photo.chosen is None
    desk.color(n=1, temperature=0.5)
    assert photo.gallery[-1].caption == "A: average of all, temperature 0.5"


def test_the_quick_first_coloring_is_replaced(desk: WorkedDesk, gray: Path) -> None:
    desk.put(gray)
    desk.worker.color(desk, Options(n=2))
    steps, seen = run(desk, "color"), []
    for _ in steps:
        seen.append([one.spec.quick for one in desk.photo.gallery])
    assert [True] in seen
    assert seen[-1] == [False, False]
    assert desk.photo.chosen is desk.photo.gallery[0]


def test_results_of_an_old_wish_are_not_applied(desk: WorkedDesk, gray: Path, small: Path) -> None:
    desk.put(gray, small)
    desk.worker.color(desk, Options(n=5, samples=True))
    old = run(desk, "color")
    while not desk.photos[0].colorings:
        next(old)
    desk.look_at(1)
    desk.worker.color(desk, Options(n=2))
    new = run(desk, "color")
    next(new)
    made = len(desk.photos[0].colorings)
    assert list(old) == []
    assert len(desk.photos[0].colorings) == made, "and what was there stays"
    list(new)
    assert len(desk.photos[1].gallery) == 2


@pytest.mark.parametrize("is_looked_at", [True, False])
def test_a_photo_that_goes_takes_only_its_own_wishes_along(
    desk: WorkedDesk, gray: Path, small: Path, *, is_looked_at: bool
) -> None:
    desk.put(gray, small)
    desk.worker.color(desk, Options(n=4))
    desk.worker.finish(desk, 2, False, "PNG")
    desk.look_at(1)
    desk.worker.unsure(desk)
    stays, gone = ("color", "finish"), ("ask",)
    if not is_looked_at:
        stays, gone = gone, stays
    desk.remove(1 if is_looked_at else 0)
    assert tuple(desk.wishes) == stays
    fulfil(desk)
    assert len(desk.photo.gallery) == (4 if is_looked_at else 0)


def test_references_arrive_though_a_point_is_clicked(
    desk: WorkedDesk, gray: Path, in_color: Path
) -> None:
    desk.put(gray)
    desk.worker.add_references(desk, [in_color])
    desk.click(0.5, 0.5)
    desk.worker.offer(desk)
    asking = run(desk, "ask")
    next(asking)
    assert "Looking for likely" in "".join(render(desk).values())
    desk.cancel("ask")
    assert "Looking for likely" not in "".join(render(desk).values())
    fulfil(desk)
    assert [one.name for one in desk.photo.references] == [in_color.name]


def test_cancel_ends_its_own_kind(desk: WorkedDesk, gray: Path, small: Path) -> None:
    desk.put(gray)
    desk.worker.open(desk, [small])
    desk.worker.color(desk, Options(n=3))
    coloring = run(desk, "color")
    next(coloring)
    desk.cancel("color")
    assert list(coloring) == []
    assert desk.photo.colorings == []
    assert list(desk.wishes) == ["open"]
    desk.cancel("color")
    desk.cancel("nothing")
    fulfil(desk)
    assert len(desk.photos) == 2


def test_a_failure_is_told_and_ends_the_wish(
    desk: WorkedDesk, colorizer: FakeColorizer, gray: Path
) -> None:
    desk.put(gray)
    colorizer.error = MemoryError()
    desk.color()
    assert (desk.is_bad, desk.said) == (True, "There is not enough memory; choose a smaller photo.")
    colorizer.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        desk.color()
    assert desk.wishes == {}, "a fault of the program leaves none"
    colorizer.error = None
    desk.color()
    assert len(desk.photo.gallery) == 4


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
def test_saturation_of_what_is_shown_and_saved(
    desk: WorkedDesk, gray: Path, saturation: float
) -> None:
    desk.put(gray)
    desk.color(n=2)
    desk.saturate(saturation)
    desk.choose(1)
    path = desk.finish(1, "PNG")
    expected = saturation * np.array(AB[1])
    shown = desk.require_chosen().painted(saturation)
    assert shown.name in render(desk)["stage"]
    for one in (shown, path):
        np.testing.assert_allclose(chroma_of(one), expected, atol=2)
    stated = read_provenance(path)
    assert stated
    assert (stated.saturation, stated.seed) == (saturation, 0)
    desk.saturate(1.0)
    assert desk.photo.gallery[1].preview.as_posix() in unquote(render(desk)["stage"])


def test_a_file_has_the_photos_own_size_name_and_metadata(desk: WorkedDesk, gray: Path) -> None:
    desk.put(gray)
    desk.color(n=1)
    assert desk.photo.is_unsaved
    path = desk.finish(1, "Its own")
    assert not desk.photo.is_unsaved
    assert path.name == "grandma (1931)_a.jpg"
    with Image.open(gray) as before, Image.open(path) as after:
        assert after.size == before.size
        assert after.getexif()[IMAGE_DESCRIPTION].startswith(SUBJECT)
        assert after.info["dpi"] == (300, 300)
    desk.saturate(0.5)
    assert desk.photo.is_unsaved


@pytest.mark.parametrize("is_colored", [True, False])
def test_larger_sizes_of_photos_that_are_colored_or_not(
    desk: WorkedDesk, small: Path, *, is_colored: bool
) -> None:
    desk.put(small)
    with pytest.raises(ColorflowError, match="as it came"):
        desk.worker.finish(desk, 1, False, "Its own")
    if is_colored:
        desk.color(n=1)
    path = desk.finish(2, "JPEG")
    name = "small_a_x2_mean.jpg" if is_colored else "small_x2_mean.jpg"
    assert path.name == name
    assert pixels(path).shape[:2] == (128, 128)
    stated = read_statements(path)
    assert stated.detail
    assert (stated.detail.scale, stated.colors is not None) == (2, is_colored)


def test_what_is_too_large_is_refused(desk: WorkedDesk, gray: Path) -> None:
    desk.put(gray)
    desk.worker.budget.pixels = 10_000_000
    with pytest.raises(ColorflowError, match="would have 25 megapixels"):
        desk.worker.finish(desk, 4, False, "PNG")


# the print


def test_a_print_is_cut_out_turned_and_repaired(desk: WorkedDesk, scan: Path) -> None:
    desk.put(scan)
    photo = desk.photo
    assert desk.view == "frame"
    assert len(photo.prints) == 1
    desk.act("cut_out", list(photo.corners))
    assert (photo.form.photo.width, photo.form.photo.height) == pytest.approx(
        (WIDTH, HEIGHT), abs=4
    )
    desk.act("replan", repairs=True)
    assert desk.view == "places"
    assert 0.01 < photo.form.repaired < 0.2
    repaired = pixels(photo.form.photo.path)
    assert pixels(photo.form.base.path).max() > 240 > repaired.max(), "what was white is filled"
    desk.act("turn", 1)
    assert photo.form.photo.width == pytest.approx(HEIGHT, abs=4)
    desk.color(n=1)
    path = desk.finish(1, "PNG")
    stated = read_statements(path)
    assert stated.prepared
    assert (stated.prepared.prints, stated.prepared.repaired) == (1, True)


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
    desk.replan(repairs=True)
    desk.put_point(30, 40)
    desk.act("color_point", (20.0, 10.0))
    desk.color(n=1)
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
    said = [read_statements(tmp_path / one).prepared for one in names]
    assert [(one.number, one.prints, one.repaired) for one in said if one] == [
        (1, 3, False),
        (2, 3, True),
    ]
    desk.remove(0)
    assert (desk.photos, second.gallery) == ([second], second.colorings)
    desk.look_at(0)
    assert desk.finish(2, "PNG").name == "bed_print2_hints_x2_mean.png"
    desk.put(bed)
    assert desk.photos == [second], "it is here already"
    desk.remove(0)
    assert not any(one.folder.exists() for one in (first, second, third))
    desk.put(bed)
    assert len(desk.photos) == 3, "it may come again"


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

    def repair(*, repairs: bool) -> None:
        desk.act("replan", repairs=repairs)

    repair(repairs=True)
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
    said = read_statements(tmp_path / "colored/print_a.png")
    assert said.prepared, "a coloring of what is to be colored now comes first"
    repair(repairs=False)
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
    photo = desk.photo

    def repaired() -> np.ndarray:
        desk.prepare()
        return pixels(photo.form.photo.path)

    with pytest.raises(ColorflowError, match="wait for it"):
        desk.mark([SPOT], 1 / 50)
    desk.replan(repairs=True)
    both = repaired()
    (x, y), (crack_x, crack_y) = SPOT, CRACK[1]
    assert both[y, x] < 240 > both[crack_y, crack_x]
    desk.mark([SPOT], 1 / 50)
    assert (repaired()[y, x], repaired()[crack_y, crack_x] < 240) == (255, True)
    desk.mark([[5, 5], [30, 5]], 1 / 100)
    share = photo.form.repaired
    repaired()
    assert photo.form.repaired > share, "a stroke is repaired, too"
    desk.undo_mark()
    desk.undo_mark()
    np.testing.assert_array_equal(repaired(), both)
    with pytest.raises(ColorflowError, match="from 0 to 300 across"):
        desk.mark([(WIDTH + 5, 3)], 1 / 50)
    desk.replan(repairs=False)
    desk.worker.prepare(desk)
    assert photo.form.photo is photo.upload, "at once"


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
    for _ in range(3):
        desk.undo_mark()
    assert share() == 0


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


@pytest.mark.parametrize("seed", range(3))
def test_coloring_prepares_first(
    desk: WorkedDesk, gray: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("colorflow.ui.work._SHOW_SECONDS", 0.0)
    desk.put(gray)
    desk.turn(3)
    desk.worker.prepare(desk)
    desk.worker.color(desk, Options(n=1))
    running = [run(desk, "color"), run(desk, "prepare")]
    random_ = random.Random(seed)
    while running:
        one = random_.choice(running)
        if next(one, "ended") == "ended":
            running.remove(one)
    assert [one.form.plan.turns for one in desk.photo.gallery] == [3]
    assert len(list(desk.photo.folder.glob("made-*"))) == 1, "by one of the two"


@pytest.mark.parametrize("replaced", [False, True])
def test_a_print_is_prepared_though_its_coloring_is_not_wanted_any_more(
    desk: WorkedDesk, gray: Path, small: Path, *, replaced: bool
) -> None:
    desk.put(gray, small)
    desk.replan(repairs=True)
    desk.worker.prepare(desk)
    desk.worker.color(desk, Options(n=1))
    coloring = run(desk, "color")
    while not desk.photo.is_in_work:
        next(coloring)
    if replaced:
        desk.look_at(1)
        desk.worker.color(desk, Options(n=1))
    else:
        desk.cancel("color")
    assert list(coloring) == []
    fulfil(desk)
    assert desk.photos[0].form.plan.repairs
    assert [len(one.colorings) for one in desk.photos] == [0, int(replaced)]


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
    assert photo.points.hints == (hint,)


def test_points_color_the_photo_and_undo_brings_back_what_was_there(
    desk: WorkedDesk, gray: Path
) -> None:
    desk.put(gray)
    photo = desk.photo
    desk.recolor()
    (plain,) = photo.gallery
    desk.click(0.3, 0.3)
    desk.do("offer")
    shares = [one.share or 0 for one in photo.swatches]
    assert 0 < sum(shares) <= 1.001
    desk.act("pick_swatch", next(i for i, share in enumerate(shares) if share))
    assert photo.gallery[1].caption == "A: average of all, 1 hint"
    assert photo.chosen is photo.gallery[1]
    desk.photo.points.hold(0)
    desk.act("click", 0.6, 0.6)
    assert len(photo.gallery) == 3
    desk.photo.points.undo()
    desk.worker.recolor(desk)
    assert (desk.wishes, photo.chosen) == ({}, photo.gallery[1]), "without any work"
    desk.photo.points.undo()
    desk.worker.recolor(desk)
    assert photo.chosen is plain
    with pytest.raises(ColorflowError, match="nothing to undo"):
        desk.photo.points.undo()
    with pytest.raises(ColorflowError, match="Click a point"):
        desk.color_point((1.0, 1.0))
    with pytest.raises(ColorflowError, match="no color"):
        desk.color_point(None)
    with pytest.raises(ColorflowError, match="from 0 to 1535 across"):
        desk.put_point(1536, 0)


def test_hints_are_saved_for_another_day_with_their_coloring(
    desk: WorkedDesk, gray: Path, tmp_path: Path
) -> None:
    desk.put(gray)
    with pytest.raises(ColorflowError, match="no points"):
        desk.worker.save_hints(desk)
    desk.color(n=3)
    desk.choose(2)
    desk.saturate(0.5)
    desk.put_point(700, 500)
    desk.act("color_point", (30.0, -20.0))
    desk.worker.save_hints(desk)
    saved = json.loads(file_of(desk).read_text())
    assert saved[gray.name]["hints"] == [{"row": 500, "column": 700, "a": 30, "b": -20}]
    chosen, path = desk.require_chosen(), tmp_path / "hints.json"
    path.write_bytes(file_of(desk).read_bytes())
    desk.remove(0)
    desk.put(gray)
    desk.do("load_hints", path)
    again = desk.require_chosen()
    assert (again.spec, again.task.hints) == (chosen.spec, chosen.task.hints)
    assert desk.photo.saturation == 0.5
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    with pytest.raises(ColorflowError, match=r"bad\.json: is not a JSON file"):
        desk.worker.load_hints(desk, bad)


# references and maps


def test_colors_of_a_reference(desk: WorkedDesk, gray: Path, small: Path, in_color: Path) -> None:
    desk.put(gray)
    desk.do("add_references", [small])
    assert "has no colors that could be carried over" in desk.said
    with pytest.raises(ColorflowError, match="Choose a photo in color"):
        desk.worker.where_referred(desk)
    desk.do("add_references", [in_color])
    desk.color(n=1, strength=1.0)
    (coloring,) = desk.photo.gallery
    assert coloring.caption == "A: average of all, like in color"
    true = rgb2lab(data.coffee()[:300, :400])[..., 1:].mean(axis=(0, 1))
    np.testing.assert_allclose(coloring.ab.ravel(), true, atol=1)
    desk.do("where_referred")
    glow = pixels(desk.photo.maps["reference"]).mean(axis=(0, 2))
    assert glow[:500].mean() > glow[-500:].mean() + 20, "its left half is alike"
    desk.remove_reference(0)
    desk.color(n=1)
    assert [one.task.references for one in desk.photo.gallery][1:] == [()]


def test_where_the_model_is_unsure(desk: WorkedDesk, gray: Path) -> None:
    desk.put(gray)
    desk.do("unsure")
    assert desk.photo.maps["unsure"].name in render(desk)["unsure"]
    desk.act("turn", 1)
    assert render(desk)["unsure"] == ""


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


@pytest.mark.parametrize("is_full", [False, True])
def test_an_album_goes_on_after_a_photo_that_fails(
    desk: WorkedDesk,
    gray: Path,
    small: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_full: bool,
) -> None:
    desk.put(gray, small)
    if is_full:
        monkeypatch.setattr(coloring, "MOST_COLORINGS", 2)
        desk.color(n=2)
        desk.turn(1)  # now it has none
    else:
        desk.photos[0].upload.path.unlink()
    desk.do("color_all", Options(n=2))
    assert [len(one.gallery) for one in desk.photos] == [0, 2]
    assert [one.name for one in desk.problems] == [gray.name]
    assert desk.said == "1 photos are colored."


def test_a_photo_that_is_taken_away_while_the_album_is_colored(
    desk: WorkedDesk, gray: Path, small: Path
) -> None:
    desk.put(gray, small)
    desk.worker.color_all(desk, Options(n=3))
    album, gone = run(desk, "album"), desk.photo
    while not gone.colorings:
        next(album)
    desk.remove(0)
    list(album)
    assert not gone.folder.exists()
    assert (desk.said, desk.problems) == ("1 photos are colored.", [])
    assert len(desk.photo.colorings) == 3


def test_a_photo_that_is_taken_away_while_the_zip_is_written(
    desk: WorkedDesk,
    gray: Path,
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("colorflow.ui.work._SHOW_SECONDS", 0.0)
    third = tmp_path / "third.png"
    third.write_bytes(small.read_bytes())
    desk.put(gray, small, third)
    desk.do("color_all", Options(n=1))
    desk.worker.zip(desk, "PNG", every=False)
    writing, gone = run(desk, "album"), desk.photos[1]
    next(writing)
    next(writing)
    desk.remove(1)
    list(writing)
    assert not gone.folder.exists()
    with zipfile.ZipFile(file_of(desk)) as file:
        names = sorted(one for one in file.namelist() if one.endswith(".png"))
        assert "taken away" in file.read("contact-sheet.html").decode()
    assert names == ["colored/grandma (1931)_a.png", "colored/third_a.png"]


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


def test_names_are_shown_as_text(desk: WorkedDesk, small: Path, tmp_path: Path) -> None:
    name = tmp_path / "<b>&'.png"
    name.write_bytes(small.read_bytes())
    desk.put(name)
    desk.color(n=1)
    shown = "".join(render(desk).values())
    assert "<b>" not in shown
    assert "&lt;b&gt;&amp;" in shown


def test_a_field_that_crossed_a_message_is_sent_again(
    desk: WorkedDesk, gray: Path, small: Path
) -> None:
    """Otherwise the page would show the desk's old value, and the desk have the visitor's."""
    desk.put(gray, small)
    desk.begin_page()
    assert {"upload": None, **desk.edits()} == desk.fields, "files may be on their way"
    desk.page_has({"repairs": True})
    desk.replan(repairs=True)
    assert desk.edits() == {}, "the page has it, and nothing was on its way"
    desk.look_at(1)
    assert desk.edits() == {"repairs": False}
    desk.page_has({"repairs": True})  # ticked before the message came, which unticks it
    desk.replan(repairs=True)
    assert desk.edits() == {"repairs": True}
    desk.page_has({"repairs": False})
    desk.replan(repairs=False)
    assert desk.edits() == {"repairs": False}
    desk._sent["repairs"] -= 10
    desk.page_has({"repairs": True})
    desk.replan(repairs=True)
    assert desk.edits() == {}
