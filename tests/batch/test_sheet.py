"""The contact sheet."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from PIL import Image

from benchmarks.page_pictures import chromium
from colorflow.batch import (
    ColoredFile,
    PhotoOutcome,
    Settings,
    make_plan,
    sheet,
    write_sheet,
)
from colorflow.batch.sheet import ContactSheet, SheetPicture, caption_of
from colorflow.colorizer import Colorizer
from colorflow.photo import RESTORED, Photo, read_photo
from tests.batch.results import Save
from tests.in_process import run_in_process

ODD = os.fsdecode(b"caf\xe9\n <b>&\"' 50% #1?a:b \xc3\xbc \xe5\x86\x99.png")


class Page(HTMLParser):
    """What a reader of a page meets: titles, pictures' texts, links, and the other texts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.alts: list[str] = []
        self.links: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.pictures: list[np.ndarray] = []
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
            content = base64.b64decode(values["src"].partition(",")[2])
            self.pictures.append(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))
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
    ("label", "share", "repaired", "want"),
    [
        ("a", 1.0, None, "A: average of all"), ("b", 0.40625, None, "B: 41 %"),
        ("c", None, None, "C"), ("s12", None, None, "Seed 12"), ("x2_s12", None, None, "Seed 12"),
        ("x2_mean", None, None, "Mean"), ("repaired", None, 0.0, "No damage found"),
        ("repaired", None, 0.012, "1.2 % repaired"),
        ("a", 1.0, 0.012, "A: average of all, 1.2 % repaired"),
        ("x2_mean", None, 0.00001, "Mean, under 0.01 % repaired"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("number", "first"), [(None, ""), (2, "Print 2, ")])
def test_a_caption_says_what_a_result_is(
    label: str,
    share: float | None,
    repaired: float | None,
    want: str,
    number: int | None,
    first: str,
) -> None:
    own = {"share": share, "repaired": repaired, "print_number": number}
    made = ColoredFile(path=Path("x.png"), label=label, seed=12, **own)  # type: ignore[arg-type]
    assert caption_of(made) == first + want


def test_a_row_shows_a_photo_in_gray_and_its_colorings(
    album: Path, tmp_path: Path, colorizer: Colorizer
) -> None:
    outcomes = list(run_in_process(make_plan([album], tmp_path / "out", Settings(n=2)), colorizer))
    assert write_sheet(tmp_path / "s.html", outcomes) == 2
    page = Page(tmp_path / "s.html")
    assert page.texts["h2"] == [str(one.path) for one in outcomes], "names with folders"
    spread = [np.ptp(one.astype(int), axis=-1).mean() for one in page.pictures]
    assert [one > 3 for one in spread] == [False, True, True] * 2
    assert [one.shape[1::-1] for one in page.pictures] == page.sizes


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on this machine")
@pytest.mark.parametrize("size", [(450, 300), (300, 450), (900, 300)])
def test_four_colorings_stand_beside_the_photo(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    shown = SheetPicture(np.zeros((height, width, 3), np.uint8), "A", tmp_path / "a.png")
    contact = ContactSheet(tmp_path / "s.html")
    for count in (5, 7, 2, 1):
        contact.add("photo.png", [shown] * count)
    contact.write()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto((tmp_path / "s.html").as_uri())
        rows = [
            [figure.bounding_box() for figure in row.locator("figure").all()]
            for row in page.locator(".row").all()
        ]
    lines = [list(Counter(box["y"] for box in row if box).values()) for row in rows]
    assert lines == [[5], [5, 2], [2], [1]]
    (alone,) = rows[3]
    assert alone
    assert alone["width"] == width, "what has room is not made smaller"


@pytest.mark.parametrize(
    ("size", "want"), [((60, 40), (450, 300)), ((20, 30), (300, 450)), ((1, 2000), (1, 900))]
)
def test_pictures_have_300_pixels_a_side_unless_they_are_very_long(
    tmp_path: Path, size: tuple[int, int], want: tuple[int, int]
) -> None:
    Image.new("L", size, 90).save(tmp_path / "a.png")
    assert write_sheet(tmp_path / "s.html", colored([tmp_path / "a.png"])) == 1
    assert set(Page(tmp_path / "s.html").sizes) == {want}


@pytest.mark.parametrize(
    ("corners", "want"),
    [
        ((8, 4, 48, 4, 48, 44, 8, 44), [(400, 300), (600, 300)]),
        (None, [(800, 300)]), ((8, 4, 8, 44, 48, 44, 48, 4), [(800, 300)]),
        ((8, 4, 9e5, 4, 9e5, 44, 8, 44), [(800, 300)]),
    ],
)  # fmt: skip
def test_a_print_stands_beside_what_it_was_in_its_scan(
    save_photo: Save, tmp_path: Path, corners: tuple[float, ...] | None, want: list[tuple[int, int]]
) -> None:
    """The scan comes first if a print was cut out; a frame that somebody edited is none."""
    photo = save_photo(tmp_path / "a.png")
    (outcome,) = colored([photo])
    one = ColoredFile(path=photo, label="restored", seed=0, frame=corners, marks="8x8:edited")
    assert write_sheet(tmp_path / "s.html", [replace(outcome, colorings=(one,))], RESTORED) == 1
    page = Page(tmp_path / "s.html")
    assert page.sizes == want
    assert page.texts["figcaption"][-1] == "a.png"


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
    shown = "in/caf\\udce9\\n <b>&\"' 50% #1?a:b ü 写.png"
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


def test_photos_without_pictures_are_there_with_the_reason(album: Path, tmp_path: Path) -> None:
    (album / "b.png").write_bytes(b"no picture")
    bad = album / "bad\n<i>.jpg"
    outcomes = [
        PhotoOutcome(path=bad, status="failed", reason="the file is cut off"),
        *colored([album / "a.jpg", album / "b.png"]),
    ]
    assert write_sheet(tmp_path / "s.html", outcomes) == 1
    page = Page(tmp_path / "s.html")
    assert page.texts["h2"] == [
        f"{album}/bad\\n<i>.jpg",
        str(album / "a.jpg"),
        str(album / "b.png"),
    ]
    failed, unreadable = page.texts["p"]
    assert failed == "the file is cut off"
    assert unreadable.startswith("b.png: ")
    assert len(page.links) == 2, "results are linked also where a picture cannot be read"


def test_a_full_sheet_goes_on_with_links_and_reads_nothing(
    save_photo: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = colored([save_photo(tmp_path / f"{number}.png", number) for number in range(5)])
    assert write_sheet(tmp_path / "all.html", outcomes) == 5
    read = []

    def counted(path: Path, **options: Any) -> Photo:
        read.append(path.name)
        return read_photo(path, **options)

    monkeypatch.setattr(sheet, "MOST_BYTES", (tmp_path / "all.html").stat().st_size // 2)
    monkeypatch.setattr(sheet, "read_photo", counted)
    assert write_sheet(tmp_path / "s.html", outcomes) == 2
    page = Page(tmp_path / "s.html")
    assert (len(page.texts["h2"]), len(page.links), len(page.pictures)) == (5, 5, 4)
    assert page.texts["figcaption"][-1] == "Seed 0"
    assert set(read) == {"0.png", "1.png", "2.png"}
    monkeypatch.setattr(sheet, "MOST_BYTES", 1)
    assert write_sheet(tmp_path / "one.html", outcomes) == 1, "at least one has pictures"
