"""`python -m data_prep --skin`: marks of skin from masks, from folders, and from a teacher."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image

from colorflow.errors import PhotoError
from colorflow.training.skin_pack import LAYOUT, MARKS_SIDE, SkinPack
from data_prep import __main__ as command
from data_prep import kinds
from data_prep.kinds import SkinRows


class BrightIsSkin:
    """Marks what is bright; a little what is between; nothing of what is dark."""

    def __init__(self, path: Path | None = None) -> None:
        self.seen: list[np.ndarray] = []

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        assert pixels.dtype == np.uint8
        self.seen.append(pixels)
        gray = pixels.astype(np.float32)
        gray = gray.mean(2) if gray.ndim == 3 else gray
        likely = np.interp(gray, [40, 120, 130, 200], [0.0, 0.15, 0.25, 0.9])
        return cv2.resize(likely.astype(np.float32), (96, 96), interpolation=cv2.INTER_AREA)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A row of four colors: bright skin, bright blue, what is between, and dark."""
    colors = [(255, 225, 205), (205, 225, 255), (150, 120, 110), (30, 20, 20)]
    pixels = np.repeat(np.array(colors, np.uint8), 64, 0)[None].repeat(192, 0)
    path = tmp_path / "people" / "one.jpg"
    path.parent.mkdir()
    Image.fromarray(pixels).save(path.with_suffix(".png"))
    return path.with_suffix(".png")


@pytest.fixture
def masks(photo: Path, tmp_path: Path) -> Path:
    """White above, unsure in the middle, black below, for the left half; unsure on the right."""
    drawn = np.full((96, 128), 128, np.uint8)
    drawn[:32, :64], drawn[64:, :64] = 255, 0
    folder = tmp_path / "masks"
    (folder / "people").mkdir(parents=True)
    Image.fromarray(drawn).save(folder / "people" / f"{photo.stem}.png")
    return folder


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(kinds, "Teacher", BrightIsSkin)
    path = tmp_path / "teacher.safetensors"
    path.write_bytes(b"weights")
    return path


def marks_of(rows: SkinRows) -> tuple[np.ndarray, np.ndarray]:
    """Share of skin, and how much it counts, of the first photo."""
    share, weight = rows(range(1))["skin"][0].numpy() / 255
    return share, weight


def test_a_mask_says_what_is_skin_and_what_is_unsure(photo: Path, masks: Path) -> None:
    share, weight = marks_of(SkinRows(files=[photo], masks=masks))
    assert share.shape == weight.shape == (MARKS_SIDE, MARKS_SIDE)
    assert (weight[:30, :47] == 1).all()
    assert (share[:30, :47] == 1).all()
    assert (weight[34:62] == 0).all()
    assert (weight[66:, :47] == 1).all()
    assert (share[66:, :47] == 0).all()
    assert (weight[:, 49:] == 0).all()


def test_photos_without_people_show_no_skin(photo: Path, masks: Path, teacher: Path) -> None:
    rows = SkinRows(
        files=[photo], masks=masks, teacher=teacher, without_people=[photo.parent.resolve()]
    )
    share, weight = marks_of(rows)
    assert not share.any()
    assert (weight == 1).all()


def test_the_teacher_marks_what_it_is_sure_of_and_what_can_be_skin(
    photo: Path, teacher: Path
) -> None:
    """Blue is no skin, however sure it is, and counts for nothing."""
    rows = SkinRows(files=[photo], teacher=teacher)
    share, weight = marks_of(rows)
    bright, blue, between, dark = (slice(24 * i + 3, 24 * i + 21) for i in range(4))
    assert (weight[:, bright] == 1).all()
    assert (share[:, bright] > 0.85).all()
    assert (weight[:, blue] == 0).all()
    assert (weight[:, between] == 0).all()
    assert (weight[:, dark] == 1).all()
    assert (share[:, dark] == 0).all()
    assert isinstance(rows._teacher, BrightIsSkin)
    assert [seen.shape for seen in rows._teacher.seen] == [(192, 256, 3)]


def test_a_mask_is_believed_before_the_teacher(photo: Path, masks: Path, teacher: Path) -> None:
    share, weight = marks_of(SkinRows(files=[photo], masks=masks, teacher=teacher))
    assert (share[66:, :21] == 0).all(), "bright, but drawn as no skin"
    assert (share[:30, 26:46] == 1).all(), "blue, but drawn as skin"
    assert (weight[[0, 95], :46] == 1).all()
    assert not weight[36:60].any(), "where the mask is unsure, nobody is asked"


def test_a_broken_mask_is_named(photo: Path, masks: Path) -> None:
    mask = masks / "people" / f"{photo.stem}.png"
    mask.write_bytes(b"no picture")
    with pytest.raises(PhotoError, match=f"{mask}.*is no mask that can be read"):
        marks_of(SkinRows(files=[photo], masks=masks))


# the command


@pytest.fixture
def astronauts(tmp_path: Path) -> Path:
    folder = tmp_path / "astronauts"
    folder.mkdir()
    for name, top in (("a", 0), ("b", 256)):
        picture = skimage.data.astronaut()[top : top + 200, 100:400]
        Image.fromarray(picture).save(folder / f"{name}.png")
    return folder


def test_a_pack_of_photos_with_marks(
    astronauts: Path, masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (masks / "astronauts").mkdir()
    Image.fromarray(np.full((10, 15), 255, np.uint8)).save(masks / "astronauts" / "a.png")
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    Image.fromarray(skimage.data.coffee()[:200, :300]).save(scenes / "cup.png")
    pack = tmp_path / "pack"
    given = [str(astronauts), str(scenes), "-o", str(pack), "--dev", "0", "--workers", "0"]
    marks = ["--skin", "--masks", str(masks), "--without-people", str(scenes)]
    assert command.main([*given, *marks]) == 0
    assert 183_000 < LAYOUT.bytes_per_photo < 185_000
    assert len(SkinPack(pack)) == 3
    photos = LAYOUT.photos(pack)[0]
    numbers = {Path(file).name: i for i, file in enumerate(photos.files)}
    lightness, ab, stored = (np.load(pack / f"{x}.npy") for x in ("lightness", "ab", "skin"))
    share, weight = stored.transpose(1, 0, 2, 3) / 255
    means = {name: (share[i].mean(), weight[i].mean()) for name, i in numbers.items()}
    assert means == {"a.png": (1, 1), "b.png": (0, 0), "cup.png": (0, 1)}
    picture = np.asarray(Image.open(astronauts / "b.png"))
    lab = skimage.color.rgb2lab(picture)
    squashed = cv2.resize(lab[..., 0], (384, 384), interpolation=cv2.INTER_AREA)
    assert np.abs(lightness[numbers["b.png"]] / 2.55 - squashed).mean() < 1
    means = cv2.resize(picture.astype(np.float32), (96, 96), interpolation=cv2.INTER_AREA) / 255
    chroma = skimage.color.rgb2lab(means)[..., 1:].transpose(2, 0, 1)
    assert np.abs(ab[numbers["b.png"]] - chroma).max() < 0.6
    assert command.main([*given, *marks]) == 0
    capsys.readouterr()
    assert command.main([*given, "--skin", "--masks", str(masks)]) == 1
    assert "holds a pack made with other settings" in capsys.readouterr().err
    for others in ([], ["--patches"]):
        assert command.main([*given, *others]) == 1
        assert f"data_prep: {pack}" in capsys.readouterr().err


def test_a_teacher_that_is_not_there(
    astronauts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "absent.safetensors"
    given = [str(astronauts), "-o", str(tmp_path / "pack"), "--skin", "--teacher", str(absent)]
    assert command.main([*given, "--workers", "0"]) == 1
    assert str(absent) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--masks", "MASKS"], "--masks goes with --skin or --prints"),
        (["--patches", "--masks", "MASKS"], "--masks goes with --skin or --prints"),
        (["--without-people", "MASKS"], "go with --skin"),
        (["--teacher", "MASKS"], "go with --skin"),
        (["--skin", "--patches"], "expected one of"),
        (["--prints", "--patches"], "expected one of"),
        (["--skin", "--masks", "MASKS/absent"], "there is no folder"),
    ],
)
def test_options_that_do_not_fit(
    options: list[str],
    said: str,
    astronauts: Path,
    masks: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [option.replace("MASKS", str(masks)) for option in options]
    with pytest.raises(SystemExit):
        command.main([str(astronauts), "-o", str(tmp_path / "pack"), *given])
    assert said in capsys.readouterr().err
    assert not (tmp_path / "pack").exists()
