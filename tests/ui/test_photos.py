"""Opening one photo or several, photos that have colors already, and formats, without a server."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorflow.photo import KINDS, read_provenance
from colorflow.ui import album
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.colorize_layout import GRAY, TRUE_COLORS
from colorflow.ui.photos import PREVIEW_SIDE, THUMBNAIL_SIDE
from colorflow.ui.status import Updates
from tests.ui.handling import (
    IMAGE_DESCRIPTION,
    SUBJECT,
    click,
    colorize,
    compared,
    download,
    drop,
    everything,
    is_problem,
    look,
    new,
    opened,
    pixels,
    text,
    value,
)


def grays(folder: Path, names: list[str]) -> list[Path]:
    """Small photos, each of a tone of its own."""
    paths = []
    for number, name in enumerate(names):
        paths.append(folder / name)
        Image.new("L", (30, 20), 10 * number + 5).save(paths[-1])
    return paths


def names(updates: Updates, tab: ColorizeTab) -> list[str]:
    return re.findall(r'alt="([^"]*)"', value(updates, tab.strip))


def pressed(updates: Updates, tab: ColorizeTab) -> list[str]:
    return re.findall(r'aria-pressed="(\w+)"', value(updates, tab.strip))


# one photo


def test_a_gray_photo_is_shown_and_can_be_colored(tab: ColorizeTab, gray: Path) -> None:
    updates = drop(tab, [gray])
    shown = pixels(value(updates, tab.photos.preview))
    assert shown.shape == (PREVIEW_SIDE * 2 // 3 + 1, PREVIEW_SIDE, 3)
    assert updates[tab.photos.preview]["visible"]
    assert updates[tab.button]["interactive"]
    assert text(updates, tab.about) == "A gray photo. 1536 × 1024 pixels."
    assert not is_problem(updates, tab.about)


def test_a_bad_file_takes_the_place_of_the_photo(tab: ColorizeTab, root: Path, gray: Path) -> None:
    bad = root / "half.jpg"
    bad.write_bytes(gray.read_bytes()[:20_000])
    session = opened(tab, gray)
    before = session.current.photo
    updates = drop(tab, [bad], session)
    assert is_problem(updates, tab.about)
    assert text(updates, tab.about).startswith("half.jpg: the picture is damaged, incomplete")
    assert str(root) not in value(updates, tab.about)
    assert not updates[tab.button]["interactive"]
    assert not updates[tab.photos.preview]["visible"]
    assert session.current is None
    assert not before.folder.exists()


def test_a_server_without_room_is_told(tab: ColorizeTab, root: Path, small: Path) -> None:
    root.rmdir()
    updates = drop(tab, [small])
    assert "Nothing can be stored on the server (" in text(updates, tab.about)
    assert not updates[tab.button]["interactive"]


def test_taking_the_photo_away_empties_the_page(tab: ColorizeTab, small: Path) -> None:
    session = opened(tab, small)
    colorize(tab, session)
    folder = session.current.folder
    updates = drop(tab, [], session)
    assert not folder.exists()
    assert session.current is None
    assert not updates[tab.result.column]["visible"]
    assert updates[tab.result.welcome]["visible"]
    assert not updates[tab.button]["interactive"]
    assert value(updates, tab.gallery) is None
    assert value(updates, tab.result.compare) == ""
    assert text(updates, tab.about).startswith(f"{KINDS}; up to 200 photos")


# several photos


def test_the_first_is_shown_before_the_others_are_read(tab: ColorizeTab, tmp_path: Path) -> None:
    session = new(tab.session)
    paths = grays(tmp_path, ["a.png", "b.png", "c.png"])
    first = tab.open_photos([str(path) for path in paths], session)
    assert first[tab.button]["interactive"]
    assert value(first, tab.strip) == ""
    assert value(first, tab.all_button) == "Colorize all 3"
    assert text(first, tab.about).startswith("2 more photos are being opened")
    colorize(tab, session)
    rest = everything(tab.open_others(session))
    parts = {*tab._album(session), tab.about}
    assert set(rest) == parts, "what was done meanwhile stays"
    assert names(rest, tab) == ["a.png", "b.png", "c.png"]
    assert pressed(rest, tab) == ["true", "false", "false"]
    assert max(pixels(session.items[0].photo.thumbnail).shape) <= THUMBNAIL_SIDE
    assert len(session.current.colorings) == 2


def test_photos_that_are_taken_away_are_not_opened_any_more(
    tab: ColorizeTab, tmp_path: Path
) -> None:
    session = new(tab.session)
    a, b, c = (str(path) for path in grays(tmp_path, ["a.png", "b.png", "c.png"]))
    tab.open_photos([a, b, c], session)
    tab.open_photos([a, c], session)
    assert names(everything(tab.open_others(session)), tab) == ["a.png", "c.png"]
    tab.open_photos([b, c, a], session)
    session.close()
    everything(tab.open_others(session))
    assert session.items == ()


def test_another_photo_keeps_the_colorings_of_the_first(tab: ColorizeTab, tmp_path: Path) -> None:
    session = opened(tab, *grays(tmp_path, ["a.png", "b.jpg"]))
    colorize(tab, session, n=3)
    click(tab, session, 2)
    updates = look(tab, session, 1)
    assert pressed(updates, tab) == ["false", "true"]
    assert pixels(value(updates, tab.photos.preview)).mean() == pytest.approx(15, abs=1)
    assert not updates[tab.result.column]["visible"]
    assert value(updates, tab.gallery) is None
    colorize(tab, session, n=1, seed=40)
    updates = look(tab, session, 0)
    assert [caption for _, caption in value(updates, tab.gallery)] == [
        "A: average of all", "B: 50 %", "C: 50 %",
    ]  # fmt: skip
    assert updates[tab.gallery]["selected_index"] == 2
    assert compared(updates, tab.result)[1].name == "c.jpg"
    assert download(tab, session, 1).name == "a_b.png"
    look(tab, session, 1)
    assert download(tab, session, 0).name == "b_a.jpg"


def test_of_too_many_the_first_are_taken_and_few_are_named(
    tab: ColorizeTab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(album, "MOST_PHOTOS", 2)
    updates = drop(tab, grays(tmp_path, [f"{number}.png" for number in range(9)]))
    assert names(updates, tab) == ["0.png", "1.png"]
    said = text(updates, tab.about)
    assert said.startswith("2.png: it was left out, since a page takes 2 photos at once.")
    assert "2 more; the contact sheet" in said
    assert "7.png" not in said


def test_files_of_a_folder_come_beside_those_that_are_there(
    tab: ColorizeTab, tmp_path: Path
) -> None:
    a, b, c = (str(path) for path in grays(tmp_path, ["a.png", "b.png", "c.png"]))
    session = new(tab.session)
    tab.open_photos([a], session)
    updates = tab.open_folder([b, c], [a], session)
    assert updates[tab.photos.upload] == [a, b, c]
    assert names(everything(tab.open_others(session)), tab) == ["a.png", "b.png", "c.png"]


def test_photos_may_be_added_and_taken_away(tab: ColorizeTab, tmp_path: Path) -> None:
    a, b, c = grays(tmp_path, ["a.png", "b.png", "c.png"])
    session = opened(tab, a, b)
    colorize(tab, session)
    updates = drop(tab, [a, b, c, c], session)
    assert pressed(updates, tab) == ["false", "false", "true"], "the new one is looked at"
    assert not updates[tab.result.column]["visible"]
    assert len(session.items[0].colorings) == 2
    folder = session.items[0].photo.folder
    updates = drop(tab, [b, c], session)
    assert not folder.exists()
    assert names(updates, tab) == ["b.png", "c.png"]
    assert pressed(updates, tab) == ["false", "true"]
    updates = drop(tab, [b], session)
    assert value(updates, tab.strip) == "", "one photo needs no strip"
    assert pixels(value(updates, tab.photos.preview)).mean() == 15
    assert "gone" in text(look(tab, session, 1), tab.about)


def test_a_bad_one_leaves_the_photo_that_was_looked_at(
    tab: ColorizeTab, small: Path, tmp_path: Path
) -> None:
    session = opened(tab, small)
    colorize(tab, session)
    bad = tmp_path / "bad.png"
    bad.touch()
    updates = drop(tab, [small, bad], session)
    assert is_problem(updates, tab.about)
    assert len(value(updates, tab.gallery)) == 2


# photos with colors


@pytest.fixture
def colored(tmp_path: Path) -> Path:
    path = tmp_path / "rocket.png"
    Image.fromarray(data.astronaut()[::2, ::2]).save(path)
    return path


def test_a_photo_with_colors_is_compared_with_them(
    tab: ColorizeTab, colored: Path, small: Path
) -> None:
    updates = drop(tab, [colored, small])
    session = updates[tab.session]
    assert "already has colors" in text(updates, tab.about)
    assert value(updates, tab.button) == "Treat as gray"
    assert updates[tab.beside]["visible"]
    made = colorize(tab, session)
    assert value(made, tab.button) == "Colorize"
    assert "is treated as gray" in text(made, tab.about)
    before, after = (pixels(one) for one in compared(made, tab.result))
    assert np.array_equal(before, data.astronaut()[::2, ::2])
    lightness = [color.rgb2lab(one)[..., 0] for one in (before, after)]
    assert np.abs(lightness[0] - lightness[1]).mean() < 0.5  # the preview is a JPEG

    gray, same = compared(tab.compare_with(session, GRAY), tab.result)
    assert np.ptp(pixels(gray).astype(int), axis=2).max() == 0
    assert np.array_equal(pixels(same), after)
    assert compared(click(tab, session, 1), tab.result)[0] == gray, "the choice stays"
    tab.compare_with(session, TRUE_COLORS)
    assert np.array_equal(pixels(compared(click(tab, session, 0), tab.result)[0]), before)

    updates = look(tab, session, 1)
    assert value(updates, tab.button) == "Colorize"
    assert not updates[tab.beside]["visible"]
    assert text(updates, tab.about).startswith("A gray photo.")
    shown = pixels(compared(colorize(tab, session), tab.result)[0])
    assert np.ptp(shown.astype(int), axis=2).max() == 0


def test_a_toned_photo_is_compared_with_itself(tab: ColorizeTab, tmp_path: Path) -> None:
    sepia = np.rint(data.camera()[::4, ::4, None] * np.array([1, 0.85, 0.65])).astype(np.uint8)
    path = tmp_path / "sepia.png"
    Image.fromarray(sepia).save(path)
    session = opened(tab, path)
    assert "A toned photo (sepia or the like)" in tab._about(session)
    before, after = (pixels(one) for one in compared(colorize(tab, session), tab.result))
    assert np.array_equal(before, sepia)
    assert np.abs(before.astype(int) - after).mean() > 5


# formats


@pytest.mark.parametrize(("suffix", "format_"), [("jpg", "PNG"), ("png", "JPEG")])
def test_both_formats_keep_metadata_and_say_how_they_were_made(
    tab: ColorizeTab, tmp_path: Path, suffix: str, format_: str
) -> None:
    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = SUBJECT
    path = tmp_path / f"scan.{suffix}"
    Image.fromarray(data.camera()).save(path, exif=exif, dpi=(300, 300))
    session = opened(tab, path)
    colorize(tab, session, n=2, temperature=0.6, seed=7, samples=True)
    made = download(tab, session, 1, format_)
    assert made.name == {"JPEG": "scan_s8.jpg", "PNG": "scan_s8.png"}[format_]
    provenance = read_provenance(made)
    assert provenance is not None
    assert (provenance.seed, provenance.temperature, provenance.model) == (8, 0.6, "fake")
    with Image.open(made) as image:
        assert image.format == format_
        assert image.getexif()[IMAGE_DESCRIPTION] == SUBJECT
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        lab = color.rgb2lab(np.asarray(image))
    assert np.abs(lab[..., 0] - color.rgb2lab(gray(path))[..., 0]).mean() < 1


def gray(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
