"""`colorflow restore`: albums of scans, with weights that cost nothing."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from colorflow.batch.sheet import marked
from colorflow.cli import main
from colorflow.files import digest_of
from colorflow.photo import Kind, read_photo
from colorflow.recipe import Repair
from colorflow.result import packed
from tests.batch.results import names
from tests.batch.test_sheet import Page
from tests.statements import statement_of
from tests.test_scan import bed, laid, landscape, print_of

FIRST, SECOND = (210, 160), (590, 165)
"""Middles of the prints on a bed, in pixels."""


def cracked_print(name: str) -> np.ndarray:
    """A dull gray print on paper with a white crack, (H, W, 3)."""
    paper = print_of(name)
    paper[12:-12, 12:-12] = 50 + paper[12:-12, 12:-12] // 2
    paper[60:190, 149:152] = 255
    return paper


def in_sepia(paper: np.ndarray) -> np.ndarray:
    return np.round(paper * (1.0, 0.85, 0.62)).astype(np.uint8)


def in_color(photo: np.ndarray) -> np.ndarray:
    """Blue above, and green below."""
    tint = np.repeat([(0.3, 0.5, 1.0), (0.4, 1.0, 0.3)], len(photo) // 2, 0)[:, None]
    return np.round(photo * tint).astype(np.uint8)


def wood(height: int, width: int) -> np.ndarray:
    """A table of a strong color."""
    table = bed("gray", height, width, np.random.default_rng(2)).astype(float)
    return np.clip(table * (0.9, 0.5, 0.2), 0, 255).astype(np.uint8)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A bed with two cracked prints; sepia and color on wood, which the EXIF turns."""
    folder = tmp_path / "album"
    folder.mkdir()
    two = bed("white", 330, 800, np.random.default_rng(0))
    laid(two, cracked_print("coffee"), FIRST, 2.0)
    laid(two, cracked_print("chelsea"), SECOND, -1.5)
    Image.fromarray(two).save(folder / "bed.png")
    table = wood(330, 800)
    laid(table, in_sepia(print_of("coffee")), FIRST, 0.0)
    laid(table, in_color(print_of("astronaut")[12:-12, 12:-12]), SECOND, 0.0, border=0)
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    Image.fromarray(table).save(folder / "wood.png", exif=exif)
    return folder


Restore = Callable[..., int]


@pytest.fixture
def restore(out: Path, weights: Path, in_process: None) -> Restore:
    """Runs the command with small weights; further arguments are inputs and options."""

    def run(*arguments: object) -> int:
        own = ["-o", str(out), "--weights", str(weights)]
        return main(["restore", *map(str, arguments), *own])

    return run


def rows_of(report: Path) -> list[dict[str, str]]:
    with report.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def mean_chroma(rgb: np.ndarray) -> float:
    """Of (..., 3): mean difference of the largest and the smallest value."""
    return float(np.ptp(rgb.astype(int), axis=-1).mean())


def test_an_album_is_restored_and_a_sheet_shows_it(
    scans: Path, out: Path, tmp_path: Path, restore: Restore, capsys: pytest.CaptureFixture[str]
) -> None:
    report, sheet = tmp_path / "restored.csv", tmp_path / "restored.html"
    assert restore(scans, "--report", report, "--contact-sheet", sheet) == 0
    made = [f"{scan}{print}_restored.png" for scan in ("bed", "wood") for print in ("", "_print2")]
    assert names(out) == sorted(made)
    assert read_photo(scans / "wood.png").kind is Kind.TINTED, "as a whole"
    for name, size in zip(made, (*2 * ((300, 220),), *2 * ((220, 300),)), strict=True):
        result, said = read_photo(out / name), statement_of(out / name)
        assert (result.width, result.height) == pytest.approx(size, abs=5)
        is_in_color = name == made[3]
        assert said.has_colors == is_in_color, "a sepia print on wood is gray"
        assert ("colors" in said.generated) == (not is_in_color)
        assert (said.recipe.repair, said.recipe.unfaded) == (Repair(), True)
        lightness = cv2.cvtColor(result.pixels, cv2.COLOR_RGB2GRAY)
        assert np.percentile(lightness, 1) < 40, "its tones are back"

    rows = rows_of(report)
    assert [Path(row["result"]).name for row in rows] == made
    is_cracked = [True, True, False, False]
    assert [float(row["repaired"]) > 0.002 for row in rows] == is_cracked
    corners = np.array([[float(x) for x in row["frame"].split(",")] for row in rows[:2]])
    assert corners.reshape(2, 4, 2).mean(1) == pytest.approx(np.array([FIRST, SECOND]), abs=3)

    kept = [300 * 220 / (330 * 800)] * 4
    assert [float(row["kept"]) for row in rows] == pytest.approx(kept, rel=0.05)

    page = Page(sheet)
    texts = page.texts["figcaption"]
    assert texts[0] == texts[3] == "Before, with what was cut out"
    texts = [*texts[1:3], *texts[4:]]
    for text, name, number in zip(texts, made, (1, 2, 1, 2), strict=True):
        assert text.startswith(f"Print {number}, {name}, ")
    assert [text.endswith(" % repaired") for text in texts] == is_cracked
    assert texts[2].endswith(", No damage found")
    assert [Path(link).name for link in page.links] == made
    scan = page.pictures[0].astype(int)
    assert scan.shape[1] / scan.shape[0] == pytest.approx(800 / 330, rel=0.01), "all of it"
    red = scan[..., 0] - scan[..., 1:].max(-1) > 60
    scale = scan.shape[1] / 800
    for x, y in corners.reshape(2, 4, 2).reshape(-1, 2) * scale:
        assert red[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].any()
    x, y = np.round(np.array(FIRST) * scale).astype(int)
    assert not red[y - 20 : y + 20, x - 20 : x + 20].any(), "only the frames are drawn"
    for picture in page.pictures[1:3]:
        before, after = np.split(picture.astype(int), 2, axis=1)
        red = before[..., 0] - before[..., 1:].max(-1) > 60
        # The crack is 130 of 220 pixels high.
        marked_rows, columns = (np.flatnonzero(red.any(axis)) for axis in (1, 0))
        assert np.ptp(marked_rows) / before.shape[0] == pytest.approx(130 / 220, abs=0.08)
        assert np.median(columns) / before.shape[1] == pytest.approx(139 / 300, abs=0.03)
        assert mean_chroma(before[~red]) < 2, "gray"
        assert mean_chroma(after) > 4

    files = {name: (out / name).read_bytes() for name in names(out)}
    pictures = [one.tobytes() for one in page.pictures]
    (out / made[1]).unlink()
    assert restore(scans, "--contact-sheet", sheet) == 0
    assert "1 done, 1 skipped" in capsys.readouterr().out
    assert {name: (out / name).read_bytes() for name in names(out)} == files
    assert [one.tobytes() for one in Page(sheet).pictures] == pictures, "of earlier runs, too"


def test_one_scan_is_restored_again_without_a_step(
    scans: Path, out: Path, restore: Restore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(scans) == 0
    left = (out / "wood_restored.png").stat().st_mtime_ns
    assert restore(scans / "bed.png", "--no-repair", "--no-color") == 0
    said = statement_of(out / "bed_restored.png")
    recipe = said.recipe
    assert (recipe.colors, recipe.repair, recipe.unfaded, said.prints) == (None, None, True, 2)
    again = (out / "bed_restored.png").stat().st_mtime_ns
    capsys.readouterr()
    assert restore(scans) == 0
    told = capsys.readouterr()
    assert "2 skipped" in told.out
    assert "bed_restored.png is there already, but was not colored; --overwrite makes" in told.err
    assert (out / "bed_restored.png").stat().st_mtime_ns == again
    assert (out / "wood_restored.png").stat().st_mtime_ns == left
    assert restore(scans, "--overwrite") == 0
    assert statement_of(out / "bed_restored.png").recipe.colors
    with Image.open(scans / "bed.png") as scan:
        scan.transpose(Image.Transpose.ROTATE_180).save(scans / "bed.png")
    assert restore(scans) == 1, "its results are of what the scan was"
    assert "bed_restored.png: is there already, but differs in its photo" in capsys.readouterr().err


def test_a_frame_replaces_what_is_found(
    scans: Path, out: Path, tmp_path: Path, restore: Restore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(scans / "bed.png") == 0
    report = tmp_path / "r.csv"
    frame = ["--frame", "500,100,700,100,700,230,500,230"]
    assert restore(scans / "bed.png", *frame, "--no-repair", "--no-fading", "--report", report) == 0
    assert "bed_print2_restored.png shows what is not cut out any more" in capsys.readouterr().err
    result = read_photo(out / "bed_restored.png").pixels
    scan = np.array(Image.open(scans / "bed.png"))[100:230, 500:700]
    lightness = (cv2.cvtColor(one, cv2.COLOR_RGB2LAB)[..., 0].astype(int) for one in (result, scan))
    assert np.abs(np.subtract(*lightness)).mean() < 2
    assert [row["frame"] for row in rows_of(report)] == [frame[1]]
    again = (*frame, "--frame", rows_of(report)[0]["frame"])
    assert restore(scans / "bed.png", *again) == 0
    assert names(out) == ["bed_print2_restored.png", "bed_restored.png"]


def test_a_print_that_fails_is_named_and_the_others_are_restored(
    scans: Path, out: Path, restore: Restore, capsys: pytest.CaptureFixture[str]
) -> None:
    out.mkdir()
    (out / "bed_restored.png").write_bytes(b"not ours")
    for _ in range(2):
        assert restore(scans / "bed.png", "--overwrite") == 1
        told = capsys.readouterr().err
        assert f"print 1: {out / 'bed_restored.png'}: the file cannot be written" in told
        assert statement_of(out / "bed_print2_restored.png").recipe.colors
    assert (out / "bed_restored.png").read_bytes() == b"not ours"


def test_the_sky_of_a_sepia_photo_is_not_all_that_is_kept(
    tmp_path: Path, out: Path, restore: Restore, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, report, sheet = tmp_path / "beach.png", tmp_path / "r.csv", tmp_path / "r.html"
    Image.fromarray(landscape()).save(photo)
    assert restore(photo, "--report", report, "--contact-sheet", sheet) == 0
    result = read_photo(out / "beach_restored.png")
    assert (result.width, result.height) == (400, 300)
    (row,) = rows_of(report)
    assert (row["frame"], row["kept"]) == ("", "")
    told = re.search(r"only 5\d % of it .*; colorflow restore --frame (\S+) cuts", row["remarks"])
    assert told
    assert told[0] in capsys.readouterr().err
    assert len(Page(sheet).pictures) == 1
    assert restore(photo, "--frame", told[1], "--report", report, "--contact-sheet", sheet) == 0
    (row,) = rows_of(report)
    assert (row["frame"], float(row["kept"])) == (told[1], pytest.approx(0.5, abs=0.02))
    before = Page(sheet).pictures[0]
    assert before.shape[1] / before.shape[0] == pytest.approx(400 / 300, rel=0.01)


def test_frames_that_overlap_are_told(
    scans: Path, restore: Restore, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = ["100,60,400,60,400,280,100,280", "350,60,700,60,700,280,350,280"]
    given = [word for frame in frames for word in ("--frame", frame)]
    assert restore(scans / "bed.png", *given) == 0
    assert "the frames of prints 1 and 2 overlap" in capsys.readouterr().err


@pytest.mark.parametrize("treated", [False, True])
def test_a_photo_in_color_keeps_its_colors_unless_it_is_treated_as_gray(
    treated: bool,
    tmp_path: Path,
    out: Path,
    restore: Restore,
    capsys: pytest.CaptureFixture[str],
) -> None:
    photo = np.full((60, 80, 3), (60, 90, 160), np.uint8)
    photo[:, 40:] = (150, 110, 60)
    photo[10:50, 20:22] = 255
    Image.fromarray(photo).save(tmp_path / "a.png")
    folder = tmp_path / "folder"
    folder.mkdir()
    source = (tmp_path / "a.png").rename(folder / "a.png")
    more = ["--scale", 2, "--no-fading"]
    more += ["--treat-as-gray", "a.png"] if treated else []
    assert restore(folder, *more) == 0
    assert ("has colors, which stay" in capsys.readouterr().err) != treated
    said = statement_of(out / "a_restored.png")
    assert said.recipe.enlargement
    assert said.photo == digest_of(source)
    assert said.has_colors == (not treated)
    result = read_photo(out / "a_restored.png").pixels
    assert result.shape == (120, 160, 3)
    assert result[60, 41].max() < 220, "the crack is filled"
    if not treated:
        assert np.abs(result[60, 120].astype(int) - photo[30, 60]).max() <= 6
    assert restore(folder, *more) == 0
    assert "1 skipped" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--frame", "1,2,3,x"], 2, "'--frame': expected x,y,x,y,x,y,x,y, got '1,2,3,x'"),
        (["--frame", "1,2,3,4,5,6"], 2, "--frame: expected x,y,x,y,x,y,x,y, the corners of"),
        (["--frame", "0,0,0,9,9,9,9,0"], 2, "clockwise from the upper left, got 0,0,0,9,9,9,9,0"),
        (["--frame", "0,0,9,0,9,9,0,nan"], 2, "the corners of a convex quadrilateral"),
        (["--frame", "0,0,9,0,9,9,0,9"], 2, "--frame: expected one photo, got 2"),
        (["bed.png", "--frame", "0,0,900,0,900,9,0,9"], 1,
         "bed.png: the frame 0,0,900,0,900,9,0,9 is not in the scan, which has 800 x 330 pixels"),
        (["--frame", "0,0,9,0,9,9,0,9", "--no-crop"], 2, "--frame: expected crop, too"),
        (["--no-repair", "--sensitivity", "1"], 2, "--sensitivity: expected repair, too"),
        (["--no-crop", "--no-repair", "--no-fading", "--no-color"], 2,
         "--no-color: expected a step that is not left out"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told_in_a_sentence(
    arguments: list[str],
    code: int,
    message: str,
    scans: Path,
    restore: Restore,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, options = (arguments[0], arguments[1:]) if "." in arguments[0] else ("", arguments)
    assert restore(scans / name, *options) == code
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


@pytest.mark.parametrize("shape", [(40, 30), (900, 1300), (3000, 7)])
def test_marks_hold_every_damaged_place_and_little_else(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, bool)
    rng = np.random.default_rng(sum(shape))
    rows, columns = (rng.integers(0, side, 5) for side in shape)
    mask[rows, columns] = True
    text = packed(mask)
    assert len(text) < 2800
    red = marked(np.zeros((*shape, 3), np.uint8), text)[..., 0] > 0
    assert red[mask].all()
    cell = -(-max(shape) // 128) + 1
    near = cv2.dilate(mask.astype(np.uint8), np.ones((2 * cell + 1, 2 * cell + 1), np.uint8))
    assert not red[near == 0].any()
    worst = packed(rng.random((500, 500)) < 0.00003)
    assert len(worst) < 2800


@pytest.mark.parametrize("text", ["", "x", "9x9:!", "0x5:AAAA", "5x5:AAAA", "999x999:eJwDAAAAAAE="])
def test_marks_that_somebody_edited_mark_nothing(text: str) -> None:
    picture = np.full((20, 20, 3), 7, np.uint8)
    np.testing.assert_array_equal(marked(picture, text), picture)
