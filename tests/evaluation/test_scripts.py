"""The scripts that make the documents' tables, in a tiny form."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from PIL import Image, ImageChops

from benchmarks import enlarging, frames, repairing, zoo
from colorflow.training import trainer
from tests.evaluation.conftest import CheapJudge
from tests.small_weights import save_small_enlarge_weights

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Malloc and threads as other tests expect them; a quick start and warm-up."""
    monkeypatch.setattr(trainer, "FIT_ROWS", 8)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(trainer, "WARM_UP_STEPS", 2)


def ran(module: ModuleType, arguments: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
    module.main()


def saved(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / f"{name}.png")


def table(printed: str) -> dict[str, dict[str, str]]:
    """The cells of the printed table, by the first cell of their row and by the head."""
    rows = [line.strip("|").split("|") for line in printed.splitlines() if line.startswith("|")]
    head, _, *rest = [[cell.strip() for cell in row] for row in rows]
    return {name: dict(zip(head[1:], cells, strict=True)) for name, *cells in rest}


def number(cell: str) -> float:
    return float(cell.split(" ± ")[0])


@pytest.mark.parametrize("more", [[], ["--damaged"]])
def test_enlarging(
    more: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    for name in ("coffee", "chelsea"):
        saved(tmp_path, name, getattr(skimage.data, name)()[100:180, 100:190])
    saved(tmp_path, "small", skimage.data.coffee()[:60, :100])
    weights = save_small_enlarge_weights(tmp_path / "enlarge.safetensors")
    for name, value in {"Judge": CheapJudge, "SIDE": 64, "BORDER": 4}.items():
        monkeypatch.setattr(enlarging, name, value)
    ran(enlarging, [tmp_path, "--weights", weights, *more], monkeypatch)
    printed = capsys.readouterr().out
    rows = table(printed)
    assert "small.png: smaller than 64 x 64 pixels, left out" in printed
    assert set(rows) >= {"SSIM", "coverage_90", "power_octave_3", "kd_lite2"}
    psnr = {name: number(cell) for name, cell in rows["PSNR"].items()}
    kept = {name: number(cell) for name, cell in rows["LR_PSNR"].items()}
    assert psnr["truth"] == 120
    assert 15 < psnr["bicubic"] < 50
    if "--damaged" in more:
        assert set(psnr) >= {"exact, 0", "restored, 0.5", "restored, 1"}
        return
    assert kept["ours, 0"] > 80 > kept["Lanczos"]
    assert number(rows["coverage_90"]["ours, 1"]) > number(rows["coverage_90"]["ours, 0.5"])
    assert number(rows["inverse_error"]["ours, 1"]) < 0.01


def test_zoo(
    pack_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    names, run = ["nice", "maf", "iaf"], tmp_path / "run"
    small = {"REPEATS": 1, "SLOW_PHOTOS": 2, "GRID": 4, "SHAPE": (2, 4, 4), "PICTURES": ("coffee",)}
    small |= {"CONTEXT": replace(zoo.CONTEXT, grid=4, width=8, context_layers=1), "NAMES": names}
    for name, value in small.items():
        monkeypatch.setattr(zoo, name, value)
    monkeypatch.setattr(zoo, "keep_freed_memory", lambda: None)
    for name in names:
        arguments = ["train", name, pack_folder, run, "--minutes", "0.001", "--batch", "8"]
        ran(zoo, arguments, monkeypatch)
    figure, rows = tmp_path / "zoo.jpg", tmp_path / "zoo.json"
    arguments = ["table", pack_folder, run, "--batch", "8", "--json", rows, "--figure", figure]
    ran(zoo, arguments, monkeypatch)
    measured = {row["key"]: row for row in json.loads(rows.read_text())}
    assert set(table(capsys.readouterr().out)) == {row["name"] for row in measured.values()}
    assert all(3 < row["bits_per_dim_dev"] < 15 for row in measured.values())
    assert all(row["inverse_error"] < 0.01 and row["steps"] > 0 for row in measured.values())
    assert "distilled from maf, scored on 2 photos" in measured["iaf"]["notes"]
    with Image.open(figure) as picture:
        assert picture.height > 300


def test_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in ("coffee", "astronaut"):
        saved(tmp_path, name, getattr(skimage.data, name)())
    ran(frames, [tmp_path, "--prints", 6], monkeypatch)
    rows = table(capsys.readouterr().out)
    (found,), _, (cut,), *by_hand, (taken,) = (tuple(row.values()) for row in rows.values())
    assert int(found.removesuffix(" of 6")) >= 4
    assert int(cut.removesuffix(" of 6")) >= 2
    assert all("silent" in said for (said,) in by_hand)
    assert taken.startswith("0 of 2;")


def test_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Shipped weights find a drawn crack and leave the rest alone; its square is cut out."""
    photos = tmp_path / "photos"
    gray = skimage.color.rgb2gray(skimage.data.astronaut()[:260, 100:360])
    clean = np.round(255 * gray).astype(np.uint8)
    saved(photos, "clean", clean)
    ran(repairing, [photos], monkeypatch)
    printed = capsys.readouterr().out
    found, filled = (table(part) for part in printed.split("\n\n")[-2:])
    assert list(found) == ["-2", "-1", "0", "1", "2"]
    assert found["0"]["unchanged"] == "1 of 1"
    psnr = {name: number(row["PSNR, dB"]) for name, row in filled.items()}
    assert psnr["ours, mean with grain"] > psnr["telea"] + 0.5

    cracked = clean.copy()
    points = np.array([(20, 30), (60, 80), (75, 150), (140, 235)])
    cv2.polylines(cracked, [points], isClosed=False, color=250, thickness=5, lineType=cv2.LINE_AA)
    saved(photos, "cracked", cracked)
    squares = tmp_path / "squares"
    arguments = [photos, "--squares", squares, "--sensitivity", 2, "--most", 1]
    ran(repairing, arguments, monkeypatch)
    for way in ("before", "ours", "telea", "navier_stokes"):
        with Image.open(squares / way / "cracked_0.png") as image:
            assert image.size == (640, 640)
    worn = tmp_path / "drawn"
    arguments = [photos, "--squares", worn, "--drawn", "--limit", 1, "--most", 1]
    ran(repairing, arguments, monkeypatch)
    (name,) = (path.name for path in (worn / "before").iterdir())
    with Image.open(worn / "before" / name) as before, Image.open(worn / "ours" / name) as ours:
        assert ImageChops.difference(before, ours).getbbox()
