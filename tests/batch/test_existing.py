"""Which existing results stay, and what is made of the others."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorflow.batch import (
    PhotoHints,
    PhotoOutcome,
    Settings,
    make_plan,
)
from colorflow.colorizer import Colorizer
from colorflow.files import digest_of
from colorflow.model.config import HINT_PLANES
from colorflow.photo import read_photo, write_image
from colorflow.recipe import ColoringSpec, Colors, Hint, Recipe, Statement, Weights
from tests.batch.results import Run, Save, difference, names
from tests.in_process import run_in_process
from tests.small_weights import GAIN, save_small_weights


def test_the_mean_is_the_same_however_many_colorings_there_are(
    album: Path, out: Path, color_all: Run
) -> None:
    (first,) = color_all(album / "b.png")["b.png"].colorings
    made = (out / "b_a.png").read_bytes()
    outcome = color_all(album / "b.png", n=3)["b.png"]
    assert (outcome.status, outcome.colorings[0]) == ("done", first)
    assert (out / "b_a.png").read_bytes() == made
    assert color_all(album / "b.png", n=3)["b.png"].colorings == outcome.colorings
    assert color_all(album / "b.png")["b.png"].status == "skipped"
    fewer = color_all(album / "b.png", n=2)["b.png"]
    assert fewer.reason == (
        f"{out / 'b_b.png'}: is there already, but is principal coloring b of 3; "
        "--overwrite makes it anew"
    )
    whole = read_photo(out / "b_a.png").pixels
    color_all(album / "b.png", n=2, overwrite=True)
    assert difference(read_photo(out / "b_a.png").pixels, whole) <= 1


@pytest.mark.parametrize("samples", [False, True])
def test_going_on_makes_what_is_missing_and_nothing_else(
    album: Path, out: Path, color_all: Run, samples: bool
) -> None:
    color_all(album, n=2, samples=samples)
    whole = {name: (out / name).read_bytes() for name in names(out)}
    second = "s1" if samples else "b"
    (out / f"b_{second}.png").unlink()
    (out / f"a_{second}.jpg").write_bytes(b"")
    outcomes = color_all(album, n=2, samples=samples)
    assert [outcome.status for outcome in outcomes.values()] == ["done", "done"]
    assert {name: (out / name).read_bytes() for name in names(out)} == whole
    again = color_all(album, n=2, samples=samples)
    assert [outcome.status for outcome in again.values()] == ["skipped", "skipped"]
    for name, outcome in again.items():
        assert outcome.colorings == outcomes[name].colorings
    before = {name: (out / name).stat().st_ino for name in names(out)}
    color_all(album, n=2, samples=samples, overwrite=True)
    assert {name: (out / name).read_bytes() for name in names(out)} == whole
    assert not any((out / name).stat().st_ino == before[name] for name in names(out))


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_colorflow_did_not_make_is_never_replaced(
    album: Path, out: Path, save_photo: Save, color_all: Run, overwrite: bool
) -> None:
    out.mkdir()
    kept = save_photo(out / "a_b.jpg", 5).read_bytes()
    (out / "b_a.png").symlink_to(album / "a.jpg")
    outcomes = color_all(album, n=2, overwrite=overwrite)
    for name, result in (("a.jpg", "a_b.jpg"), ("b.png", "b_a.png")):
        assert (outcomes[name].status, outcomes[name].colorings) == ("failed", ())
        assert outcomes[name].reason == (
            f"{out / result}: the file cannot be written (a file is there already, and it is no "
            "coloring that colorflow made; move it away, or choose another name)"
        )
    assert (out / "a_b.jpg").read_bytes() == kept
    assert names(out) == ["a_b.jpg", "b_a.png"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"temperature": 0.3}, "differs in its temperature (1.0)"),
        (
            {"hints": {"b.png": PhotoHints((Hint(1, 2, 3, 4),))}},
            "differs in its hints",
        ),
        ({"photo": 7}, "differs in its photo ("),
        ({"weights": GAIN + 0.5}, "differs in its weights ("),
        ({"seed": 4}, "differs in its seed (0)"),
        ({"skin": False}, "differs in its skin"),
    ],
    ids=str,
)
def test_only_what_was_made_the_same_way_is_skipped(
    save_photo: Save, tmp_path: Path, out: Path, change: dict[str, Any], said: str
) -> None:
    path = save_photo(tmp_path / "in" / "b.png")
    first = save_small_weights(tmp_path / "h.safetensors", HINT_PLANES)
    load = functools.cache(Colorizer.load)

    def outcome(weights: Path, hints: Any = None, **settings: Any) -> PhotoOutcome:
        (outcome,) = run_in_process(
            make_plan([path], out, Settings(**settings), hints=hints),
            load(weights),
        )
        return outcome

    assert outcome(first).status == "done"
    assert outcome(first).status == "skipped"
    made = (out / "b_a.png").read_bytes()
    if number := change.pop("photo", None):
        save_photo(path, number)
    weights = first
    if gain := change.pop("weights", None):
        weights = save_small_weights(tmp_path / "other.safetensors", HINT_PLANES, gain=gain)
    again = outcome(weights, **change)
    assert again.status == "failed"
    assert str(again.reason).startswith(f"{out / 'b_a.png'}: is there already, but {said}")
    assert (out / "b_a.png").read_bytes() == made
    assert outcome(weights, **change, overwrite=True).status == "done"
    assert (out / "b_a.png").read_bytes() != made
    assert outcome(weights, **change).status == "skipped"


def test_results_that_do_not_say_their_photo_are_not_trusted(
    album: Path, out: Path, color_all: Run, colorizer: Colorizer
) -> None:
    photo = read_photo(album / "b.png")
    pixels = np.repeat(photo.pixels[..., None], 3, axis=2)
    out.mkdir()
    spec = ColoringSpec(seeds=(0,)).principal_spec(0, 1)
    colors = Colors(spec=replace(spec, seeds=(None,) * len(colorizer.levels)), saturation=1.5)
    earlier = Statement(recipe=Recipe(colors=colors), weights=Weights(colors=colorizer.digest))
    more = replace(earlier, photo=digest_of(album / "b.png"))
    for said, words in (
        (earlier, "does not say which photo"),
        (more, "its saturation (1.5)"),
    ):
        write_image(out / "b_a.png", pixels, photo, statement=said)
        assert words in str(color_all(album / "b.png")["b.png"].reason)
    assert color_all(album / "b.png", overwrite=True)["b.png"].status == "done"
