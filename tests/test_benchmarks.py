"""Benchmarks in a tiny form: they run, and compare what they say they compare."""

from __future__ import annotations

import os
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from benchmarks import bad_files, hostile_kinds, page_memory
from benchmarks.files_of_one_photo import files_of_one_photo
from benchmarks.gray_scans import COLOR_PRINTS, SCANS
from benchmarks.measuring import gray_photo
from benchmarks.page_load import load
from benchmarks.page_pictures import MOST_WIDTH, VIEWS, View, take_pictures
from tests.small_weights import save_small_repair_weights


def rows_printed(
    name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> list[list[str]]:
    """Cells of the tables that a benchmark prints, heads and lines between left out."""
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    import_module(f"benchmarks.{name}").main()
    printed = capsys.readouterr().out
    assert re.search(r"\d{4}-\d\d-\d\d, .*cores, \d+ torch threads.*seed 0.*torch 2", printed)
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    divided = [i for i, line in enumerate(lines) if line.startswith("|---")]
    kept = [line for i, line in enumerate(lines) if i not in divided and i + 1 not in divided]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in kept]


@pytest.fixture(scope="module")
def repairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_repair_weights(tmp_path_factory.mktemp("weights") / "repair.safetensors")


_PROGRAMS = [
    ("one_photo --megapixels 0.05 0.1 --repetitions 1 --weights WEIGHTS", "read"),
    ("one_photo --megapixels 0.05 --colorings 2 --repetitions 1 --weights WEIGHTS", "read"),
    ("one_photo --work enlarge --megapixels 0.01 --scale 4 --weights LARGER", "read"),
    ("one_photo --work repair --megapixels 0.01 --threads 1 --weights REPAIR", "read"),
    ("folder --photos 4 --repetitions 1 --weights WEIGHTS", "4 principal colorings"),
]
"""Calls, and what begins the table."""


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("call", "first"), _PROGRAMS)
def test_it_prints_its_table(
    call: str,
    first: str,
    weights: Path,
    detail: Path,
    repairs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(Path(__file__).parent.parent)
    name, *arguments = call.split()
    files = {"WEIGHTS": str(weights), "LARGER": str(detail), "REPAIR": str(repairs)}
    arguments = [files.get(one, one) for one in arguments]
    rows = rows_printed(name, arguments, monkeypatch, capsys)
    assert rows[0][0].startswith(first)


def test_gray_scans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    image = Image.fromarray(skimage.data.coffee()).resize((150, 100))
    for name, one in (("gray", image.convert("L")), ("colored", image)):
        (tmp_path / name).mkdir()
        one.save(tmp_path / name / "photo.png")
    arguments = [str(tmp_path / "gray"), str(tmp_path / "colored")]
    rows = rows_printed("gray_scans", arguments, monkeypatch, capsys)
    names = ["as it is", *SCANS, "hand-colored print", *COLOR_PRINTS]
    assert [row[:2] for row in rows] == [[name, "1"] for name in names]
    assert {row[2] for row in rows} <= {"0", "1"}


@pytest.mark.slow
@pytest.mark.long
def test_files_of_one_photo_are_those_whose_functions_run() -> None:
    calls = files_of_one_photo()
    assert {"cli/photos.py", "batch/plan.py", "batch/processes.py"} <= calls.command
    assert {"batch/processes.py", "photo/decode.py", "model/pyramid.py"} <= calls.worker
    assert "model/pyramid.py" not in calls.command  # the worker has the model
    assert "photo/isolated.py" in calls.worker
    assert "photo/jpeg2000.py" not in calls.command | calls.worker  # only its imports run


def test_scale_of_planning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["scale", "--photos", "50"])
    import_module("benchmarks.scale").main()
    printed = capsys.readouterr().out
    for row in ("plan", "hand out, keep outcomes", "write the report"):
        assert printed.count(f"| {row} |") == 1


def test_photos_differ_and_are_the_same_again() -> None:
    photos = [gray_photo(200, 150, number) for number in range(12)]
    assert all(photo.shape == (150, 200) and photo.dtype == np.uint8 for photo in photos)
    assert all(photo.std() > 10 for photo in photos)
    assert len({photo.tobytes() for photo in photos}) == 12
    np.testing.assert_array_equal(photos[7], gray_photo(200, 150, 7))


@pytest.mark.slow
@pytest.mark.long
def test_hostile_files_do_no_harm_to_the_command(tmp_path: Path) -> None:
    small = {
        "heic.heic": hostile_kinds.heic_of_other_depth,
        "strip.tif": hostile_kinds.tiff_of_large_png,
        "precincts.j2k": lambda: hostile_kinds.jpeg_2000_of_precincts(12_000),
        "tags.tif": lambda: hostile_kinds.tiff_of_shared_values(100, 100_000),
    }
    found = list(bad_files.results_of(small, tmp_path))
    assert [name for name, _, _ in found] == list(small)
    assert not any(result.is_bad for _, _, result in found)
    words = ("broke on it", "not fit into memory", "damaged", "done")
    for (*_, result), word in zip(found, words, strict=True):
        assert word in result.outcome


def test_harm_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that ends with a traceback."""
    monkeypatch.setattr(sys, "executable", tmp_path / "python")
    (tmp_path / "python").write_text("#!/bin/sh\necho Traceback >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    assert bad_files.by_command(tmp_path / "a.png").is_bad


SIZE = (160, 120)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_two_clients_with_two_photos_each(tmp_path: Path, weights: Path) -> None:
    outcome = load(tmp_path, clients=2, uploads=2, colorings=2, size=SIZE, weights=weights)
    assert (outcome.answered, outcome.mixed_up) == (4, 0)
    assert len(outcome.first_seconds) == len(outcome.seconds) == 4
    assert all(f < s for f, s in zip(outcome.first_seconds, outcome.seconds, strict=True))
    assert 0 < outcome.start_megabytes <= outcome.peak_megabytes


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_a_visitor_comes_does_everything_and_leaves(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_memory, "SIZES", (SIZE,))
    result = page_memory.kept(tmp_path, visitors=1, minutes=0, idle=0, weights=weights)
    assert result.visits == 1
    assert 0 < result.start.pss <= result.most.pss
    assert 0 < result.idle.pss < result.idle.rss


DOCS = Path(__file__).resolve().parent.parent / "docs"
MOST_BYTES = 1_500_000


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.long
def test_two_photos_at_once_and_the_result_in_a_picture(tmp_path: Path, weights: Path) -> None:
    if shutil.which("chromium") is None and os.environ.get("CI") != "true":
        pytest.skip("no chromium on this machine (Debian's package of that name)")
    view = View(tab="reference", width=390)
    assert take_pictures(tmp_path / "page", [view], weights) == {"reference_phone.webp": 0}
    with Image.open(tmp_path / "page" / view.name) as picture:
        assert picture.format == "WEBP"
        assert picture.width == 390
        assert picture.height > 844, "the whole page, not a window of it"
        shown = np.asarray(picture.convert("RGB")).astype(int)
    assert (np.ptp(shown, axis=-1) > 40).mean() > 0.02, "a photo in color is seen"


def test_the_page_of_pictures_shows_them_all() -> None:
    text = (DOCS / "page.md").read_text(encoding="utf-8")
    shown = re.findall(r"(?:\]\(|src=\")page/([^)\"]+)", text)
    assert sorted(shown) == sorted(view.name for view in VIEWS)
    sizes = 0
    for view in VIEWS:
        path = DOCS / "page" / view.name
        with Image.open(path) as picture:
            assert picture.width == min(view.width, MOST_WIDTH)
        sizes += path.stat().st_size
    assert sizes < MOST_BYTES
