"""Colorings and their downloads, without a server and with a Colorizer that needs no weights."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorflow.errors import WeightsError
from colorflow.limits import LARGEST_SEED
from colorflow.photo import Principal, Provenance, read_provenance
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.controls import SUMMARY
from colorflow.ui.photos import PREVIEW_SIDE
from tests.ui.fake_colorizer import AB, FakeColorizer
from tests.ui.handling import (
    IMAGE_DESCRIPTION,
    SUBJECT,
    colorize,
    compared,
    download,
    drop,
    is_problem,
    new,
    opened,
    pixels,
    running,
    text,
    value,
)


def test_the_first_coloring_is_shown_and_ready(tab: ColorizeTab, gray: Path) -> None:
    session = opened(tab, gray)
    updates = colorize(tab, session, n=3, seed=7)
    captions = [caption for _, caption in value(updates, tab.gallery)]
    assert captions == ["A: average of all", "B: 50 %", "C: 50 %"]
    assert updates[tab.gallery]["selected_index"] == 0
    assert updates[tab.result.column]["visible"]
    assert not updates[tab.result.welcome]["visible"]
    assert re.fullmatch(r"3 colorings in \d+\.\d s\.", text(updates, tab.status))
    before, after = (pixels(path).astype(int) for path in compared(updates, tab.result))
    assert before.shape == after.shape
    assert max(after.shape) == PREVIEW_SIDE
    assert np.ptp(before, axis=2).max() == 0, "the picture before is not gray"
    assert np.ptp(after, axis=2).max() > 50
    assert value(updates, tab.result.download.button) == "Download, 1536 × 1024 pixels"
    updates = tab.result.download.prepare(session, "JPEG")
    assert value(updates, tab.result.download.file).endswith("/grandma (1931)_a.jpg")
    provenance = read_provenance(value(updates, tab.result.download.file))
    said = Principal("a", 3, 1.0)
    assert provenance == Provenance(7, 1.0, "fake", principal=said, skin=True)


def test_the_download_has_full_size_metadata_and_the_photo_s_lightness(
    tab: ColorizeTab, gray: Path
) -> None:
    session = opened(tab, gray)
    # the second principal coloring has the colors of the next seed
    colorize(tab, session, n=2, seed=1)
    original = color.rgb2lab(np.repeat(pixels(gray)[::4, ::4, None], 3, axis=2))
    for index, (letter, seed) in enumerate((("a", 1), ("b", 2))):
        path = download(tab, session, index)
        assert path.name == f"grandma (1931)_{letter}.jpg"
        with Image.open(path) as image:
            assert image.format == "JPEG"
            assert image.size == (1536, 1024)
            assert image.getexif()[IMAGE_DESCRIPTION] == SUBJECT
            assert image.info["dpi"] == (300, 300)
            lab = color.rgb2lab(np.asarray(image)[::4, ::4])
        middle = (original[..., 0] > 40) & (original[..., 0] < 70)  # tones that can hold the chroma
        assert np.abs(lab - original)[..., 0].mean() < 0.7, "JPEG and rounding take less"
        assert np.abs(lab[middle][:, 1:].mean(axis=0) - AB[seed]).max() < 4


def test_what_is_no_jpeg_becomes_png(tab: ColorizeTab, tmp_path: Path) -> None:
    path = tmp_path / "scan.webp"
    Image.fromarray(data.astronaut()[::8, ::8]).save(path)
    session = opened(tab, path)
    colorize(tab, session)
    made = download(tab, session)
    assert made.name == "scan_a.png"
    with Image.open(made) as image:
        assert image.format == "PNG"


def test_transparency_is_kept(tab: ColorizeTab, tmp_path: Path) -> None:
    photo = np.dstack([data.astronaut()[::8, ::8], np.full((64, 64), 255, np.uint8)])
    photo[:20, :, 3] = 0
    path = tmp_path / "cut-out.png"
    Image.fromarray(photo).save(path)
    session = opened(tab, path)
    shown = compared(colorize(tab, session), tab.result)
    for made in (*shown, download(tab, session)):
        assert np.array_equal(pixels(made)[..., 3], photo[..., 3])


def test_one_pixel_is_a_photo(tab: ColorizeTab, tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    Image.new("L", (1, 1), 120).save(path)
    session = opened(tab, path)
    updates = colorize(tab, session, n=1)
    assert text(updates, tab.status).startswith("1 coloring in ")
    assert pixels(download(tab, session)).shape == (1, 1, 3)


@pytest.mark.parametrize("stem", ["preview", "a"])
def test_no_preview_takes_the_download_s_place(tab: ColorizeTab, tmp_path: Path, stem: str) -> None:
    path = tmp_path / f"{stem}.png"
    Image.fromarray(np.tile(data.camera()[::2, ::2], (1, 6))).save(path)
    session = opened(tab, path)
    colorize(tab, session)
    for index, one in enumerate(session.current.colorings):
        assert pixels(download(tab, session, index)).shape == (256, 1536, 3)
        assert pixels(one.preview).shape == (171, 1024, 3)


def test_new_colorings_replace_the_old_ones(tab: ColorizeTab, small: Path) -> None:
    session = opened(tab, small)
    colorize(tab, session)
    old = session.current.colorings
    old_download = download(tab, session)
    colorize(tab, session, seed=5)
    assert [one.seed for one in session.current.colorings] == [5, 5]
    assert not old_download.exists()
    assert not any(one.preview.exists() for one in old)
    assert download(tab, session).name == "small_a.png"


@pytest.mark.parametrize("seed", [None, -1, LARGEST_SEED + 1])
def test_a_seed_out_of_range_is_told(
    tab: ColorizeTab, colorizer: FakeColorizer, small: Path, seed: int | None
) -> None:
    updates = colorize(tab, opened(tab, small), seed=seed)
    assert is_problem(updates, tab.status)
    assert text(updates, tab.status) == "Seed: a whole number from 0 to 4294967295."
    assert not colorizer.calls


def test_without_a_photo_one_is_asked_for(tab: ColorizeTab, small: Path) -> None:
    assert "choose one first" in text(colorize(tab, new(tab.session)), tab.status)
    session = opened(tab, small)
    drop(tab, [], session)
    assert "choose one first" in text(colorize(tab, session), tab.status)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (WeightsError("w.safetensors: does not fit"), "w.safetensors: does not fit"),
        (MemoryError(), "There is not enough memory; choose a smaller photo."),
    ],
)
def test_an_error_is_one_sentence_and_the_colorings_stay(
    tab: ColorizeTab,
    colorizer: FakeColorizer,
    small: Path,
    error: BaseException,
    words: str,
) -> None:
    session = opened(tab, small)
    colorize(tab, session)
    colorizer.error = error
    updates = colorize(tab, session, seed=3)
    own = {tab.about, tab.button, tab.status, tab.cancel_button}
    assert set(updates) - {tab.prepare.part} == own
    assert not updates[tab.cancel_button]["visible"]
    assert is_problem(updates, tab.status)
    assert text(updates, tab.status) == words
    assert [one.seed for one in session.current.colorings] == [0, 0]
    assert download(tab, session, 1).name == "small_b.png"


def test_a_quick_first_picture_makes_way_for_the_same_in_full(
    tab: ColorizeTab, small: Path
) -> None:
    """It is shown at once, and neither it nor its file stays."""
    session = opened(tab, small)
    seen = []
    for updates in running(tab, tab.one, session, 3, 1.0, 7, SUMMARY):
        if tab.gallery in updates:
            current = session.current
            seen.append([(one.spec.quick, one.stem) for one in current.colorings])
            assert current.chosen is current.colorings[0]
    name = small.stem
    assert seen[:2] == [[(True, f"{name}_a_quick")], [(False, f"{name}_a")]]
    assert [stem for _, stem in seen[-1]] == [f"{name}_{letter}" for letter in "abc"]
    assert len(session.current.captions.of(session.current.colorings[0].spec, 1.0)) > 0
