"""TIFF files of several pages: each page is a photo, with results and outcomes of its own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from colorflow.batch import Settings, make_plan
from colorflow.batch.hints import PhotoHints
from colorflow.cli import main
from colorflow.recipe import Hint
from tests.batch.conftest import gray_pixels
from tests.batch.results import Printed, names


def test_every_page_is_colored_and_counted(
    tmp_path: Path, weights: Path, in_process: None, capsys: Printed
) -> None:
    scan, out, report = tmp_path / "scan.tif", tmp_path / "out", tmp_path / "r.json"
    pages = [Image.fromarray(gray_pixels(number)) for number in (0, 20, 40)]
    pages[0].save(scan, save_all=True, append_images=pages[1:])
    command = ["colorize", str(scan), "-o", str(out), "--weights", str(weights)]
    sheet = tmp_path / "s.html"
    assert main([*command, "--report", str(report), "--contact-sheet", str(sheet)]) == 0
    printed, errors = capsys.readouterr()
    assert errors == ""
    assert f"{scan} (page 2) -> {out / 'scan_p2_a.png'} (" in printed
    assert "3 done in " in printed
    assert names(out) == ["scan_a.png", "scan_p2_a.png", "scan_p3_a.png"]
    for name, number in zip(names(out), (0, 20, 40), strict=True):
        gray = np.asarray(Image.open(out / name).convert("L"))
        assert np.abs(gray.astype(int) - gray_pixels(number)).mean() < 6
    told = json.loads(report.read_text())["files"]
    assert [(one["path"], one["page"]) for one in told] == [(str(scan), n) for n in (1, 2, 3)]
    assert f"<h2>{scan} (page 3)</h2>" in sheet.read_text()
    assert main([*command, "--report", str(tmp_path / "r.csv")]) == 0
    assert "3 skipped in " in capsys.readouterr().out
    with (tmp_path / "r.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row["photo"] for row in csv.DictReader(file)]
    assert rows == [str(scan), f"{scan} (page 2)", f"{scan} (page 3)"]


def test_a_page_may_fail_alone_and_too_many_fail_together(
    tmp_path: Path, in_process: None, capsys: Printed
) -> None:
    scan, many = tmp_path / "in" / "scan.tif", tmp_path / "in" / "many.tiff"
    scan.parent.mkdir()
    with tifffile.TiffWriter(scan) as tiff:
        tiff.write(gray_pixels(), contiguous=False)
        tiff.write(gray_pixels().astype(np.float32), contiguous=False)
        tiff.write(gray_pixels(9), contiguous=False)
    with tifffile.TiffWriter(many) as tiff:
        for _ in range(201):
            tiff.write(gray_pixels()[:8, :8], contiguous=False)
    assert main(["colorize", str(scan.parent), "-o", str(tmp_path / "out")]) == 1
    printed, errors = capsys.readouterr()
    assert "2 done, 2 failed in " in printed
    assert f"{many}: the file has more than 200 pages; divide it into several files" in errors
    assert f"{scan} (page 2): TIFF of this kind (1 x 32 bits a pixel" in errors
    assert names(tmp_path / "out") == ["scan_a.png", "scan_p3_a.png"]


def test_hints_and_patterns_name_a_page_as_its_results_are_named(tmp_path: Path) -> None:
    scan = tmp_path / "scan.tif"
    page = Image.fromarray(gray_pixels())
    page.save(scan, save_all=True, append_images=[Image.fromarray(gray_pixels(9))])
    hint = Hint(9, 9, 60, -30)
    made = make_plan(
        [scan],
        tmp_path,
        Settings(),
        hints={"scan_p2.tif": PhotoHints(hints=(hint,))},
        treat_as_gray=["*_p2.tif"],
    )
    assert [(one.page, one.hints, one.treat_as_gray) for one in made.tasks] == [
        (1, (), False),
        (2, (hint,), True),
    ]
    first, second = made.tasks
    reached = [second.failed("no")]
    assert made.not_reached(reached) == [scan]
    assert [one.page for one in made.in_order([*reached, first.failed("no")])] == [1, 2]
