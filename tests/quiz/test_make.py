"""`colorflow blind make` on three photos with tiny weights: files, messages, exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow.cli import main
from colorflow.colorize import Colorizer
from colorflow.photo import photo_from_image, read_photo
from colorflow.quiz import make as make_module
from colorflow.quiz.pictures import GAP, pair_of
from tests.evaluation.conftest import save_photos
from tests.small_weights import TEMPERATURES

SIZE = 64


def make(photos: Path, directory: Path, weights: Path, *options: str) -> int:
    common = ["--weights", str(weights), "--size", str(SIZE)]
    return main(["blind", "make", str(photos), "-o", str(directory), *common, *options])


def key_of(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "key.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def made(photos: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One test of the three photos. Read it only."""
    directory = tmp_path_factory.mktemp("made") / "new" / "test"
    assert make(photos, directory, weights) == 0
    return directory


def test_the_files(made: Path) -> None:
    files = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    assert files == ["answers.csv", "key.json", "pairs/001.png", "pairs/002.png", "pairs/003.png"]
    assert (made / "answers.csv").read_text() == "pair,answer\n001,\n002,\n003,\n"
    assert [path.name for path in made.parent.iterdir()] == ["test"], "nothing is left behind"


def test_the_key(made: Path, colorizer: Colorizer) -> None:
    key = key_of(made)
    assert key["weights"] == colorizer.digest
    assert key["temperatures"] == list(TEMPERATURES)
    assert (key["seed"], key["size"], key["left_out"]) == (0, SIZE, [])
    assert key["date"].count("-") == 2
    assert [pair["pair"] for pair in key["pairs"]] == ["001", "002", "003"]
    assert {pair["photo"] for pair in key["pairs"]} == {
        "photos/astronaut.png",
        "photos/below/cat.png",
        "photos/cup.png",
    }
    assert len({pair["seed"] for pair in key["pairs"]}) == 3
    assert sorted(pair["truth"] for pair in key["pairs"]).count("left") in (1, 2)


def test_the_pictures_are_what_the_key_says(made: Path, photos: Path, colorizer: Colorizer) -> None:
    for pair in key_of(made)["pairs"]:
        photo = read_photo(photos.parent / pair["photo"])
        expected = pair_of(colorizer, photo, seed=pair["seed"], size=SIZE)
        picture = np.asarray(Image.open(made / "pairs" / f"{pair['pair']}.png"))
        width = (picture.shape[1] - GAP) // 2
        assert width == SIZE
        left, right = picture[:, :width], picture[:, -width:]
        truth, colouring = (left, right) if pair["truth"] == "left" else (right, left)
        assert np.array_equal(truth, expected.truth)
        assert np.array_equal(colouring, expected.colouring)


def test_names_and_order_of_files_change_no_draw(made: Path, weights: Path, tmp_path: Path) -> None:
    save_photos(tmp_path, ("p/z.png", "p/b.png", "p/a.png"))
    assert make(tmp_path / "p", tmp_path / "test", weights) == 0
    seeds = [
        {pair["digest"]: pair["seed"] for pair in key_of(folder)["pairs"]}
        for folder in (made, tmp_path / "test")
    ]
    assert seeds[0] == seeds[1]


def test_the_same_seed_gives_the_same_test(
    made: Path, photos: Path, weights: Path, tmp_path: Path
) -> None:
    assert make(photos, tmp_path / "again", weights) == 0
    assert key_of(tmp_path / "again") == key_of(made)
    for path in (made / "pairs").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / "pairs" / path.name).read_bytes()


def test_other_seeds_give_others(photos: Path, colorizer: Colorizer, tmp_path: Path) -> None:
    keys = []
    for seed in range(1, 7):
        make_module.make_blind_test(
            [photos],
            tmp_path / str(seed),
            colorizer,
            pairs=1,
            size=16,
            seed=seed,
            say=lambda _: None,
            warn=pytest.fail,
        )
        keys += key_of(tmp_path / str(seed))["pairs"]
    assert len(keys) == 6
    assert len({pair["photo"] for pair in keys}) > 1
    assert {pair["truth"] for pair in keys} == {"left", "right"}
    assert len({pair["seed"] for pair in keys}) == 6


def test_what_cannot_be_shown_is_named(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    save_photos(folder, ("a.png", "b.png", "c.png"))
    shutil.copy(folder / "a.png", folder / "same.png")
    (folder / "no.jpg").write_text("no photo")
    Image.fromarray(skimage.data.camera()).save(folder / "grey.png")
    assert make(folder, tmp_path / "test", weights, "--pairs", "9") == 1
    printed = capsys.readouterr()
    assert f"{folder / 'grey.png'}: left out (is grey, not coloured)" in printed.err
    assert f"{folder / 'no.jpg'}: left out (the file is not a JPEG" in printed.err
    assert "left out (is the same picture as " in printed.err
    assert printed.err.count("\n") == 3
    assert "9 were asked for, but only 3 photos can be shown" in printed.out
    key = key_of(tmp_path / "test")
    assert len(key["pairs"]) == 3
    assert {item["why"] for item in key["left_out"]} == {
        "unreadable",
        "not coloured",
        "shown already",
    }


def test_grey_photos_are_no_failure(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    save_photos(folder, ("a.png", "b.png", "c.png"))
    Image.fromarray(skimage.data.camera()).save(folder / "grey.png")
    assert make(folder, tmp_path / "test", weights) == 0


def test_several_folders_and_a_test_among_the_photos(weights: Path, tmp_path: Path) -> None:
    """A test that lies below a folder of photos is not taken for photos when it is made again."""
    save_photos(tmp_path, ("one/a.png", "two/b.png", "two/c.png"))
    test = tmp_path / "two" / "test"
    folders = [str(tmp_path / name) for name in ("one", "two", "two")]
    arguments = ["blind", "make", *folders, "-o", str(test), "--weights", str(weights)]
    assert main(arguments) == 0
    assert len(key_of(test)["pairs"]) == 3
    assert main(arguments) == 0
    assert len(list((test / "pairs").iterdir())) == 3


# a place that is taken


def test_the_same_call_leaves_the_test_as_it_is(
    photos: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "test"
    directory.mkdir()
    assert make(photos, directory, weights) == 0
    (directory / "answers.csv").write_text("pair,answer\n001,left\n")
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    assert make(photos, directory, weights) == 0
    assert "already there, with 3 pairs" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before


@pytest.mark.parametrize(
    ("options", "different"),
    [
        (["--seed", "1"], "the seed and the photos would differ"),
        (["--pairs", "2"], "the photos would differ"),
        (["--size", "65"], "the size would differ"),
    ],
)
def test_another_call_is_refused(
    options: list[str],
    different: str,
    made: Path,
    photos: Path,
    weights: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = key_of(made)
    assert make(photos, made, weights, *options) == 1
    assert f"{made}: holds a blind test already, and {different}" in capsys.readouterr().err
    assert key_of(made) == before


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["blind", "make", *arguments]) == 1
    message = capsys.readouterr().err
    assert message.startswith("colorflow: ")
    assert message.count("\n") == 1
    return message


def test_places_that_are_refused(
    photos: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [str(photos), "--weights", str(weights), "-o"]
    (tmp_path / "file").write_text("mine")
    message = refused([*common, str(tmp_path)], capsys)
    assert f"{tmp_path}: is not empty" in message
    message = refused([*common, str(tmp_path / "file")], capsys)
    assert "is no folder" in message
    message = refused([*common, str(tmp_path / "file" / "test")], capsys)
    assert f"{tmp_path / 'file' / 'test'}: cannot be made" in message
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_nothing_to_show(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--weights", str(weights), "-o", str(tmp_path / "test")]
    assert "there is no such file or folder" in refused([str(tmp_path / "none"), *common], capsys)
    (tmp_path / "empty").mkdir()
    assert "holds no photo" in refused([str(tmp_path / "empty"), *common], capsys)
    Image.fromarray(skimage.data.camera()).save(tmp_path / "empty" / "grey.png")
    assert main(["blind", "make", str(tmp_path / "empty"), *common]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "colorflow: none of the 1 photos can be read and has colours"
    assert not (tmp_path / "test").exists()


def test_no_weights(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(photos), "-o", str(tmp_path / "test"), "--weights", "none.safetensors"]
    assert "none.safetensors: there is no such weights file" in refused(arguments, capsys)


@pytest.mark.parametrize("existing", [True, False])
def test_an_interrupted_run_leaves_nothing(
    existing: bool, photos: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "test"
    if existing:
        directory.mkdir()
    write, written = make_module.write_pair, []

    def interrupted(path: Path, *rest: Any) -> None:
        if written:
            raise KeyboardInterrupt
        write(path, *rest)
        written.append(path)

    monkeypatch.setattr(make_module, "write_pair", interrupted)
    assert make(photos, directory, weights) == 130
    assert written
    assert list(tmp_path.rglob("*")) == ([directory] if existing else [])
    monkeypatch.undo()
    assert make(photos, directory, weights) == 0


@pytest.mark.parametrize(
    "options", [["--pairs", "0"], ["--size", "15"], ["--seed", "-1"], ["--seed", "one"]]
)
def test_wrong_usage(options: list[str], photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["blind", "make", str(photos), "-o", "test", *options])
    assert end.value.code == 2
    assert options[0] in capsys.readouterr().err


def test_the_draws_seed_suits_the_command_line(made: Path) -> None:
    assert all(0 <= pair["seed"] < 2**32 for pair in key_of(made)["pairs"])


def test_a_transparent_photo_is_shown_like_any_other(
    colorizer: Colorizer, weights: Path, tmp_path: Path
) -> None:
    pixels = skimage.data.chelsea()[:100, :120]
    opacity = np.full((100, 120), 255, np.uint8)
    opacity[:20] = 0
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(np.dstack([pixels, opacity])).save(folder / "a.png")
    assert make(folder, tmp_path / "test", weights) == 0
    (pair,) = key_of(tmp_path / "test")["pairs"]
    picture = np.asarray(Image.open(tmp_path / "test" / "pairs" / "001.png"))
    expected = pair_of(colorizer, photo_from_image(pixels), seed=pair["seed"], size=SIZE)
    assert np.array_equal(picture, expected.side_by_side(pair["truth"]))
