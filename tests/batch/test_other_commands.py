"""`colorflow repair` and `enlarge`, with weights that cost nothing."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow.cli import main
from colorflow.photo import read_photo
from tests.small_weights import save_small_repair_weights
from tests.statements import statement_of


@pytest.fixture
def prints(tmp_path: Path) -> Path:
    """A print with a white crack, one without, and one on a bed."""
    folder = tmp_path / "prints"
    folder.mkdir()
    whole = np.minimum(skimage.data.camera()[::4, ::4], 150)
    worn = whole.copy()
    worn[20:80, 60] = 255
    Image.fromarray(worn).save(folder / "a.png")
    Image.fromarray(whole).save(folder / "b.png")
    bed = cv2.copyMakeBorder(whole, *4 * (20,), cv2.BORDER_CONSTANT, value=225)
    Image.fromarray(bed).save(folder / "c.png")
    return folder


@pytest.mark.usefixtures("in_process")
def test_repairing(prints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, report, sheet = tmp_path / "out", tmp_path / "report.json", tmp_path / "sheet.html"
    weights = save_small_repair_weights(tmp_path / "repair.safetensors")
    command = ["repair", str(prints), "-o", str(out), "--weights", str(weights)]
    files = ["--report", str(report), "--contact-sheet", str(sheet)]
    assert main([*command, *files, "--sensitivity", "-1"]) == 0
    said, remarks = capsys.readouterr()
    first, second, third = said.splitlines()[:3]
    assert "a.png -> " in first
    assert "(2 % repaired, " in first
    assert "repaired, " not in second + third
    assert f"{prints / 'b.png'}: no damage found\n" in remarks
    assert (
        f"{prints / 'c.png'}: looks like a scan with a border; --crop auto cuts it off" in remarks
    )
    told = json.loads(report.read_text())
    assert told["made_by"] == "colorflow repair"
    assert (told["settings"]["sensitivity"], told["settings"]["crop"]) == (-1, False)
    a, b, c = told["files"]
    assert [round(one["colorings"][0]["repaired"], 3) for one in (a, b, c)] == [0.02, 0, 0]
    assert c["remarks"] == [
        "no damage found",
        "looks like a scan with a border; --crop auto cuts it off",
    ]
    assert "2 % repaired" in sheet.read_text()
    cut = tmp_path / "cut"
    assert main([*command[:3], str(cut), *command[4:], "--crop", "auto", "--fading"]) == 0
    assert "border" not in capsys.readouterr().err
    assert read_photo(cut / "c_repaired.png").width == pytest.approx(128, abs=3)


@pytest.mark.usefixtures("in_process")
def test_enlarging(album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, report = tmp_path / "out", tmp_path / "report.json"
    command = ["enlarge", str(album / "a.jpg"), "-o", str(out), "--report", str(report)]
    options = ["--scale", "4", "--ext", "png", "--seed", "9", "--temperature", "1"]
    assert main([*command, *options]) == 0
    assert read_photo(out / "a_x4_s9.png").width == 4 * read_photo(album / "a.jpg").width
    said = json.loads(report.read_text())
    assert (said["made_by"], said["settings"]["scale"]) == ("colorflow enlarge", 4)
    for way, name in (([], "a_x2_mean.jpg"), (["--restore"], "a_x2_restored_mean.jpg")):
        assert main([*command, *way]) == 0
        detail = statement_of(out / name).recipe.enlargement
        assert detail
        assert detail.restored == bool(way)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["enlarge", "--scale", "3"], "'--scale': '3' is not one of '2', '4'"),
        (["enlarge", "--temperature", "3"], "'--temperature': 3.0 is not in the range 0<=x<=2.0"),
        (["enlarge", "-n", "0"], "'-n': 0 is not in the range 1<=x<=1000"),
        (["colorize", "a.zip", "--engine", "ray"], "--engine: ray takes folders, not zips"),
        (["colorize", "--restore"], "--restore: expected a scale of 2 or 4"),
        (["repair", "--sensitivity", "3"], "'--sensitivity': 3 is not in the range -2<=x<=2"),
        (["repair", "--crop", "all"], "'--crop': 'all' is not one of 'none', 'auto'"),
        (["repair", "--restore"], "No such option '--restore'"),
        (["colorize", "--ext", "gif"], "'--ext': 'gif' is not one of 'auto', "),
        (["colorize", "--seed", "-1"], "'--seed': -1 is not"),
        (["colorize", "--temperature", "nan"], "'--temperature': "),
        (["colorize", "--quality", "101"], "'--quality': 101 is not in the range 1<=x<=100"),
        (["colorize", "--workers", "0"], "'--workers': 0 is not in the range 1<=x<=1024"),
        (["colorize", "--sensitivity", "1"], "--sensitivity: expected repair, too"),
        (["colorize", "--crop", "auto", "--hints", "h"], "--crop auto: not allowed with --hints"),
    ],
)
def test_wrong_usage(
    arguments: list[str], message: str, album: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *options = arguments
    assert main([name, str(album), "-o", "out", *options]) == 2
    assert message in capsys.readouterr().err
