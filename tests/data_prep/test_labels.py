"""`python -m data_prep --large`: labels that people drew, from folders, and from a teacher."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image

from colorflow.errors import PackError, PhotoError
from colorflow.model.segmentation import CLASSES, EVERY, classes_of
from colorflow.training.large_pack import LABELS_SIDE, LAYOUT, LabeledPack
from data_prep import __main__ as command
from data_prep import kinds
from data_prep.kinds import LabeledRows, read_classes

SKIN, HAIR, SKY, WATER = (classes_of([name]) for name in ("skin", "hair", "sky", "water"))
PERSON = 0b111111
NO_PERSON = (1 << len(CLASSES)) - 1 - PERSON


class BrightIsSkin:
    """Bright is skin; between it is skin, hair or sky, none of which is likely; dark is hair."""

    def __init__(self, path: Path | None = None) -> None:
        self.seen: list[np.ndarray] = []

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        assert pixels.dtype == np.uint8
        self.seen.append(pixels)
        side = (LABELS_SIDE, LABELS_SIDE)
        gray = cv2.resize(pixels.astype(np.float32).mean(2), side, interpolation=cv2.INTER_AREA)
        likely = np.zeros((len(CLASSES), *side), np.float32)
        likely[0] = np.interp(gray, [40, 100, 150, 200], [0.02, 0.4, 0.4, 0.9])
        likely[1] = np.interp(gray, [40, 100, 150, 200], [0.95, 0.3, 0.3, 0.06])
        likely[6] = 1 - likely[:2].sum(0)
        return likely


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A row of four colors: bright skin, bright blue, what is between, and dark."""
    colors = [(255, 225, 205), (205, 225, 255), (150, 120, 110), (30, 20, 20)]
    pixels = np.repeat(np.array(colors, np.uint8), 64, 0)[None].repeat(192, 0)
    path = tmp_path / "people" / "one.png"
    path.parent.mkdir()
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def labels(photo: Path, tmp_path: Path) -> Path:
    """3 above, 200 in the middle, 7 below, which nobody has explained."""
    drawn = np.full((96, 128), 200, np.uint8)
    drawn[:32], drawn[64:] = 3, 7
    folder = tmp_path / "labels"
    (folder / "people").mkdir(parents=True)
    Image.fromarray(drawn).save(folder / "people" / "one.png")
    known = {"3": ["skin"], "200": ["sky", "water"]}
    (folder / "people" / "classes.json").write_text(json.dumps(known))
    return folder


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(kinds, "Teacher", BrightIsSkin)
    path = tmp_path / "teacher.safetensors"
    path.write_bytes(b"weights")
    return path


def sets_of(rows: LabeledRows) -> np.ndarray:
    """The sets of classes of the first photo."""
    labels = rows(range(1))["labels"][0].numpy()
    assert labels.shape == (LABELS_SIDE, LABELS_SIDE)
    return labels & EVERY


def test_labels_also_tell_their_values_where_they_know_something(photo: Path, labels: Path) -> None:
    values = LabeledRows(files=[photo], labels=labels)(range(1))["labels"][0].numpy() >> 18
    assert [set(values[rows].flat) for rows in np.split(np.arange(192), 3)] == [{4}, {201}, {0}]


def test_labels_say_what_they_know(photo: Path, labels: Path, teacher: Path) -> None:
    for rows in (
        LabeledRows(files=[photo], labels=labels),
        LabeledRows(files=[photo], labels=labels, teacher=teacher),
    ):
        sets = sets_of(rows)
        assert (sets[:64] == SKIN).all()
        assert (sets[64:128] == SKY | WATER).all()
        assert (sets[128:] == 0).all(), "nobody is asked about what labels leave open"


def test_labels_with_a_palette_are_numbers(photo: Path, labels: Path) -> None:
    path = labels / "people" / "one.png"
    with Image.open(path) as drawn:
        indexed = drawn.convert("L")
    indexed.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    indexed.save(path)
    assert (sets_of(LabeledRows(files=[photo], labels=labels))[:64] == SKIN).all()


def test_photos_without_people_show_none_of_their_parts(photo: Path, teacher: Path) -> None:
    without = [photo.parent.resolve()]
    sets = sets_of(LabeledRows(files=[photo], without_people=without))
    assert (sets == NO_PERSON).all()
    marked = sets_of(LabeledRows(files=[photo], without_people=without, teacher=teacher))
    assert (marked[:, 102:138] == SKY).all(), "of what the teacher allows, what is no person"
    for start in (6, 54, 150):
        assert (marked[:, start : start + 36] == NO_PERSON).all(), "it sees a person, or nothing"
    assert not (marked & PERSON).any()


def test_the_teacher_marks_what_it_is_sure_of_and_what_can_be_skin(
    photo: Path, teacher: Path
) -> None:
    """Blue is no skin, however sure it is, and says nothing."""
    rows = LabeledRows(files=[photo], teacher=teacher)
    sets = sets_of(rows)
    bright, blue, between, dark = (slice(48 * i + 6, 48 * i + 42) for i in range(4))
    assert (sets[:, bright] == SKIN).all()
    assert (sets[:, blue] == 0).all()
    assert (sets[:, between] == SKIN | HAIR | SKY).all()
    assert (sets[:, dark] == HAIR).all()
    assert isinstance(rows._teacher, BrightIsSkin)
    assert [seen.shape for seen in rows._teacher.seen] == [(192, 256, 3)]


def test_broken_labels_are_named(photo: Path, labels: Path) -> None:
    known = labels / "people" / "classes.json"
    for wrong in (
        '{"3": ["nose"]}',
        '{"three": ["skin"]}',
        '{"256": ["skin"]}',
        "[]",
        '{"3": 5}',
        "{",
    ):
        known.write_text(wrong)
        with pytest.raises(PackError, match=f"{known}: says not which classes"):
            read_classes(known.parent)
    known.unlink()
    with pytest.raises(PackError, match=f"{known}: says not which classes"):
        sets_of(LabeledRows(files=[photo], labels=labels))
    drawn = labels / "people" / "one.png"
    drawn.write_bytes(b"no picture")
    with pytest.raises(PhotoError, match=f"{drawn}.*is no mask that can be read"):
        sets_of(LabeledRows(files=[photo], labels=labels))


# the command


@pytest.fixture
def astronauts(tmp_path: Path) -> Path:
    folder = tmp_path / "astronauts"
    folder.mkdir()
    for name, top in (("a", 0), ("b", 256)):
        picture = skimage.data.astronaut()[top : top + 200, 100:400]
        Image.fromarray(picture).save(folder / f"{name}.png")
    return folder


def test_a_pack_of_photos_with_labels(
    astronauts: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (labels / "astronauts").mkdir()
    Image.fromarray(np.full((10, 15), 9, np.uint8)).save(labels / "astronauts" / "a.png")
    (labels / "astronauts" / "classes.json").write_text('{"9": ["hair"]}')
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    Image.fromarray(skimage.data.coffee()[:200, :300]).save(scenes / "cup.png")
    pack = tmp_path / "pack"
    given = [str(astronauts), str(scenes), "-o", str(pack), "--dev", "0", "--workers", "0"]
    sources = ["--large", "--labels", str(labels), "--without-people", str(scenes)]
    assert command.main([*given, *sources]) == 0
    assert 313_000 < LAYOUT.bytes_per_photo < 314_000
    assert len(LabeledPack(pack)) == 3
    photos = LAYOUT.photos(pack)[0]
    numbers = {Path(file).name: i for i, file in enumerate(photos.files)}
    lightness, ab, stored = (np.load(pack / f"{x}.npy") for x in ("lightness", "ab", "labels"))
    found = {name: set(stored[i].flat) for name, i in numbers.items()}
    assert found == {"a.png": {HAIR | 10 << 18}, "b.png": {0}, "cup.png": {NO_PERSON}}
    picture = np.asarray(Image.open(astronauts / "b.png"))
    lab = skimage.color.rgb2lab(picture)
    squashed = cv2.resize(lab[..., 0], (384, 384), interpolation=cv2.INTER_AREA)
    assert np.abs(lightness[numbers["b.png"]] / 2.55 - squashed).mean() < 1
    means = cv2.resize(picture.astype(np.float32), (96, 96), interpolation=cv2.INTER_AREA) / 255
    chroma = skimage.color.rgb2lab(means)[..., 1:].transpose(2, 0, 1)
    assert np.abs(ab[numbers["b.png"]] - chroma).max() < 0.6
    assert command.main([*given, *sources]) == 0
    capsys.readouterr()
    assert command.main([*given, "--large", "--labels", str(labels)]) == 1
    assert "holds a pack made with other settings" in capsys.readouterr().err
    for others in ([], ["--patches"]):
        assert command.main([*given, *others]) == 1
        assert f"data_prep: {pack}" in capsys.readouterr().err


def test_a_teacher_that_is_not_there(
    astronauts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "absent.safetensors"
    given = [str(astronauts), "-o", str(tmp_path / "pack"), "--large", "--teacher", str(absent)]
    assert command.main([*given, "--workers", "0"]) == 1
    assert str(absent) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--masks", "LABELS"], "--masks goes with --prints"),
        (["--large", "--masks", "LABELS"], "--masks goes with --prints"),
        (["--labels", "LABELS"], "go with --large"),
        (["--without-people", "LABELS"], "go with --large"),
        (["--teacher", "LABELS"], "go with --large"),
        (["--large", "--patches"], "expected one of"),
        (["--prints", "--patches"], "expected one of"),
        (["--large", "--labels", "LABELS/absent"], "there is no folder"),
    ],
)
def test_options_that_do_not_fit(
    options: list[str],
    said: str,
    astronauts: Path,
    labels: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [option.replace("LABELS", str(labels)) for option in options]
    with pytest.raises(SystemExit):
        command.main([str(astronauts), "-o", str(tmp_path / "pack"), *given])
    assert said in capsys.readouterr().err
    assert not (tmp_path / "pack").exists()
