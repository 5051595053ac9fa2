"""Batches that enlarge: files, statements, what stays, and what cannot be done."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.ExifTags import Base
from skimage import data

from colorflow.batch import (
    COLORS,
    DETAIL,
    EnlargeSettings,
    PhotoOutcome,
    Settings,
    make_plan,
    write_sheet,
)
from colorflow.batch.models import WorkerConfig, load_models
from colorflow.batch.settings import BatchSettings
from colorflow.color.full_resolution import lightness_of
from colorflow.colorizer import Colorizer
from colorflow.enlarge.enlarger import Enlarger
from colorflow.enlarge.tiles import result_of
from colorflow.enlarge.weights import FIRST, LAST, load_enlarge_weights, save_enlarge_weights
from colorflow.errors import WeightsError
from colorflow.files import digest_of
from colorflow.photo import ENLARGED, read_photo, read_statements
from colorflow.recipe import Enlargement, Recipe, Statement, Weights
from tests.in_process import run_in_process
from tests.small_weights import save_small_weights
from tests.statements import statement_of

COLOR = data.astronaut()[30:70, 200:250]


@pytest.fixture
def enlarge(enlarger: Enlarger, tmp_path: Path) -> Callable[..., dict[str, PhotoOutcome]]:
    """Enlarges into the folder `out`, and gives the outcomes by the names of the photos."""

    def outcomes(
        *inputs: Path,
        recursive: bool = False,
        ext: str = "auto",
        **settings: object,
    ) -> dict[str, PhotoOutcome]:
        work = EnlargeSettings(**settings)  # type: ignore[arg-type]
        plan = make_plan(
            inputs,
            tmp_path / "out",
            work,
            recursive=recursive,
            ext=ext,
        )
        return {one.path.name: one for one in run_in_process(plan, enlarger=enlarger)}

    return outcomes


Enlarge = Callable[..., dict[str, PhotoOutcome]]


def reduced(pixels: np.ndarray, scale: int) -> np.ndarray:
    lightness = lightness_of(pixels)
    height, width = lightness.shape
    return lightness.reshape(height // scale, scale, width // scale, scale).mean((1, 3))


def test_results_are_larger_and_say_how_they_were_made(
    album: Path, tmp_path: Path, enlarge: Enlarge, enlarger: Enlarger
) -> None:
    outcomes = enlarge(album, recursive=True, scale=4, n=2, seed=3, temperature=0.5)
    assert {one.status for one in outcomes.values()} == {"done"}
    out = tmp_path / "out"
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*")) == [
        f"{stem}_x4_s{seed}.{ext}"
        for stem, ext in (("a", "jpg"), ("b", "png"), ("inner/c", "jpg"))
        for seed in (3, 4)
    ]
    photo, large = read_photo(album / "b.png"), read_photo(out / "b_x4_s4.png")
    assert large.pixels.shape == (4 * photo.height, 4 * photo.width)
    assert np.abs(reduced(large.pixels, 4) - lightness_of(photo.pixels)).max() < 0.4
    assert statement_of(out / "b_x4_s4.png") == Statement(
        recipe=Recipe(enlargement=Enlargement(scale=4, seed=4, temperature=0.5)),
        weights=Weights(detail=enlarger.digest),
        photo=digest_of(album / "b.png"),
    )
    again = enlarge(album, recursive=True, scale=4, n=2, seed=3, temperature=0.5)
    assert {one.status for one in again.values()} == {"skipped"}
    (out / "b_x4_s3.png").unlink()
    (outcome,) = enlarge(album / "b.png", scale=4, n=2, seed=3, temperature=0.5).values()
    assert outcome.status == "done"
    assert [one.seed for one in outcome.colorings] == [3, 4]


def test_colors_depth_transparency_and_metadata_stay(tmp_path: Path, enlarge: Enlarge) -> None:
    exif = Image.Exif()
    exif[Base.Artist] = "Ada"
    picture = Image.fromarray(COLOR)
    picture.save(tmp_path / "color.jpg", quality=95, exif=exif, dpi=(300, 300))
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(tmp_path / "clear.png")
    deep = np.random.default_rng(0).integers(20_000, 40_000, (20, 30), np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", deep)
    names = ("color.jpg", "clear.png", "deep.tif")
    for name in names:
        outcome = enlarge(tmp_path / name)[name]
        assert outcome.status == "done", outcome.reason
    color = read_photo(tmp_path / "out" / "color_x2_mean.jpg")
    assert color.pixels.shape == (80, 100, 3)
    with Image.open(tmp_path / "out" / "color_x2_mean.jpg") as image:
        assert image.getexif()[Base.Artist] == "Ada"
        assert image.info["dpi"] == (300, 300)
    halved = color.pixels.reshape(40, 2, 50, 2, 3).mean((1, 3))
    assert np.abs(halved - COLOR).mean() < 6
    clear = read_photo(tmp_path / "out" / "clear_x2_mean.png")
    assert clear.alpha is not None
    assert clear.alpha.shape == (80, 100)
    gray = read_photo(tmp_path / "out" / "deep_x2_mean.png")
    assert (gray.bits, gray.pixels.shape) == (16, (40, 60))
    assert np.abs(reduced(gray.full_depth, 2) - lightness_of(deep)).max() < 0.02


def test_what_the_format_cannot_hold_is_refused_before_the_work(
    tmp_path: Path, enlarge: Enlarge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(Enlarger, "steps", work)
    Image.new("L", (8200, 10)).save(tmp_path / "wide.webp")
    outcome = enlarge(tmp_path / "wide.webp", ext="webp")["wide.webp"]
    assert outcome.status == "failed"
    assert "WEBP holds at most 16383 pixels a side, and the picture has 16400 x 20" in str(
        outcome.reason
    )


def test_colorings_are_enlarged_and_enlarged_photos_are_not(
    album: Path, tmp_path: Path, enlarge: Enlarge, colorizer: Colorizer
) -> None:
    plan = make_plan([album / "b.png"], album, Settings())
    list(run_in_process(plan, colorizer))
    (outcome,) = enlarge(album / "b_a.png").values()
    assert outcome.status == "done"
    colored, enlarged = read_statements(tmp_path / "out" / "b_a_x2_mean.png")
    assert colored == statement_of(album / "b_a.png")
    assert enlarged.recipe == Recipe(enlargement=Enlargement(scale=2))
    made = (tmp_path / "out" / "b_a_x2_mean.png").rename(tmp_path / "made.png")
    again = enlarge(made, scale=4)["made.png"]
    assert again.status == "skipped"
    assert "colorflow made" in str(again.reason)
    gray = enlarge(album / "a.jpg")["a.jpg"].colorings[0].path
    plan = make_plan([gray], tmp_path / "colored", Settings())
    (outcome,) = run_in_process(plan, colorizer)
    assert outcome.status == "done", "an enlarged photo may be colored"
    enlarged, colored = read_statements(outcome.colorings[0].path)
    assert enlarged == statement_of(gray)
    assert colored.recipe.colors
    (outcome,) = run_in_process(plan, colorizer)
    assert outcome.status == "skipped", "what the photo says of itself is not taken for --scale"


def test_colors_and_size_in_one_go(
    album: Path, tmp_path: Path, colorizer: Colorizer, enlarger: Enlarger
) -> None:
    def colored(scale: int, folder: str) -> PhotoOutcome:
        work = Settings(n=2, seed=5, scale=scale, likelihood=True)
        plan = make_plan([album / "b.png"], tmp_path / folder, work)
        (outcome,) = run_in_process(plan, colorizer, enlarger)
        return outcome

    small, large = colored(1, "small"), colored(2, "large")
    assert [one.bits_per_dim for one in large.colorings] == [
        one.bits_per_dim for one in small.colorings
    ]
    plain, twice = (tmp_path / folder / "b_b.png" for folder in ("small", "large"))
    photo, before = read_photo(twice), read_photo(plain)
    assert (photo.width, photo.height) == (2 * before.width, 2 * before.height)
    steps = enlarger.steps(read_photo(album / "b.png"), Enlargement(scale=2, seed=5))
    want = result_of(steps)
    assert np.abs(lightness_of(photo.pixels) - want).max() < 1
    halved = photo.pixels.reshape(before.height, 2, before.width, 2, 3).mean((1, 3))
    assert np.abs(halved - before.pixels).mean() < 3, "the same colors"
    assert statement_of(twice).recipe == replace(
        statement_of(plain).recipe, enlargement=Enlargement(scale=2)
    )
    assert colored(2, "large").status == "skipped"
    assert "was enlarged 2 times" in str(colored(1, "large").reason)
    assert "differs in its scale (2)" in str(colored(4, "large").reason)
    assert "was not enlarged" in str(colored(2, "small").reason)


def test_weights_that_are_missing_foreign_or_cannot_restore(tmp_path: Path, detail: Path) -> None:
    def first(work: BatchSettings, weights: dict[str, Path]) -> None:
        load_models(WorkerConfig(weights=weights, device="cpu", threads=1, settings=work))

    with pytest.raises(WeightsError, match=r"absent\.safetensors: there is no such weights file"):
        first(EnlargeSettings(), {DETAIL: tmp_path / "absent.safetensors"})
    foreign = save_small_weights(tmp_path / "colors.safetensors")
    with pytest.raises(WeightsError, match="not a colorflow weights file"):
        first(EnlargeSettings(), {DETAIL: foreign})
    two = tmp_path / "two.safetensors"
    models = load_enlarge_weights(detail).models
    save_enlarge_weights(two, {FIRST: models[FIRST], LAST: models[LAST]}, {})
    for work in (EnlargeSettings(restore=True), Settings(scale=2, restore=True)):
        with pytest.raises(WeightsError, match="these weights cannot restore; choose others"):
            first(work, {COLORS: foreign, DETAIL: two})


def test_the_sheet_shows_the_middle_at_full_size(
    album: Path, tmp_path: Path, enlarge: Enlarge
) -> None:
    picture = Image.fromarray(np.kron(data.camera()[100:132, 200:232], np.ones((8, 8), np.uint8)))
    picture.save(album / "b.png")
    outcome = enlarge(album / "b.png", n=2)["b.png"]
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
