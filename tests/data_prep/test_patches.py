"""`python -m data_prep --patches` and `--prints`: squares of large and sharp photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow.color.full_resolution import lightness_of
from colorflow.enlarge.patches import PatchPack
from colorflow.repair.prints import DAMAGED, SOUND, UNSURE, WornPrints
from data_prep import __main__ as command
from data_prep.kinds import patches_of, print_squares_of
from data_prep.scan import LEAST_SHARPNESS, reduced, sharpness

PICTURES = ("astronaut", "coffee", "chelsea")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five photos that can be used and two that cannot."""
    found = tmp_path / "photos"
    found.mkdir()
    for name in PICTURES:
        Image.fromarray(getattr(skimage.data, name)()).save(found / f"{name}.png")
    face = skimage.data.astronaut()
    Image.fromarray(face[:240, :240]).save(found / "face.png")
    Image.fromarray(face[200:450, 260:512]).save(found / "suit.png")
    Image.fromarray(face[:200, 100:400]).save(found / "small.png")
    soft = cv2.GaussianBlur(skimage.data.rocket(), (0, 0), 4)
    Image.fromarray(soft).save(found / "soft.png")
    return found


def test_a_pack_of_large_and_sharp_photos(
    folder: Path, tmp_path: Path, report: Callable[[Path], dict[str, Any]]
) -> None:
    given = [str(folder), "-o", str(tmp_path / "pack"), "--dev", "1", "--workers", "0", "--patches"]
    assert command.main(given) == 0
    pack = PatchPack(tmp_path / "pack")
    assert len(pack) == 4 * 5
    assert len(pack.rows("dev")) == 4
    dropped = {Path(file).name: why for file, why in report(tmp_path / "pack")["dropped"].items()}
    assert dropped == {"small.png": "too small", "soft.png": "blurred"}
    assert command.main(given) == 0, "the same command again"
    assert command.main([*given, "--seed", "1"]) == 1, "another one"


def test_a_pack_of_prints(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(folder), "-o", str(tmp_path / "pack"), "--dev", "1", "--workers", "0"]
    assert command.main([*given, "--prints"]) == 0
    pack = WornPrints(tmp_path / "pack", masked=False)
    assert len(pack.rows("dev")) == 2
    assert len(pack.rows("train", variant="whole")) == 2 * 4
    assert command.main([*given, "--prints"]) == 0, "the same command again"
    for other in ([], ["--patches"]):
        capsys.readouterr()
        assert command.main([*given, *other]) == 1, "another one"
        assert str(tmp_path / "pack") in capsys.readouterr().err
    given[2] = str(tmp_path / "other")
    assert command.main(given) == 0
    assert command.main([*given, "--prints"]) == 1
    assert "made with other settings" in capsys.readouterr().err


@pytest.mark.parametrize("side", [240, 320, 512])
def test_squares_for_repair_are_parts_of_the_photo_at_some_size(side: int) -> None:
    lightness = lightness_of(skimage.data.astronaut()[:side, :side])
    pixels = skimage.data.astronaut()[:side, :side]
    found, marks = print_squares_of(pixels, np.random.default_rng(3))
    assert found.shape == marks.shape == (2, 320, 320)
    assert not marks.any()
    for square in found:
        part = square.astype(np.float32)[::4, ::4] / np.float32(2.55)
        sizes = [80 * one // 320 for one in range(320, max(side, 320) + 1, 2)]
        sized = (cv2.resize(lightness, (n, n), interpolation=cv2.INTER_AREA) for n in sizes)
        error = min(cv2.matchTemplate(x, part, cv2.TM_SQDIFF).min() for x in sized)
        assert error / part.size < 60, "squared L*; another photo has hundreds"


@pytest.fixture
def prints(tmp_path: Path) -> Path:
    """Gray prints with white damage: three with masks of it, one without."""
    rng, (rows, columns) = np.random.default_rng(0), np.mgrid[:400, :500]
    for folder in ("prints", "masks/prints"):
        (tmp_path / folder).mkdir(parents=True)
    for number in range(4):
        noise = cv2.GaussianBlur(rng.standard_normal((400, 500)).astype(np.float32), (0, 0), 12)
        gray = np.clip(110 + 40 * noise / noise.std(), 40, 180).astype(np.uint8)
        mask = np.zeros((400, 500), np.uint8)
        mask[np.abs((rows - columns) % 200 - 20 * number) < 5] = 255
        mask[:, 240:260] = 128
        gray[mask == 255] = 250
        Image.fromarray(gray).save(tmp_path / f"prints/{number}.png")
        if number < 3:
            drawn = Image.fromarray(mask)
            if number == 2:
                drawn = drawn.convert("RGB").quantize(3)  # its grays are in a palette
            drawn.save(tmp_path / f"masks/prints/{number}.png")
    return tmp_path


def test_old_prints_with_masks_are_taken_with_their_marks(
    prints: Path, report: Callable[[Path], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Though they are gray, which drops the one without a mask."""
    pack, masks = prints / "pack", prints / "masks"
    given = [str(prints / "prints"), "-o", str(pack), "--dev", "0", "--workers", "0", "--prints"]
    assert command.main([*given, "--masks", str(masks)]) == 0
    dropped = report(pack)["dropped"]
    assert {Path(file).name: why for file, why in dropped.items()} == {"3.png": "gray"}
    squares, marks = (np.load(pack / f"{name}.npy") for name in ("squares", "marks"))
    assert squares.shape == marks.shape == (3, 2, 320, 320)
    for square, mark in zip(
        squares.reshape(-1, 320, 320), marks.reshape(-1, 320, 320), strict=True
    ):
        assert set(np.unique(mark)) == {SOUND, DAMAGED, UNSURE}
        assert (
            square[cv2.erode((mark == DAMAGED).astype(np.uint8), np.ones((5, 5))) > 0] > 230
        ).all()
        assert (
            square[cv2.erode((mark == SOUND).astype(np.uint8), np.ones((5, 5))) > 0] < 190
        ).all()
    assert command.main(given) == 1, "without the masks it is another pack"
    assert "made with other settings" in capsys.readouterr().err
    small = Image.open(masks / "prints/1.png").resize((375, 300), Image.Resampling.NEAREST)
    small.save(masks / "prints/1.png")
    smaller = ["-o", str(prints / "smaller"), *given[3:], "--masks", str(masks)]
    assert command.main([given[0], *smaller]) == 0, "the print is reduced to the mask's size"
    squares, marks = (np.load(prints / f"smaller/{name}.npy") for name in ("squares", "marks"))
    assert np.median(squares[marks == DAMAGED]) == pytest.approx(250, abs=3)
    Image.fromarray(np.zeros((50, 40), np.uint8)).save(masks / "prints/1.png")
    assert command.main([*given[:2], str(prints / "new"), *given[3:], "--masks", str(masks)]) == 1
    assert "1.png: has a mask of another shape" in capsys.readouterr().err


def test_patches_are_parts_of_the_reduced_photo() -> None:
    pixels = skimage.data.astronaut()
    lightness = lightness_of(reduced(pixels))
    assert lightness.shape == (256, 256)
    patches = patches_of(pixels, np.random.default_rng(0))
    assert patches.shape == (4, 128, 128)
    for patch in patches:
        match = cv2.matchTemplate(
            lightness, patch.astype(np.float32) / np.float32(2.55), cv2.TM_SQDIFF
        )
        assert match.min() / patch.size < 0.05, "squared L*, of rounding to 8 bits"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((224, 400), (224, 400)),
        ((447, 500), (447, 500)),
        ((448, 600), (224, 300)),
        ((896, 1200), (298, 400)),
    ],
)
def test_large_photos_are_reduced(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert reduced(np.zeros((*shape, 3), np.uint8)).shape[:2] == expected


@pytest.mark.parametrize("name", PICTURES)
def test_blur_and_enlarging_are_noticed(name: str) -> None:
    pixels = reduced(getattr(skimage.data, name)())
    sharp = sharpness(pixels)
    assert sharp > LEAST_SHARPNESS
    assert sharpness(cv2.GaussianBlur(pixels, (0, 0), 2)) < LEAST_SHARPNESS
    enlarged = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert sharpness(enlarged) < LEAST_SHARPNESS
    assert sharpness(np.full((64, 64, 3), 7, np.uint8)) == 0
