"""Batches that repair and that cut prints out: files, statements, what stays, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image
from PIL.ExifTags import Base

from colorflow.batch import EnlargeSettings, RepairSettings, Settings
from colorflow.batch.sheet import marked
from colorflow.files import digest_of
from colorflow.photo import Kind, read_photo, read_statements
from colorflow.recipe import Enlargement, Recipe, Repair, Statement, Weights
from tests.batch.results import Work, names
from tests.statements import statement_of

HEIGHT, WIDTH = 60, 80


def piece(top: int = 30) -> np.ndarray:
    """A piece of a photo, no white in it, (H, W, 3)."""
    pixels = skimage.data.astronaut()[top : top + HEIGHT, 200 : 200 + WIDTH]
    return np.minimum(pixels, 200)


def cracked(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A print with a white crack, and where it is."""
    crack = np.zeros(pixels.shape[:2], bool)
    crack[10:50, 40] = True
    worn = pixels.copy()
    worn[crack] = 255
    return worn, crack


def save(pixels: np.ndarray, path: Path, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
    return path


def laid_down(*prints: np.ndarray) -> np.ndarray:
    """Gray prints side by side on a bed of light gray, 20 pixels apart."""
    height = max(one.shape[0] for one in prints) + 40
    scan = np.full((height, 20 + sum(one.shape[1] + 20 for one in prints)), 225, np.uint8)
    left = 20
    for one in prints:
        scan[20 : 20 + one.shape[0], left : left + one.shape[1]] = one
        left += one.shape[1] + 20
    return scan


def paper(top: int = 30) -> np.ndarray:
    """A gray print of 120 x 160 pixels."""
    gray = cv2.cvtColor(piece(top), cv2.COLOR_RGB2GRAY)
    return np.minimum(cv2.resize(gray, (160, 120)), 150)


def test_damage_is_filled_and_all_else_stays(tmp_path: Path, out: Path, work: Work) -> None:
    before = piece()
    worn, crack = cracked(before)
    exif = Image.Exif()
    exif[Base.Artist] = "Ada"
    photo = save(worn, tmp_path / "a.png", exif=exif, dpi=(300, 300))
    (outcome,) = work(RepairSettings(), photo).values()
    assert outcome.status == "done"
    made = read_photo(out / "a_repaired.png")
    near = cv2.dilate(crack.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    np.testing.assert_array_equal(made.pixels[~near], worn[~near])
    errors = [np.abs(x[crack].astype(int) - before[crack]).mean() for x in (worn, made.pixels)]
    assert errors[1] < errors[0] / 4
    with Image.open(out / "a_repaired.png") as image:
        assert image.getexif()[Base.Artist] == "Ada"
        assert round(image.info["dpi"][0]) == 300
        assert "compositeWithTrainedAlgorithmicMedia" in str(image.info["xmp"])
    said = statement_of(out / "a_repaired.png")
    assert said.repaired == pytest.approx(near.mean())
    assert said.marks
    red = marked(np.zeros_like(worn), said.marks)[..., 0] > 0
    np.testing.assert_array_equal(red, near)
    assert replace(said, marks=None, repaired=None) == Statement(
        recipe=Recipe(repair=Repair()), weights=Weights(repair="5" * 16), photo=digest_of(photo)
    )
    assert outcome.colorings[0].repaired == said.repaired
    (again,) = work(RepairSettings(), photo).values()
    assert (again.status, again.colorings) == ("skipped", outcome.colorings)
    made_before = (out / "a_repaired.png").rename(tmp_path / "made.png")
    (not_again,) = work(RepairSettings(), made_before).values()
    assert "colorflow made" in str(not_again.reason)


def test_a_photo_without_damage_stays_as_it_is(tmp_path: Path, out: Path, work: Work) -> None:
    photo = save(piece(), tmp_path / "a.png")
    (outcome,) = work(RepairSettings(), photo).values()
    assert (outcome.status, outcome.remarks) == ("done", ("no damage found",))
    np.testing.assert_array_equal(read_photo(out / "a_repaired.png").pixels, piece())
    with Image.open(out / "a_repaired.png") as image:
        assert "algorithmicallyEnhanced" in str(image.info["xmp"])
        assert "not recorded" not in str(image.info)
    assert [one.repaired for one in outcome.colorings] == [0.0]


def test_a_repaired_photo_is_colored_and_enlarged_in_one_go(
    tmp_path: Path, out: Path, work: Work
) -> None:
    worn, _ = cracked(piece())
    photo = save(cv2.cvtColor(worn, cv2.COLOR_RGB2GRAY), tmp_path / "a.png")
    (outcome,) = work(Settings(repair=True), photo).values()
    assert outcome.status == "done"
    said = statement_of(out / "a_a.png")
    assert said.recipe.colors
    assert said.recipe.repair
    assert said.repaired
    assert work(Settings(repair=True), photo)["a.png"].status == "skipped"
    work(EnlargeSettings(repair=True), photo)
    assert read_photo(out / "a_x2_mean.png").pixels.max() < 230, "no crack"
    enlarged = statement_of(out / "a_x2_mean.png")
    assert enlarged.recipe == Recipe(repair=Repair(), enlargement=Enlargement(scale=2))
    assert (enlarged.repaired, enlarged.marks) == (said.repaired, said.marks)
    (tmp_path / "then").mkdir()
    work(RepairSettings(), photo)
    later = (out / "a_repaired.png").rename(tmp_path / "then" / "c.png")
    assert work(Settings(), later)["c.png"].status == "done", "what is said of it is not its own"
    assert work(Settings(), later)["c.png"].status == "skipped"
    repaired, colored = read_statements(out / "c_a.png")
    assert repaired == statement_of(later)
    assert colored.recipe.colors


def test_prints_of_one_scan_become_results(tmp_path: Path, out: Path, work: Work) -> None:
    scan = save(laid_down(paper(), paper(200), paper(100)), tmp_path / "scan.png", dpi=(300, 300))
    settings = Settings(n=2, crop=True)
    (outcome,) = work(settings, scan).values()
    assert outcome.status == "done"
    want = [f"scan{which}_{letter}.png" for which in ("", "_print2", "_print3") for letter in "ab"]
    assert names(out) == sorted(want)
    assert [one.path.name for one in outcome.colorings] == want
    assert [one.print_number for one in outcome.colorings] == [1, 1, 2, 2, 3, 3]
    for number, top in enumerate((30, 200, 100), 1):
        name = "scan_a.png" if number == 1 else f"scan_print{number}_a.png"
        made = read_photo(out / name)
        assert (made.height, made.width) == pytest.approx((120, 160), abs=3)
        lightness = cv2.cvtColor(made.pixels, cv2.COLOR_RGB2GRAY)
        same = cv2.resize(lightness, (160, 120))[10:-10, 10:-10].astype(int)
        assert np.abs(same - paper(top)[10:-10, 10:-10]).mean() < 8
        assert made.metadata.dpi == pytest.approx((300, 300), abs=0.1)
        said = statement_of(out / name)
        assert said.recipe.crop
        assert (said.recipe.crop.number, said.prints, said.repaired) == (number, 3, None)
    (again,) = work(settings, scan).values()
    assert (again.status, len(again.colorings)) == ("skipped", 6)
    (out / "scan_print2_b.png").unlink()
    left = (out / "scan_a.png").stat().st_mtime_ns
    (some,) = work(settings, scan).values()
    assert (some.status, len(some.colorings)) == ("done", 6)
    assert (out / "scan_a.png").stat().st_mtime_ns == left
    assert names(out) == sorted(want)
    (anew,) = work(Settings(n=2, overwrite=True), scan).values()
    assert anew.remarks == ("looks like a scan with a border; --crop auto cuts it off",)


def test_one_print_has_the_usual_name_and_a_photo_without_a_bed_is_whole(
    tmp_path: Path, out: Path, work: Work
) -> None:
    one = save(laid_down(paper()), tmp_path / "one.png")
    none = save(piece(), tmp_path / "none.png")
    outcomes = work(RepairSettings(crop=True), one, none)
    assert {outcome.status for outcome in outcomes.values()} == {"done"}
    assert names(out) == ["none_repaired.png", "one_repaired.png"]
    assert read_photo(out / "one_repaired.png").width == pytest.approx(160, abs=3)
    np.testing.assert_array_equal(read_photo(out / "none_repaired.png").pixels, piece())
    outcomes = work(RepairSettings(crop=True), one, none)
    assert {outcome.status for outcome in outcomes.values()} == {"skipped"}
    assert [one.print_number for one in outcomes["one.png"].colorings] == [None]


def test_a_colored_print_is_left_beside_gray_ones(tmp_path: Path, out: Path, work: Work) -> None:
    gray = laid_down(paper(), paper(200), paper(100))
    scan = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
    color = cv2.resize(piece(), (160, 120))
    scan[20:140, 200:360] = color
    (outcome,) = work(Settings(crop=True), save(scan, tmp_path / "scan.png")).values()
    assert outcome.status == "done"
    assert names(out) == ["scan_a.png", "scan_print3_a.png"]
    assert any(one.startswith("print 2: already has colors") for one in outcome.remarks)
    assert read_photo(out / "scan_a.png").kind is Kind.COLORED
