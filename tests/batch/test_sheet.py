"""The contact sheet, as a picture and as a page."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
import skimage.color
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from colorflow.batch import (
    ColoredFile,
    PhotoOutcome,
    Settings,
    location_of,
    make_plan,
    picture_sheet,
    run_in_process,
    sheet,
    write_sheet,
)
from colorflow.batch.sheet import caption_of, check_sheet
from colorflow.colorizer import Colorizer
from colorflow.errors import WritePhotoError
from colorflow.photo import COLORING, Photo, is_own_picture, read_photo

ODD = os.fsdecode(b"caf\xe9\n <b>&\"' 50% #1?a:b \xc3\xbc \xe5\x86\x99.png")

Save = Callable[..., Path]


class Page(HTMLParser):
    """What a reader of a page meets: titles, pictures' texts, links, and the other texts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.alts: list[str] = []
        self.links: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.texts: dict[str, list[str]] = {}
        self._tag = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._tag = tag
        if tag == "img":
            assert values["src"].startswith("data:image/jpeg;base64,")
            self.alts.append(values["alt"])
            self.sizes.append((int(values["width"]), int(values["height"])))
        if tag == "a":
            self.links.append(values["href"])

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.setdefault(self._tag, []).append(data)


def colored(paths: list[Path], n: int = 1) -> list[PhotoOutcome]:
    """Outcomes whose samples are the photos themselves."""
    return [
        PhotoOutcome(
            path=path,
            status="done",
            colorings=tuple(ColoredFile(path=path, label=f"s{k}", seed=k) for k in range(n)),
        )
        for path in paths
    ]


@pytest.mark.parametrize(
    ("label", "share", "want"),
    [
        ("a", 1.0, "A: average of all"),
        ("b", 0.40625, "B: 41 %"),
        ("c", None, "C"),
        ("s12", None, "Seed 12"),
        ("x2_s12", None, "Seed 12"),
        ("x2_mean", None, "Mean"),
    ],
)
def test_a_caption_says_the_share_or_the_seed(label: str, share: float | None, want: str) -> None:
    coloring = ColoredFile(path=Path(f"x_{label}.png"), label=label, seed=12, share=share)
    assert caption_of(coloring) == want


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".html", ".HTML"])
def test_a_sheet_of_any_format_replaces_a_sheet_and_nothing_else(
    album: Path, tmp_path: Path, suffix: str
) -> None:
    outcomes = colored([album / "a.jpg", album / "b.png"])
    path = tmp_path / f"s{suffix}"
    check_sheet(path)
    for _ in range(2):
        assert write_sheet(path, outcomes) == 2
    for other in (b"<!DOCTYPE html>\n<p>Made by me", (album / "a.jpg").read_bytes()):
        path.write_bytes(other)
        with pytest.raises(WritePhotoError, match="is no contact sheet of a batch"):
            write_sheet(path, outcomes)
        assert path.read_bytes() == other


@pytest.mark.parametrize("name", ["sheet.pdf", "sheet", "sheet.htm"])
def test_other_suffixes_are_refused(name: str) -> None:
    with pytest.raises(WritePhotoError, match=f"{name}: a contact sheet is one of .jpg, .png, "):
        check_sheet(Path(name))


def test_a_row_shows_a_photo_in_gray_and_its_colorings(
    album: Path, tmp_path: Path, colorizer: Colorizer
) -> None:
    outcomes = list(run_in_process(make_plan([album], tmp_path / "out", Settings(n=2)), colorizer))
    path = tmp_path / "sheet.png"
    assert write_sheet(path, outcomes) == 2
    lab = skimage.color.rgb2lab(read_photo(path).pixels)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    gap, line, height, width = 8, 26, 300, 400
    assert lab.shape[:2] == (2 * (line + height + line + gap), gap + 3 * (width + gap))
    for row in range(2):
        top = row * (line + height + line + gap)
        assert lab[top : top + line, ..., 0].min() < 50  # the name
        for place in range(3):
            left = gap + place * (width + gap)
            cell = chroma[top + line : top + line + height, left : left + width]
            assert (cell.mean() > 3) == (place > 0), (row, place)
            below = top + line + height
            assert lab[below : below + line, left : left + width, 0].min() < 50, "no caption"
    assert is_own_picture(path, COLORING)


@pytest.mark.parametrize(
    ("size", "want"),
    [
        ((60, 40), (450, 300)),
        ((20, 30), (300, 450)),
        ((2000, 100), (900, 45)),
        ((1, 2000), (1, 900)),
    ],
)
def test_pictures_have_300_pixels_a_side_unless_they_are_very_long(
    tmp_path: Path, size: tuple[int, int], want: tuple[int, int]
) -> None:
    Image.new("L", size, 90).save(tmp_path / "a.png")
    assert write_sheet(tmp_path / "s.html", colored([tmp_path / "a.png"])) == 1
    assert set(Page(tmp_path / "s.html").sizes) == {want}
    assert write_sheet(tmp_path / "s.png", colored([tmp_path / "a.png"])) == 1
    height, width = read_photo(tmp_path / "s.png").pixels.shape[:2]
    assert width >= 2 * max(want[0], 300)
    assert height >= want[1]


def test_a_page_links_to_the_results_whatever_their_names(
    save_photo: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colorizer: Colorizer
) -> None:
    save_photo(tmp_path / "in" / ODD)
    monkeypatch.chdir(tmp_path)
    plan = make_plan(["in"], Path("out # 1"), Settings(n=2))
    outcomes = list(run_in_process(plan, colorizer))
    (tmp_path / "sheets").mkdir()
    assert write_sheet(Path("sheets/s.html"), outcomes) == 1
    page = Page(tmp_path / "sheets" / "s.html")
    shown = "caf\\udce9\\n <b>&\"' 50% #1?a:b ü 写.png"
    assert page.texts["h2"] == [shown]
    assert page.texts["figcaption"][:2] == ["In gray", "A: average of all"]
    assert re.fullmatch(r"B: \d+ %", page.texts["figcaption"][2])
    assert page.alts == [f"{shown}: {caption}" for caption in page.texts["figcaption"]]
    targets = [tmp_path / "sheets" / os.fsdecode(unquote_to_bytes(link)) for link in page.links]
    assert [os.path.realpath(target) for target in targets] == [
        os.path.realpath(one.path)
        for one in outcomes[0].colorings  # type: ignore[arg-type]
    ]
    assert all(re.fullmatch(r"[\w/.%~-]+", link, re.ASCII) for link in page.links)


def test_a_sheet_shows_photos_and_results_of_a_store(save_photo: Save, tmp_path: Path) -> None:
    store = MemoryFileSystem()
    photo = save_photo(tmp_path / "a.png")
    for name in ("in/a b.png", "out/a b#_s0.png"):
        store.pipe_file(f"/sheet-test/{name}", photo.read_bytes())
    try:
        result = ColoredFile(
            path=location_of("memory://sheet-test/out/a b#_s0.png"), label="s0", seed=0
        )
        gone = ColoredFile(path=location_of("memory://sheet-test/out/gone.png"), label="s0", seed=0)
        source = location_of("memory://sheet-test/in/a b.png")
        outcomes = [
            PhotoOutcome(path=source, status="done", colorings=(one,)) for one in (result, gone)
        ]
        assert write_sheet(tmp_path / "s.html", outcomes) == 1
        assert write_sheet(tmp_path / "s.png", outcomes) == 1
    finally:
        store.rm("/sheet-test", recursive=True)
    page = Page(tmp_path / "s.html")
    assert page.links == ["memory://sheet-test/out/a%20b%23_s0.png"]
    assert page.texts["li"] == ["Not shown: a b.png: gone.png: there is no such file"]


def test_photos_without_a_row_are_named(album: Path, tmp_path: Path) -> None:
    (album / "b.png").write_bytes(b"no picture")
    outcomes = [
        *colored([album / "a.jpg", album / "b.png"]),
        PhotoOutcome(path=album / "bad\n<i>.jpg", status="failed", reason="the file is cut off"),
    ]
    assert write_sheet(tmp_path / "s.html", outcomes) == 1
    failed, unreadable = Page(tmp_path / "s.html").texts["li"]
    assert failed == "Not shown: bad\\n<i>.jpg: the file is cut off"
    assert unreadable.startswith("Not shown: b.png: b.png: ")
    assert write_sheet(tmp_path / "s.png", outcomes) == 1
    assert write_sheet(tmp_path / "alone.png", outcomes[:1]) == 1
    pages = [read_photo(tmp_path / name).pixels for name in ("s.png", "alone.png")]
    below = pages[0][pages[1].shape[0] :]
    lines = (below[:, :900].min(axis=(1, 2)) < 50).astype(int)
    assert (np.diff(lines) == 1).sum() >= 2  # of text


@pytest.mark.parametrize("name", ["s.png", "s.html"])
def test_without_a_coloring_there_is_no_sheet(album: Path, tmp_path: Path, name: str) -> None:
    failed = PhotoOutcome(path=album / "a.jpg", status="failed", reason="no")
    (album / "b.png").unlink()
    for outcomes in ([], [failed], [failed, *colored([album / "b.png"])]):
        assert write_sheet(tmp_path / name, outcomes) == 0
    assert not (tmp_path / name).exists()


def test_a_full_sheet_says_how_many_photos_it_leaves_out(
    save_photo: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = colored([save_photo(tmp_path / f"{number}.png", number) for number in range(5)])
    assert write_sheet(tmp_path / "all.html", outcomes) == 5
    assert "li" not in Page(tmp_path / "all.html").texts
    monkeypatch.setattr(sheet, "MOST_BYTES", (tmp_path / "all.html").stat().st_size * 3 // 5)
    monkeypatch.setattr(sheet, "MOST_HEIGHT", 800)
    (tmp_path / "0.png").unlink()
    shown = write_sheet(tmp_path / "s.html", outcomes)
    assert 1 <= shown < 4
    full, gone = Page(tmp_path / "s.html").texts["li"]
    assert full == f"The sheet is full: {4 - shown} of 5 photos are not on it."
    assert gone.startswith("Not shown: 0.png")
    assert write_sheet(tmp_path / "s.png", outcomes) == 2
    monkeypatch.setattr(sheet, "MOST_HEIGHT", 1)
    assert write_sheet(tmp_path / "s.png", outcomes) == 1  # at least one


def test_a_picture_and_a_page_are_made_at_once(
    save_photo: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each picture is read once; the page goes on where the picture is full."""
    outcomes = colored([save_photo(tmp_path / f"{number}.png", number) for number in range(4)])
    read = []

    def counted(path: Path, *, max_pixels: int, isolated: bool) -> Photo:
        read.append((path.name, max_pixels))
        return read_photo(path, max_pixels=max_pixels, isolated=isolated)

    monkeypatch.setattr(sheet, "MOST_HEIGHT", 800)
    assert write_sheet(tmp_path / "alone.png", outcomes) == 2
    assert write_sheet(tmp_path / "alone.html", outcomes) == 4
    monkeypatch.setattr(sheet, "read_photo", counted)
    page = tmp_path / "s.html"
    assert write_sheet(tmp_path / "s.png", outcomes, page=page, max_pixels=64 * 48) == 2
    assert page.read_bytes() == (tmp_path / "alone.html").read_bytes()
    assert (tmp_path / "s.png").read_bytes() == (tmp_path / "alone.png").read_bytes()
    pictures = [one.path.name for outcome in outcomes for one in (outcome, *outcome.colorings)]
    assert read == [(name, 64 * 48) for name in pictures]


def test_a_photo_above_the_limit_is_named(save_photo: Save, tmp_path: Path) -> None:
    outcomes = colored([save_photo(tmp_path / "a.png")])
    assert write_sheet(tmp_path / "s.html", outcomes, max_pixels=64 * 48 - 1) == 0


def test_what_one_row_and_the_notes_hold_is_bounded(save_photo: Save, tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "a.png")
    failed = [
        PhotoOutcome(path=tmp_path / f"{n}.png", status="failed", reason="no") for n in range(50)
    ]
    outcomes = [*colored([photo], n=sheet.MOST_COLORINGS + 2), *failed]
    assert write_sheet(tmp_path / "s.html", outcomes) == 1
    page = Page(tmp_path / "s.html")
    assert page.texts["h2"] == ["a.png (64 of 66 colorings)"]
    assert len(page.links) == 64
    assert len(page.texts["li"]) == sheet.MOST_NAMED + 1
    assert page.texts["li"][-1] == "Not shown: 10 more, which a report names"


@pytest.mark.slow
def test_the_fullest_picture_is_one_that_webp_holds(save_photo: Save, tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "a.png")
    failed = PhotoOutcome(path=tmp_path / ("\udce9" * 200), status="failed", reason="no " * 90)
    outcomes = [*colored([photo] * 50), *[failed] * 50]
    shown = write_sheet(tmp_path / "s.webp", outcomes)
    assert shown == sheet.MOST_HEIGHT // (26 + 300 + 26)
    assert 12_000 < read_photo(tmp_path / "s.webp").height < 16_383


@pytest.mark.parametrize("fonts", [picture_sheet._FONTS, ()], ids=["of the machine", "Pillow's"])
def test_a_picture_writes_any_name(fonts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_sheet, "_FONTS", fonts)
    picture_sheet._font.cache_clear()
    picture_sheet._has.cache_clear()
    try:
        name = "ab" * 120 + "\U000f1234.jpg"
        lines = list(picture_sheet._wrapped(name, 900))
        assert "".join(lines) == name.replace("\U000f1234", "\\U000f1234")
        assert len(lines) > 2
        sentence = "the picture is damaged, incomplete, or of a kind that is not read, " * 4
        whole = list(picture_sheet._wrapped(sentence, 900))
        assert " ".join(whole) == sentence, "no word is broken"
        assert 2 <= len(whole) <= 6
        for line in (*lines, *whole):
            assert picture_sheet._font().getlength(line) <= 900
    finally:
        picture_sheet._font.cache_clear()
        picture_sheet._has.cache_clear()
