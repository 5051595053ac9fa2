"""Batches that enlarge: files, statements, what stays, and what cannot be done."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorflow.batch import COLORS, DETAIL, EnlargeSettings, Settings, write_sheet
from colorflow.batch.models import WorkerConfig, load_models
from colorflow.batch.settings import BatchSettings
from colorflow.enlarge.enlarger import Enlarger
from colorflow.enlarge.weights import FIRST, LAST, load_enlarge_weights, save_enlarge_weights
from colorflow.errors import WeightsError
from colorflow.files import digest_of
from colorflow.photo import ENLARGED, read_photo, read_statements
from colorflow.recipe import Enlargement, Recipe, Statement, Weights
from tests.batch.results import Work, names
from tests.small_weights import save_small_weights
from tests.statements import statement_of


def test_results_are_larger_and_say_how_they_were_made(
    album: Path, out: Path, work: Work, enlarger: Enlarger
) -> None:
    settings = EnlargeSettings(scale=4, n=2, seed=3, temperature=0.5)
    outcomes = work(settings, album, recursive=True)
    assert {one.status for one in outcomes.values()} == {"done"}
    assert names(out) == [
        f"{stem}_x4_s{seed}.{ext}"
        for stem, ext in (("a", "jpg"), ("b", "png"), ("inner/c", "jpg"))
        for seed in (3, 4)
    ]
    photo, large = read_photo(album / "b.png"), read_photo(out / "b_x4_s4.png")
    assert large.pixels.shape == (4 * photo.height, 4 * photo.width)
    assert statement_of(out / "b_x4_s4.png") == Statement(
        recipe=Recipe(enlargement=Enlargement(scale=4, seed=4, temperature=0.5)),
        weights=Weights(detail=enlarger.digest),
        photo=digest_of(album / "b.png"),
    )
    again = work(settings, album, recursive=True)
    assert {one.status for one in again.values()} == {"skipped"}
    (out / "b_x4_s3.png").unlink()
    (outcome,) = work(settings, album / "b.png").values()
    assert outcome.status == "done"
    assert [one.seed for one in outcome.colorings] == [3, 4]


def test_what_the_format_cannot_hold_is_refused_before_the_work(
    tmp_path: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Enlarger, "steps", lambda *_: pytest.fail("the work has begun"))
    Image.new("L", (8200, 10)).save(tmp_path / "wide.webp")
    outcome = work(EnlargeSettings(), tmp_path / "wide.webp", ext="webp")["wide.webp"]
    assert outcome.status == "failed"
    assert "WEBP holds at most 16383 pixels a side, and the picture has 16400 x 20" in str(
        outcome.reason
    )


def test_colorings_are_enlarged_and_enlarged_photos_are_not(
    album: Path, tmp_path: Path, out: Path, work: Work
) -> None:
    work(Settings(), album / "b.png")
    (outcome,) = work(EnlargeSettings(), out / "b_a.png").values()
    assert outcome.status == "done"
    colored, enlarged = read_statements(out / "b_a_x2_mean.png")
    assert colored == statement_of(out / "b_a.png")
    assert enlarged.recipe == Recipe(enlargement=Enlargement(scale=2))
    made = (out / "b_a_x2_mean.png").rename(tmp_path / "made.png")
    again = work(EnlargeSettings(scale=4), made)["made.png"]
    assert again.status == "skipped"
    assert "colorflow made" in str(again.reason)
    (outcome,) = work(EnlargeSettings(), album / "a.jpg").values()
    gray = outcome.colorings[0].path.rename(tmp_path / "gray.jpg")
    (outcome,) = work(Settings(), gray).values()
    assert outcome.status == "done", "an enlarged photo may be colored"
    enlarged, colored = read_statements(outcome.colorings[0].path)
    assert enlarged == statement_of(gray)
    assert colored.recipe.colors
    (outcome,) = work(Settings(), gray).values()
    assert outcome.status == "skipped", "what the photo says of itself is not taken for --scale"


def test_colors_and_size_in_one_go(album: Path, out: Path, work: Work) -> None:
    small = Settings(n=2, seed=5, likelihood=True)
    large = replace(small, scale=2)
    (plain,) = work(small, album / "b.png").values()
    recipe = statement_of(out / "b_b.png").recipe
    (twice,) = work(replace(large, overwrite=True), album / "b.png").values()
    bits = [[one.bits_per_dim for one in each.colorings] for each in (plain, twice)]
    assert bits[0] == bits[1]
    assert read_photo(out / "b_b.png").width == 2 * read_photo(album / "b.png").width
    assert statement_of(out / "b_b.png").recipe == replace(recipe, enlargement=Enlargement(scale=2))
    assert work(large, album / "b.png")["b.png"].status == "skipped"


def test_weights_that_cannot_do_it_are_told_before_the_work(tmp_path: Path, detail: Path) -> None:
    def load(settings: BatchSettings, **weights: Path) -> None:
        load_models(WorkerConfig(weights=weights, device="cpu", threads=1, settings=settings))

    with pytest.raises(WeightsError, match=r"absent\.safetensors: there is no such weights file"):
        load(EnlargeSettings(), **{DETAIL: tmp_path / "absent.safetensors"})
    colors, two = save_small_weights(tmp_path / "colors.safetensors"), tmp_path / "two.safetensors"
    models = load_enlarge_weights(detail).models
    save_enlarge_weights(two, {FIRST: models[FIRST], LAST: models[LAST]}, {})
    for settings in (EnlargeSettings(restore=True), Settings(scale=2, restore=True)):
        with pytest.raises(WeightsError, match="these weights cannot restore; choose others"):
            load(settings, **{COLORS: colors, DETAIL: two})


def test_the_sheet_shows_the_middle_at_full_size(album: Path, tmp_path: Path, work: Work) -> None:
    picture = Image.fromarray(np.kron(data.camera()[100:132, 200:232], np.ones((8, 8), np.uint8)))
    picture.save(album / "b.png")
    outcome = work(EnlargeSettings(n=2), album / "b.png")["b.png"]
    sheet = tmp_path / "sheet.html"
    assert write_sheet(sheet, [outcome], ENLARGED) == 1
    large = read_photo(outcome.colorings[0].path).pixels
    side = 300
    top = (large.shape[0] - side) // 2
    middle = large[top : top + side, top : top + side]
    sources = re.findall('src="data:image/jpeg;base64,([^"]*)"', sheet.read_text())
    before, after, _ = (np.asarray(Image.open(BytesIO(b64decode(one)))) for one in sources)
    assert np.abs(after.astype(int) - middle).mean() < 4, "a JPEG"
    assert before.shape == after.shape
