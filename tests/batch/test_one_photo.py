"""Photos of a plan colored in this process: files, outcomes, and everything that goes wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow.batch import ColoredFile, Settings, make_plan, one_photo
from colorflow.color.full_resolution import lightness_of
from colorflow.colorizer import Colorizer
from colorflow.errors import WritePhotoError
from colorflow.files import digest_of, temporary_name, whole_file
from colorflow.photo import Photo, decode, read_photo
from colorflow.photo.decode import read_open
from colorflow.recipe import ColoringSpec, Colors, Recipe, Statement, Weights
from tests.batch.results import Run, difference, names
from tests.in_process import run_in_process
from tests.statements import statement_of

_TYPES = (np.uint8, np.uint16)


def test_each_input_has_a_record(
    album: Path, out: Path, tmp_path: Path, color_all: Run, colorizer: Colorizer
) -> None:
    Image.fromarray(skimage.data.astronaut()).save(album / "colored.png")
    (album / "broken.jpg").write_bytes((album / "a.jpg").read_bytes()[:-20])
    outcomes = color_all(album, tmp_path / "absent.png", recursive=True, n=2, seed=7, samples=True)
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "absent.png": "failed",
        "a.jpg": "done",
        "b.png": "done",
        "broken.jpg": "failed",
        "c.jpg": "done",
        "colored.png": "already-colored",
    }
    assert names(out) == [
        "a_s7.jpg", "a_s8.jpg", "b_s7.png", "b_s8.png", "inner/c_s7.jpg", "inner/c_s8.jpg",
    ]  # fmt: skip
    for outcome in outcomes.values():
        assert str(album) not in str(outcome.reason)
        assert (outcome.reason is None) == (outcome.status == "done")
    done = outcomes["b.png"]
    assert done.colorings == (
        ColoredFile(path=out / "b_s7.png", label="s7", seed=7),
        ColoredFile(path=out / "b_s8.png", label="s8", seed=8),
    )
    assert (done.width, done.height) == (64, 48)
    (want,) = colorizer.colorize(album / "b.png", n=1, seed=8, samples=True)
    assert difference(read_photo(out / "b_s8.png").pixels, want.render()) <= 1
    for name, seed in (("b_s8.png", 8), ("inner/c_s7.jpg", 7)):
        photo = album / (name.rpartition("_")[0] + Path(name).suffix)
        spec = ColoringSpec(seeds=(seed,) * len(colorizer.levels))
        assert statement_of(out / name) == Statement(
            recipe=Recipe(colors=Colors(spec=spec)),
            weights=Weights(colors=colorizer.digest),
            photo=digest_of(photo),
        )


@pytest.mark.parametrize("how", ["renamed", "overwritten"])
def test_a_photo_that_is_replaced_while_it_is_read(
    album: Path, out: Path, color_all: Run, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    photo, before = album / "b.png", digest_of(album / "b.png")
    other = (album / "a.jpg").read_bytes()

    def read_and_replaced(*args: Any, **options: Any) -> Photo:
        read = read_open(*args, **options)
        if how == "renamed":
            (album / "new").write_bytes(other)
            (album / "new").rename(photo)
        else:
            photo.write_bytes(other)
        return read

    monkeypatch.setattr(decode, "_reader", lambda **_: read_and_replaced)
    outcome = color_all(photo)["b.png"]
    if how == "overwritten":
        assert outcome.status == "failed"
        assert str(outcome.reason).startswith("the file was changed while it was read")
        assert names(out) == []
        return
    assert outcome.status == "done"
    assert statement_of(out / "b_a.png").photo == before != digest_of(photo)
    again = color_all(photo)["b.png"]
    assert (again.status, "differs in its photo" in str(again.reason)) == ("failed", True)


@pytest.mark.parametrize(
    ("side", "shape", "deep", "ext", "most"),
    [
        (14_100, (3,), False, "auto", 190),
        (11_500, (3,), True, "auto", 127),
        (9_600, (3,), True, "tiff", 90),
        (9_600, (3,), True, "jpg", 86),
        (13_500, (), True, "tiff", 127),
    ],
)
def test_a_photo_too_large_for_the_memory_of_its_coloring(
    album: Path,
    out: Path,
    colorizer: Colorizer,
    monkeypatch: pytest.MonkeyPatch,
    side: int,
    shape: tuple[int, ...],
    deep: bool,
    ext: str,
    most: int,
) -> None:
    def huge(*_: object, **__: object) -> tuple[Photo, str]:
        """Of one pixel in memory."""
        of_type = {dtype: np.broadcast_to(dtype(9), (side, side, *shape)) for dtype in _TYPES}
        return Photo(
            pixels=of_type[np.uint8], pixels16=of_type[np.uint16] if deep else None
        ), "0" * 16

    monkeypatch.setattr(one_photo, "read_picture", huge)
    plan = make_plan([album / "b.png"], out, Settings(), ext=ext)
    (outcome,) = run_in_process(plan, colorizer)
    assert (outcome.status, names(out)) == ("failed", [])
    expected = f"such a photo is colored up to {most} million pixels; make it smaller"
    assert outcome.reason == expected + (" or save it with 8 bits" if deep else "")


def test_what_is_treated_as_gray_is_colored_from_its_lightness(
    tmp_path: Path, color_all: Run, colorizer: Colorizer
) -> None:
    scan, holiday = tmp_path / "in" / "scan.png", tmp_path / "in" / "holiday.png"
    scan.parent.mkdir()
    for path in (scan, holiday):
        Image.fromarray(skimage.data.astronaut()).save(path)
    outcomes = color_all(scan.parent, treat_as_gray=["scan*"])
    assert {name: one.status for name, one in outcomes.items()} == {
        "holiday.png": "already-colored",
        "scan.png": "done",
    }
    assert "; --treat-as-gray with its name" in str(outcomes["holiday.png"].reason)
    outcome = outcomes["scan.png"]
    assert outcome.remarks == ("has colors, and was treated as gray",)
    made = outcome.colorings[0].path
    got = lightness_of(read_photo(made).pixels)
    assert np.abs(got - lightness_of(skimage.data.astronaut())).max() <= 0.5
    said = statement_of(made)
    assert (said.photo, said.weights.colors) == (digest_of(scan), colorizer.digest)

    again = color_all(scan.parent, treat_as_gray=["*"])
    assert {name: one.status for name, one in again.items()} == {
        "holiday.png": "done",
        "scan.png": "skipped",
    }, "a batch goes on with what it left alone"
    assert statement_of(made) == said


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("no\nmemory"), KeyError("x")])
def test_whatever_one_photo_does_the_others_go_on(
    album: Path, out: Path, colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    colored = colorizer.colored
    calls = iter([error, None])

    def fail_once(*args: object, **options: object) -> object:
        if failure := next(calls):
            raise failure
        return colored(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(colorizer, "colored", fail_once)
    first, second = run_in_process(make_plan([album], out, Settings()), colorizer)
    assert (first.status, second.status) == ("failed", "done")
    assert "memory" in str(first.reason) or "KeyError: 'x'" in str(first.reason)
    assert "\n" not in str(first.reason)


def test_what_is_there_when_the_disk_is_full_is_told(
    album: Path, out: Path, colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter([None, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))])

    def refuse_the_second(_: int) -> None:
        if error := next(calls):
            raise error

    monkeypatch.setattr(os, "fsync", refuse_the_second)
    (outcome,) = run_in_process(make_plan([album], out, Settings(n=3)), colorizer)
    assert (outcome.status, outcome.ends_the_run) == ("failed", True)
    assert [one.path for one in outcome.colorings] == [out / "a_a.jpg"]
    assert names(out) == ["a_a.jpg"]


def test_a_file_where_a_folder_is_needed(album: Path, out: Path, color_all: Run) -> None:
    out.mkdir()
    (out / "inner").write_bytes(b"mine")
    (out / "a_a.jpg").mkdir()
    outcomes = color_all(album, recursive=True)
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "a.jpg": "failed",
        "b.png": "done",
        "c.jpg": "failed",
    }
    assert f"{out / 'a_a.jpg'}: the file cannot be written" in str(outcomes["a.jpg"].reason)
    assert f"{out / 'inner'}: the folder cannot be made" in str(outcomes["c.jpg"].reason)
    assert names(out) == ["b_a.png", "inner"]
    assert (out / "inner").read_bytes() == b"mine"


def test_an_output_folder_that_cannot_be_is_refused_at_once(
    album: Path, tmp_path: Path, colorizer: Colorizer
) -> None:
    (tmp_path / "file").touch()
    for folder in ("file/out", "n/" * 1500 + "out"):
        plan = make_plan([album], tmp_path / folder, Settings())
        with pytest.raises(WritePhotoError, match=f"{folder}: the folder cannot be made"):
            next(run_in_process(plan, colorizer))


def test_what_killed_runs_left_is_removed_and_never_a_photo(
    album: Path, out: Path, color_all: Run
) -> None:
    left = [out / temporary_name(), out / "inner" / temporary_name()]
    other = out / ".colorflow-notes.tmp"
    (out / "inner").mkdir(parents=True)
    for path in (*left, other):
        path.write_bytes((album / "a.jpg").read_bytes())
    with whole_file(out / "held", None) as file:
        assert list(color_all(album, recursive=True)) == ["a.jpg", "b.png", "c.jpg"]
        assert not any(path.exists() for path in left)
        assert Path(file.name).exists()  # somebody is writing it
    (out / "held").unlink()
    assert other.exists()
    plan = make_plan([out], out, Settings(), recursive=True)
    assert (plan.tasks, plan.inputs) == ([], [])
    assert [note.path.name for note in plan.notes] == ["a_a.jpg", "b_a.png", "c_a.jpg"]


def test_a_result_without_visible_color_is_named(tmp_path: Path, out: Path, color_all: Run) -> None:
    """As of scanned text, whose pixels are black or white."""
    scan = np.where(skimage.data.text() > 128, 255, 0).astype(np.uint8)
    deep = np.where(skimage.data.text() > 128, 65535, 0).astype(np.uint16)
    Image.fromarray(scan).save(tmp_path / "scan.png")
    Image.fromarray(deep).save(tmp_path / "scan16.png")
    Image.fromarray(skimage.data.camera()).resize((96, 96)).save(tmp_path / "man.png")
    paths = [tmp_path / name for name in ("scan.png", "scan16.png", "man.png")]
    found = {name: outcome.remarks for name, outcome in color_all(*paths, n=2).items()}
    said = "nearly gray, since black and white show no color: "
    assert found["scan.png"] == (f"{said}scan_a.png, scan_b.png",)
    assert found["scan16.png"] == (f"{said}scan16_a.png, scan16_b.png",)
    assert found["man.png"] == ()
