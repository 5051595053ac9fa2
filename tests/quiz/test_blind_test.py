"""`colorflow blind compare` on three photos: files, messages, exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow.cli import main
from colorflow.colorizer import Colorizer
from colorflow.photo import read_photo
from colorflow.quiz import blind_test as blind_test_module
from colorflow.quiz.pictures import GAP, parse_method, write_pair
from tests.evaluation.conftest import save_photos
from tests.quiz.album import Painter

COOL = "temperature=0.3"
NAMES = ["photos/astronaut.png", "photos/below/cat.png", "photos/cup.png"]
FILES = [
    "answers-1.csv", "answers-2.csv", "instructions.txt",
    "pairs/001.jpg", "pairs/002.jpg", "pairs/003.jpg",
]  # fmt: skip


def compare(photos: Path, directory: Path, *options: str, ways: tuple[str, str]) -> int:
    return main(["blind", "compare", *ways, str(photos), "-o", str(directory), *options])


def key_of(directory: Path) -> dict[str, Any]:
    path = directory.with_name(f"{directory.name}.key.json")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def painter() -> Iterator[Painter]:
    """Paints in the place of the Colorizer; test_methods.py has a real one."""
    painter = Painter(12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Colorizer, "load", lambda _weights=None: painter)
        yield painter


@pytest.fixture(scope="module")
def made(photos: Path, painter: Painter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One test of the three photos. Read it only."""
    directory = tmp_path_factory.mktemp("made") / "new" / "test"
    assert compare(photos, directory, ways=(COOL, "samples")) == 0
    return directory


def files_of(directory: Path) -> list[str]:
    paths = directory.rglob("*")
    return sorted(str(path.relative_to(directory)) for path in paths if path.is_file())


def test_the_files_and_the_key(made: Path) -> None:
    assert files_of(made) == FILES
    header = "pair,choice,broken_left,broken_right\n"
    assert (made / "answers-1.csv").read_text() == f"{header}001,,,\n002,,,\n003,,,\n"
    assert (made / "answers-2.csv").read_text() == f"{header}003,,,\n002,,,\n001,,,\n"
    told = (made / "instructions.txt").read_text()
    assert header in told
    assert "natural color photo" in told
    assert "{" not in told
    assert sorted(path.name for path in made.parent.iterdir()) == ["test", "test.key.json"]
    for name in FILES:
        content = (made / name).read_bytes()
        for clue in (b"temperature", b"samples", b"astronaut", b"safetensors"):
            assert clue not in content, (name, clue)
    key = key_of(made)
    assert (key["ways"], key["weights"]) == ([COOL, "samples"], ["painter", "painter"])
    assert (key["seed"], key["date"].count("-")) == (0, 2)
    assert [pair["pair"] for pair in key["pairs"]] == ["001", "002", "003"]
    assert sorted(pair["photo"] for pair in key["pairs"]) == NAMES
    assert len({pair["seed"] for pair in key["pairs"]}) == 3
    assert all(0 <= pair["seed"] < 2**32 for pair in key["pairs"]), "for the command line"
    assert [pair["first"] for pair in key["pairs"]].count("left") in (1, 2)


def test_the_pictures_are_what_the_key_says(made: Path, photos: Path, tmp_path: Path) -> None:
    methods = [parse_method(text, Colorizer.load) for text in (COOL, "samples")]
    for pair in key_of(made)["pairs"]:
        photo = read_photo(photos.parent / pair["photo"])
        pictures = [one.picture(photo, pair["photo"], pair["seed"]) for one in methods]
        assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 2
        expected = tmp_path / f"{pair['pair']}.jpg"
        write_pair(expected, *(pictures if pair["first"] == "left" else pictures[::-1]))
        assert (made / "pairs" / expected.name).read_bytes() == expected.read_bytes()


def test_finished_pictures_against_the_truth(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two photos have one; the third is left out, and said."""
    theirs, directory = tmp_path / "theirs", tmp_path / "test"
    theirs.mkdir()
    for name in ("astronaut", "cup"):
        with Image.open(photos / f"{name}.png") as photo:
            photo.convert("L").save(theirs / f"{name}.jpg")
    assert compare(photos, directory, ways=(str(theirs), "truth")) == 0
    left_out = f"{photos / 'below' / 'cat.png'}: left out (has no picture in {theirs})\n"
    assert capsys.readouterr().err == left_out
    assert "true colors" in (directory / "instructions.txt").read_text()
    key = key_of(directory)
    assert (key["ways"][0], key["weights"][0]) == (str(theirs), None)
    for pair in key["pairs"]:
        picture = np.asarray(Image.open(directory / "pairs" / f"{pair['pair']}.jpg")).astype(int)
        width = (picture.shape[1] - GAP) // 2
        halves = picture[:, :width], picture[:, -width:]
        gray, colored = halves if pair["first"] == "left" else halves[::-1]
        assert np.ptp(gray, axis=2).mean() < 3 < 5 < np.ptp(colored, axis=2).mean()


def test_a_seed_gives_the_same_test_whatever_the_names(
    photos: Path, made: Path, tmp_path: Path
) -> None:
    """Names of photos and their order change no sample's seed."""
    for name in ("one", "two"):
        assert compare(photos, tmp_path / name, ways=("truth", "samples")) == 0
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    save_photos(tmp_path, ("p/z.png", "p/y.png", "p/x.png"))
    assert compare(tmp_path / "p", tmp_path / "three", ways=("truth", "samples")) == 0
    seeds = [
        {pair["digest"]: pair["seed"] for pair in key_of(folder)["pairs"]}
        for folder in (made, tmp_path / "one", tmp_path / "three")
    ]
    assert seeds[0] == seeds[1] == seeds[2]


def test_what_cannot_be_shown_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "photos"
    save_photos(folder, ("a.png", "b.png", "c.png"))
    shutil.copy(folder / "a.png", folder / "same.png")
    (folder / "no.jpg").write_text("no photo")
    Image.fromarray(skimage.data.camera()).save(folder / "gray.png")
    assert compare(folder, tmp_path / "test", "--pairs", "9", ways=("truth", "samples")) == 1
    printed = capsys.readouterr()
    gray = f"{folder / 'gray.png'}: left out (is gray, so it has no true colors to show)"
    assert gray in printed.err
    assert f"{folder / 'no.jpg'}: left out (the file is not a JPEG" in printed.err
    assert printed.err.count("\n") == 3
    shown = len(key_of(tmp_path / "test")["pairs"])
    assert f"9 were asked for, but only {shown} photos can be shown" in printed.out


# files


def test_what_is_refused(
    made: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence each, and nothing changes; answers may lie in a folder that is taken."""
    mine, empty, broken = tmp_path / "mine", tmp_path / "empty", tmp_path / "broken"
    for folder in (mine, empty, broken):
        folder.mkdir()
    (mine / "file").write_text("mine")
    (broken / "no.jpg").write_text("no photo")
    new, ways = tmp_path / "test", (COOL, "samples")
    before = {path: path.stat().st_mtime_ns for path in [*made.parent.rglob("*"), mine / "file"]}
    for folder, directory, both, message in (
        (photos, made, ways, "test.key.json: is the key of an earlier test; choose a new folder"),
        (photos, mine, ways, f"{mine}: is not empty"),
        (photos, mine / "file", ways, f"Directory '{mine / 'file'}' is a file"),
        (photos, mine / "file" / "test", ways, f"{mine / 'file' / 'test'}: cannot be made"),
        (tmp_path / "none", new, ways, "none' does not exist"),
        (empty, new, ways, "holds no photo"),
        (broken, new, ways, "none of the 1 photos can be shown"),
        (photos, new, ("samples", "samples"), "samples: is compared with itself; give two ways"),
        (photos, new, ("truth", "warmer"), "warmer: there is no way of coloring"),
    ):
        failed = folder in (empty, broken) or directory.parent == mine / "file"
        assert compare(folder, directory, ways=both) == (1 if failed else 2)
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith("colorflow")
        assert message in last
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "empty", "mine"]


@pytest.mark.parametrize("existing", [True, False])
def test_an_interrupted_run_leaves_nothing(
    existing: bool, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "test"
    if existing:
        directory.mkdir()

    def interrupted(path: Path, *_: Any) -> None:
        path.write_bytes(b"half a picture")
        raise KeyboardInterrupt

    monkeypatch.setattr(blind_test_module, "write_pair", interrupted)
    assert compare(photos, directory, ways=("truth", "samples")) == 130
    assert list(tmp_path.rglob("*")) == ([directory] if existing else [])
    monkeypatch.undo()
    assert compare(photos, directory, ways=("truth", "samples")) == 0
