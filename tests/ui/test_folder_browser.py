"""Many photos as a visitor sees it, in Chromium, against a server process."""

from __future__ import annotations

import json
import threading
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from skimage import color, data

from tests.batch.raw_zip import File, write_raw, zeros
from tests.ui.fake_colorizer import AB, HELD_WIDTH, HOLD
from tests.ui.page_process import Page
from tests.ui.visitor import PATIENCE, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES = {"a.jpg": (120, 90), "1931/b.png": (60, 80), "1931/Übersee/c.tif": (100, 100)}


def gray_file(name: str, size: tuple[int, int]) -> bytes:
    file = BytesIO()
    picture = Image.fromarray(data.camera()[100:400, 100:400]).resize(size)
    picture.save(file, {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF"}[Path(name).suffix])
    return file.getvalue()


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


class Archivist(Visitor):
    """A visitor on the folder tab."""

    def __init__(self, browser: Browser, server: Page, width: int = 1280) -> None:
        super().__init__(browser, server, width)
        self.page.get_by_role("tab", name="Folder", exact=True).click()

    def take_in(self, *paths: Path) -> None:
        self.one("#folder-upload input[type=file]").set_input_files(list(paths))

    def begin(self, *paths: Path) -> None:
        self.take_in(*paths)
        expect(self.one("#folder-go")).to_be_enabled(timeout=PATIENCE)
        self.one("#folder-go").click()

    def result(self, folder: Path) -> dict[str, bytes]:
        """What the zip has in it that is offered."""
        expect(self.one("#folder-download")).to_be_visible(timeout=PATIENCE)
        with self.page.expect_download() as download:
            self.one("#folder-download").click()
        assert download.value.suggested_filename.endswith("-colored.zip")
        path = folder / "saved.zip"
        download.value.save_as(path)
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}

    def leave(self) -> None:
        assert self.faults == []
        assert {urlsplit(url).hostname for url in self.requests} <= {"127.0.0.1", None}
        assert "Traceback" not in self.page.content()
        self.context.close()


def test_a_tick_treats_a_photo_with_colors_as_gray(
    browser: Browser, server: Page, tmp_path: Path
) -> None:
    gray, painted = tmp_path / "a.jpg", tmp_path / "painted [1].png"
    gray.write_bytes(gray_file("a.jpg", SIZES["a.jpg"]))
    Image.fromarray(data.astronaut()[::8, ::8]).save(painted)
    visitor = Archivist(browser, server)
    visitor.begin(gray, painted)
    visitor.expect_text("#folder-status", "1 colored, 1 left as it is.")
    visitor.one("#folder-gray").get_by_label(painted.name).check()
    expect(visitor.one("#folder-go")).to_be_enabled(timeout=PATIENCE)
    visitor.one("#folder-go").click()
    visitor.expect_text("#folder-status", "1 colored, 1 colored before.")
    names = {name for name in visitor.result(tmp_path) if name.startswith("colored/")}
    assert names == {"colored/a_a.jpg", "colored/painted [1]_a.png"}
    visitor.leave()


@pytest.fixture
def hold(server: Page) -> Iterator[Path]:
    """A file; as long as it is there, the server does not finish photos of HELD_WIDTH."""
    path = server.temporary / HOLD
    path.touch()
    yield path
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("width", [1280, 390])
def test_from_zip_to_zip(browser: Browser, server: Page, tmp_path: Path, width: int) -> None:
    files = {name: gray_file(name, size) for name, size in SIZES.items()}
    files |= {"1931/bad.jpg": files["a.jpg"][:500], "__MACOSX/._a.jpg": b"litter"}
    archivist = Archivist(browser, server, width)
    archivist.take_in(zipped(tmp_path / "album.zip", files))
    archivist.expect_text("#folder-about", "4 photos.")
    assert archivist.width_of_content() == width
    archivist.one("#folder-n input[type=number]").fill("2")
    archivist.one("#folder-advanced > button").click()
    archivist.fill("#folder-seed input", 6)
    archivist.one("#folder-go").click()
    archivist.expect_text("#folder-status", "3 colored, 1 failed.")
    expect(archivist.one("#folder-cancel")).to_be_hidden()
    expect(archivist.one("#folder-table tbody tr")).to_have_count(4)
    expect(archivist.one("#folder-table tbody tr").first).to_contain_text(
        "1931/bad.jpgFailed: the picture is damaged, incomplete"
    )
    expect(archivist.one("#folder-sheet img")).to_have_attribute(
        "alt", "Contact sheet: each photo in gray beside its colorings", timeout=PATIENCE
    )
    archivist.page.wait_for_function(
        "document.querySelector('#folder-sheet img').naturalWidth > 300"
    )
    assert archivist.width_of_content() == width
    made = archivist.result(tmp_path)
    expected = {}
    for name, size in SIZES.items():
        suffix = ".jpg" if name.endswith(".jpg") else ".png"
        for letter, colors in (("a", 6), ("b", 7)):
            made_of = f"colored/{Path(name).with_suffix('')}_{letter}{suffix}"
            expected[made_of] = (size, colors)
    sheets = {"contact-sheet.jpg", "contact-sheet.html"}
    assert set(made) == {*expected, *sheets, "report.json", "report.html"}
    for name, (size, colors) in expected.items():
        picture = Image.open(BytesIO(made[name]))
        assert picture.size == size
        lab = color.rgb2lab(np.asarray(picture))
        middle = (lab[..., 0] > 40) & (lab[..., 0] < 60)
        assert np.abs(lab[middle][:, 1:].mean(axis=0) - AB[colors % len(AB)]).max() < 5
    report = json.loads(made["report.json"])
    (failed,) = [one["path"] for one in report["files"] if one["status"] == "failed"]
    assert failed == "1931/bad.jpg"
    assert "1931/bad.jpg" in made["report.html"].decode()
    archivist.leave()


def test_several_files_by_keyboard(browser: Browser, server: Page, tmp_path: Path) -> None:
    paths = []
    for name, size in SIZES.items():
        paths.append(tmp_path / Path(name).name)
        paths[-1].write_bytes(gray_file(name, size))
    archivist = Archivist(browser, server)
    archivist.take_in(*paths[:2])
    archivist.expect_text("#folder-about", "2 photos.")
    archivist.take_in(paths[2])
    archivist.expect_text("#folder-about", "3 photos.")
    archivist.one("#folder-upload button[aria-label*=Remove]").first.click()
    archivist.expect_text("#folder-about", "2 photos.")
    archivist.one("#folder-format input[value=jpg]").focus()
    archivist.page.keyboard.press("Space")
    archivist.one("#folder-go").focus()
    archivist.page.keyboard.press("Enter")
    archivist.expect_text("#folder-status", "2 colored.")
    made = archivist.result(tmp_path)
    assert {name for name in made if name.startswith("colored/")} == {
        "colored/b_a.jpg", "colored/c_a.jpg",
    }  # fmt: skip
    archivist.leave()


def test_a_bomb_is_refused_and_the_next_zip_works(
    browser: Browser, server: Page, tmp_path: Path
) -> None:
    archivist = Archivist(browser, server)
    bomb = write_raw(tmp_path / "bomb.zip", [zeros("a.bmp", 512)])
    assert bomb.stat().st_size < 0.6 * 2**20
    archivist.take_in(bomb)
    archivist.expect_text("#folder-about .bad", "bomb.zip: grows so much when it is unpacked")
    expect(archivist.one("#folder-go")).to_be_disabled()
    out = write_raw(tmp_path / "out.zip", [File(name="../../a.jpg", data=b"x")])
    archivist.one("#folder-upload button[aria-label=Clear]").click()
    archivist.expect_text("#folder-about .good", "up to 200 files and 200 MB together")
    archivist.take_in(out)
    archivist.expect_text("#folder-about .bad", "out.zip: names a path outside of it")
    archivist.one("#folder-upload button[aria-label=Clear]").click()
    archivist.expect_text("#folder-about .good", "up to 200 files and 200 MB together")
    archivist.begin(zipped(tmp_path / "good.zip", {"a.jpg": gray_file("a.jpg", (40, 30))}))
    archivist.expect_text("#folder-status", "1 colored.")
    archivist.leave()


def test_progress_and_a_cancel_that_keeps_what_is_finished(
    browser: Browser, server: Page, hold: Path, tmp_path: Path
) -> None:
    names = [f"{number}.png" for number in range(6)]
    files = {name: gray_file(name, (40, 30)) for name in names}
    files["2.png"] = gray_file("2.png", (HELD_WIDTH, 30))
    archivist = Archivist(browser, server)
    archivist.begin(zipped(tmp_path / "album.zip", files))
    archivist.expect_text("#folder-status", "2 of 6 done. Now 2.png.")
    expect(archivist.one("#folder-status progress")).to_have_attribute("value", "2")
    expect(archivist.one("#folder-table tbody tr")).to_have_count(2)
    expect(archivist.one("#folder-go")).to_be_disabled()
    archivist.one("#folder-cancel").click()
    expect(archivist.one("#folder-cancel")).to_be_disabled(timeout=PATIENCE)
    hold.unlink()
    archivist.expect_text("#folder-status", "3 colored, 3 not reached.")
    made = archivist.result(tmp_path)
    finished = {f"colored/{number}_a.png" for number in range(3)}
    assert {name for name in made if name.startswith("colored/")} == finished
    assert json.loads(made["report.json"])["not_reached"] == names[3:]
    archivist.one("#folder-go").click()
    archivist.expect_text("#folder-status", "3 colored, 3 colored before.")
    assert len([name for name in archivist.result(tmp_path) if name.startswith("colored/")]) == 6
    archivist.leave()


def test_two_visitors_one_after_the_other_each_with_their_own(
    browser: Browser, server: Page, hold: Path, tmp_path: Path
) -> None:
    first, second = Archivist(browser, server), Archivist(browser, server)
    files = {"mine.png": gray_file("mine.png", (HELD_WIDTH, 30))}
    first.begin(zipped(tmp_path / "album.zip", files))
    first.expect_text("#folder-status", "0 of 1 done. Now mine.png.")
    (tmp_path / "other").mkdir()
    files = {"theirs.png": gray_file("theirs.png", (40, 30))}
    second.begin(zipped(tmp_path / "other" / "album.zip", files))
    second.expect_text("#folder-status", "The photos of another visitor are being colored")
    second.one("#folder-cancel").click()
    second.expect_text("#folder-status", "Cancelled; nothing was colored.")
    second.one("#folder-go").click()
    second.expect_text("#folder-status", "The photos of another visitor are being colored")
    third = Visitor(browser, server)  # the other tabs go on meanwhile
    (tmp_path / "third.png").write_bytes(gray_file("third.png", (40, 30)))
    third.colorize(tmp_path / "third.png")
    third.context.close()
    expect(second.one("#folder-status")).to_contain_text("another visitor")
    hold.unlink()
    for archivist, name in ((first, "mine"), (second, "theirs")):
        archivist.expect_text("#folder-status", "1 colored.")
        made = archivist.result(tmp_path)
        assert [one for one in made if one.startswith("colored/")] == [f"colored/{name}_a.png"]
        archivist.leave()


def test_who_leaves_in_the_middle_makes_room_and_leaves_nothing(
    browser: Browser, server: Page, hold: Path, tmp_path: Path
) -> None:
    before = set(server.temporary.rglob("session-*"))
    leaving = Archivist(browser, server)
    files = {f"{number}.png": gray_file("a.png", (HELD_WIDTH, 30)) for number in range(3)}
    album = zipped(tmp_path / "album.zip", files)
    leaving.begin(album)
    leaving.expect_text("#folder-status", "0 of 3 done. Now 0.png.")
    (folder,) = set(server.temporary.rglob("session-*")) - before
    leaving.context.close()
    hold.unlink()
    staying = Archivist(browser, server)
    staying.begin(album)
    staying.expect_text("#folder-status", "3 colored.")
    staying.leave()
    deadline = time.monotonic() + PATIENCE / 1000
    while folder.exists() and time.monotonic() < deadline:
        threading.Event().wait(0.1)
    assert not folder.exists()
