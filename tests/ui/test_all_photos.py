"""Several photos that are colored by one button and kept in one zip, without a server."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote
from zipfile import ZipFile

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorflow.ui.album import MOST_PHOTOS, AlbumSession
from colorflow.ui.colorings import ColoredPhoto
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.colorize_layout import strip_html
from colorflow.ui.controls import SAMPLES, SUMMARY
from colorflow.ui.limits import UploadSpace
from colorflow.ui.panes import OWN_FORMAT, one_at_a_time
from colorflow.ui.session import Session
from colorflow.ui.status import Updates
from colorflow.ui.storage import FULL, DiskQuota
from tests.batch.raw_zip import File, deflated, write_raw, zeros
from tests.ui.fake_colorizer import AB, FakeColorizer
from tests.ui.handling import (
    click,
    colorize,
    drop,
    everything,
    is_problem,
    look,
    new,
    opened,
    text,
    value,
)


def photo_file(form: str, size: tuple[int, int] = (40, 30)) -> bytes:
    file = BytesIO()
    Image.fromarray(data.camera()[100:400, 100:400]).resize(size).save(file, form)
    return file.getvalue()


def colored_file() -> bytes:
    file = BytesIO()
    Image.fromarray(data.astronaut()).resize((40, 30)).save(file, "PNG")
    return file.getvalue()


PHOTO = photo_file("PNG")
ALBUM = {
    "a.jpg": photo_file("JPEG"),
    "1931/b.png": photo_file("PNG", (60, 20)),
    "1931/bad.jpg": photo_file("JPEG")[:300],
    "1931/inner/c.tif": photo_file("TIFF"),
    "painted.png": colored_file(),
    "letter.txt": b"Dear Ada",
}


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """Two photos of one name, and a JPEG."""
    paths = [tmp_path / name for name in ("a.png", "other/a.png", "b.jpg")]
    for number, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (30, 20), 100 + 20 * number).save(path)
    return paths


@pytest.fixture
def session(tab: ColorizeTab, three: list[Path]) -> Session[ColoredPhoto]:
    return opened(tab, *three)


def begun(
    tab: ColorizeTab, session: Session[ColoredPhoto], *, n: int = 2, seed: int = 0, view: str = ""
) -> Iterator[Updates]:
    """A run that has said that it begins."""
    updates = tab.runs.begin(tab.all, session, n, 1.0, seed, view or SUMMARY)
    assert updates[tab.cancel_button]["visible"]
    run = tab.runs.work(tab.all, session)
    next(run)
    return run


def until(run: Iterator[Updates], tab: ColorizeTab, words: str) -> Updates:
    """All that is shown until the status begins with these words."""
    shown = []
    while not shown or not text(shown[-1], tab.status).startswith(words):
        shown.append(next(run))
    return everything(iter(shown))


def ticks(updates: Updates, tab: ColorizeTab) -> list[bool]:
    return ["✓" in one for one in value(updates, tab.strip).split("</button>")[:-1]]


def counts(session: Session[ColoredPhoto]) -> list[int]:
    return [len(one.colorings) for one in session.items]


def zipped(
    tab: ColorizeTab,
    session: Session[ColoredPhoto],
    format_: str = OWN_FORMAT,
    *,
    every: bool = False,
) -> Path:
    assert isinstance(session, AlbumSession)
    tab.runs.begin(tab.zip, session, format_, every)
    return Path(value(everything(tab.runs.work(tab.zip, session)), tab.zip_file))


def content_of(archive: Path) -> dict[str, bytes]:
    with ZipFile(archive) as content:
        assert content.testzip() is None
        return {name: content.read(name) for name in content.namelist()}


def packed(
    tab: ColorizeTab, session: Session[ColoredPhoto], *format_: str, every: bool = False
) -> set[str]:
    """Names of the pictures in the zip."""
    return set(content_of(zipped(tab, session, *format_, every=every))) - {"contact-sheet.html"}


def test_one_photo_needs_no_button(tab: ColorizeTab, three: list[Path]) -> None:
    updates = drop(tab, three[:1])
    assert not updates[tab.all_button]["visible"]
    updates = drop(tab, three)
    assert updates[tab.all_button]["visible"]
    assert value(updates, tab.all_button) == "Colorize all 3"
    assert not updates[tab.zip_button]["visible"]


def test_they_are_colored_one_after_the_other(
    tab: ColorizeTab, colorizer: FakeColorizer, session: Session[ColoredPhoto]
) -> None:
    run = begun(tab, session, n=2, seed=5)
    assert colorizer.calls == []
    shown = list(run)
    *said, last = dict.fromkeys(text(one, tab.status) for one in shown)
    assert said == [f"{done} of 3 photos are colored." for done in range(4)]
    ticked = dict.fromkeys(sum(ticks(one, tab)) for one in shown if tab.strip in one)
    assert list(ticked) == [1, 2, 3]
    assert colorizer.calls == [(2, 1.0, 5, False)] * 3
    assert last.startswith("3 photos colored in ")
    assert not shown[-1][tab.cancel_button]["visible"]
    assert counts(session) == [2, 2, 2]


def test_photos_with_colors_are_left_alone_until_they_are_ticked(
    tab: ColorizeTab, three: list[Path], tmp_path: Path
) -> None:
    painted = tmp_path / "<b>painted.png"
    Image.fromarray(data.astronaut()[::8, ::8]).save(painted)
    session = opened(tab, *three[:2], painted)
    shown = tab._album(session)
    assert value(shown, tab.all_button) == "Colorize all 2"
    ((name, ticked),) = shown[tab.with_colors]["choices"]
    assert (name, value(shown, tab.with_colors)) == (painted.name, [])
    everything(begun(tab, session))
    assert counts(session) == [2, 2, 0]

    updates = tab.treat_as_gray(session, [ticked])
    assert value(updates, tab.all_button) == "Colorize all 3"
    everything(begun(tab, session))
    assert counts(session) == [2, 2, 2]
    assert value(tab._album(session), tab.with_colors) == [ticked], "it stays ticked"
    assert "colored/<b>painted_a.png" in packed(tab, session)

    look(tab, session, 2)
    updates = tab.treat_as_gray(session, [])
    assert value(updates, tab.button) == "Treat as gray"
    assert "already has colors" in text(updates, tab.about)
    assert "colored/<b>painted_a.png" not in packed(tab, session)
    colorize(tab, session)  # the button has the same effect as the tick
    assert value(tab._album(session), tab.with_colors) == [ticked]


def test_the_photo_that_is_looked_at_is_shown(
    tab: ColorizeTab, session: Session[ColoredPhoto]
) -> None:
    run = begun(tab, session)
    assert value(look(tab, session, 2), tab.gallery) is None
    assert tab.gallery not in until(run, tab, "2 of 3")
    third = until(run, tab, "3 of 3")
    assert len(value(third, tab.gallery)) == 2
    assert third[tab.result.column]["visible"]
    next(run)  # what was shown has been sent
    assert value(tab.result.download.prepare(session), tab.result.download.file).endswith(
        "/b_a.jpg"
    )
    assert len(value(look(tab, session, 0), tab.gallery)) == 2


def test_looking_waits_until_what_was_shown_has_been_sent(
    tab: ColorizeTab, session: Session[ColoredPhoto]
) -> None:
    run = begun(tab, session)
    next(run)  # sent when Gradio asks for the next one
    look_at = one_at_a_time(tab.look_at, "showing")(session, SimpleNamespace(index=1))
    looking = threading.Thread(target=list, args=(look_at,), daemon=True)
    looking.start()
    looking.join(0.2)
    assert session.current is session.items[0]
    everything(run)
    looking.join(10)
    assert session.current is session.items[1]


def test_cancel_keeps_what_is_done_and_the_next_run_goes_on(
    tab: ColorizeTab, colorizer: FakeColorizer, session: Session[ColoredPhoto]
) -> None:
    run = begun(tab, session)
    until(run, tab, "1 of 3")
    tab.runs.cancel(session)
    rest = everything(run)
    assert text(rest, tab.status) == "Cancelled; 1 of 3 photos are colored."
    assert not rest[tab.cancel_button]["visible"]
    assert counts(session) == [2, 0, 0]
    kept = session.items[0].colorings
    assert not tab._album(session)[tab.zip_button]["visible"], "one has its own download"
    rest = everything(begun(tab, session))
    assert text(rest, tab.status).startswith("2 photos colored in ")
    assert session.items[0].colorings is kept
    assert len(colorizer.calls) == 3
    updates = tab.runs.begin(tab.all, session, 2, 1.0, 0, SUMMARY)
    assert text(updates, tab.status) == "All of them have these colorings already."
    everything(begun(tab, session, seed=9))
    assert [one.require_chosen().seed for one in session.items] == [9, 9, 9]


def test_cancel_in_the_middle_of_a_photo(tab: ColorizeTab, session: Session[ColoredPhoto]) -> None:
    colorize = tab._colorizer.colorize

    def cancelling(*arguments: Any, **options: Any) -> Any:
        tab.runs.cancel(session)
        return colorize(*arguments, **options)

    tab._colorizer.colorize = cancelling  # type: ignore[method-assign]
    rest = everything(begun(tab, session, view=SAMPLES))
    assert text(rest, tab.status) == "Cancelled; 0 of 3 photos are colored."
    assert counts(session) == [0, 0, 0]
    assert session.items[0].options is None


def test_cancel_before_its_turn(tab: ColorizeTab, session: Session[ColoredPhoto]) -> None:
    tab.runs.begin(tab.all, session, 2, 1.0, 0, SUMMARY)
    updates = tab.runs.cancel(session)
    assert text(updates, tab.status) == "Cancelled; nothing was made."
    assert not updates[tab.cancel_button]["visible"]
    assert everything(tab.runs.work(tab.all, session))[tab.status] == gr.skip()
    assert counts(session) == [0, 0, 0]


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_other_work_ends_it(tab: ColorizeTab, session: Session[ColoredPhoto], state: str) -> None:
    tab.runs.begin(tab.all, session, 2, 1.0, 0, SUMMARY)
    run = tab.runs.work(tab.all, session)
    job = session.job
    assert job
    if state == "running":
        next(run)
        next(run)
    job.end = "replaced"  # as the start of another does
    assert everything(run)[tab.status] == gr.skip()
    colorize(tab, session, n=1)
    assert counts(session) == [1, 0, 0]


def test_a_photo_that_fails_is_named_and_the_others_go_on(
    tab: ColorizeTab, session: Session[ColoredPhoto]
) -> None:
    session.items[1].photo.path.unlink()
    run = begun(tab, session)
    everything(run)
    rest = everything(begun(tab, session, seed=1))
    assert ticks(rest, tab) == [True, False, True]
    said = text(rest, tab.status)
    assert said.startswith("2 photos colored in ")
    assert "a.png: there is no such file" in said
    assert is_problem(rest, tab.status)


# the zip


@pytest.fixture
def album(tmp_path: Path) -> Path:
    path = tmp_path / "Ada's album.zip"
    with ZipFile(path, "w") as archive:
        for name, content in ALBUM.items():
            archive.writestr(name, content)
    return path


def test_from_zip_to_zip(tab: ColorizeTab, album: Path) -> None:
    updates = drop(tab, [album])
    session = updates[tab.session]
    bad, left_out, _ = lines(updates, tab)
    assert bad.startswith("bad: Ada's album/1931/bad.jpg: the picture is damaged")
    assert left_out == ("good: 1 file was left out, not named like photos: Ada's album/letter.txt.")
    assert [one.name for one in session.items] == [
        f"Ada's album/{name}" for name in ("1931/b.png", "1931/inner/c.tif", "a.jpg", "painted.png")
    ]
    everything(begun(tab, session))
    look(tab, session, 2)
    click(tab, session, 1)
    archive = zipped(tab, session)
    assert archive.name == "Ada's album-colored.zip"
    made = content_of(archive)
    assert set(made) == {
        "contact-sheet.html", "colored/Ada's album/1931/b_a.png",
        "colored/Ada's album/1931/inner/c_a.png", "colored/Ada's album/a_b.jpg",
    }  # fmt: skip
    for name, size, seed in (("a_b.jpg", (40, 30), 1), ("1931/b_a.png", (60, 20), 0)):
        image = Image.open(BytesIO(made[f"colored/Ada's album/{name}"]))
        assert image.size == size
        lab = color.rgb2lab(np.asarray(image))
        middle = lab[(lab[..., 0] > 30) & (lab[..., 0] < 70)]
        assert np.abs(middle[:, 1:].mean(axis=0) - AB[seed]).max() < 5
    sheet = made["contact-sheet.html"].decode()
    links = {unquote(html.unescape(one)) for one in re.findall('href="([^"]*)"', sheet)}
    assert links == set(made) - {"contact-sheet.html"}
    for said in (
        "painted.png</h2>\n<p>left as it is",
        "bad.jpg</h2>\n<p>the picture",
        "letter.txt",
    ):
        assert said in sheet
    assert str(session.folder.parent) not in sheet
    assert [one.name for one in archive.parent.iterdir()] == [archive.name]
    zipped(tab, session)
    assert not archive.exists()


def test_the_zip_may_have_all_colorings_in_another_format(
    tab: ColorizeTab, session: Session[ColoredPhoto]
) -> None:
    everything(begun(tab, session))
    assert packed(tab, session, "PNG", every=True) == {
        "colored/a_a.png", "colored/a_b.png", "colored/a_a (2).png", "colored/a_b (2).png",
        "colored/b_a.png", "colored/b_b.png",
    }  # fmt: skip


def test_a_photo_that_has_gone_is_named_in_the_sheet(
    tab: ColorizeTab, session: Session[ColoredPhoto]
) -> None:
    everything(begun(tab, session))
    session.items[1].photo.path.unlink()
    archive = zipped(tab, session)
    assert set(content_of(archive)) == {"colored/a_a.png", "colored/b_a.jpg", "contact-sheet.html"}
    assert "there is no such file" in content_of(archive)["contact-sheet.html"].decode()


def test_what_hinders_the_zip_is_told(
    tab: ColorizeTab, session: Session[ColoredPhoto], tmp_path: Path
) -> None:
    updates = tab.runs.begin(tab.zip, session, OWN_FORMAT, False)
    assert "color the photos first" in text(updates, tab.status)
    everything(begun(tab, session))
    zipped(tab, session)  # the files themselves are there
    session.budget.disk = DiskQuota(tmp_path, max_bytes=1)
    tab.runs.begin(tab.zip, session, OWN_FORMAT, False)
    updates = everything(tab.runs.work(tab.zip, session))
    assert text(updates, tab.status) == FULL
    assert tab.zip_file not in updates


def test_cancel_makes_no_zip(tab: ColorizeTab, session: Session[ColoredPhoto]) -> None:
    everything(begun(tab, session))
    tab.runs.begin(tab.zip, session, OWN_FORMAT, False)
    run = tab.runs.work(tab.zip, session)
    next(run)
    assert text(next(run), tab.status) == "1 of 3 photos are written."
    tab.runs.cancel(session)
    rest = everything(run)
    assert text(rest, tab.status) == "Cancelled; no zip was made."
    assert tab.zip_file not in rest
    assert not list(session.folder.glob("zip-*"))


# what comes in


def lines(updates: Updates, tab: ColorizeTab) -> list[str]:
    """What is said about the uploads, and how it looks."""
    said = re.findall('<p class="(bad|good)">(.*?)</p>', value(updates, tab.about))
    return [f"{how}: {html.unescape(what)}" for how, what in said]


@pytest.mark.parametrize("crc", [None, 1])
def test_texts_in_a_zip_are_left_out_and_no_problem(
    tab: ColorizeTab, tmp_path: Path, crc: int | None
) -> None:
    """Nor are they if they are damaged; a zip without any photo is."""
    texts = [deflated(f"{n}.txt", b"Dear Ada", **({"crc": crc} if crc else {})) for n in range(7)]
    album = write_raw(tmp_path / "album.zip", [*texts, deflated("a.png", PHOTO)])
    named = ", ".join(f"album/{n}.txt" for n in range(5))
    assert lines(updates := drop(tab, [album]), tab) == [
        f"good: 7 files were left out, not named like photos: {named} and 2 more.",
        "good: A gray photo. 40 × 30 pixels.",
    ]
    none = write_raw(tmp_path / "none.zip", texts[:1])
    assert lines(drop(tab, [none], updates[tab.session]), tab) == [
        "bad: none.zip: it holds no photos.",
        "good: 1 file was left out, not named like photos: none/0.txt.",
    ]


def test_a_file_damaged_in_its_zip_and_another_archive_are_named(
    tab: ColorizeTab, tmp_path: Path
) -> None:
    files = [deflated("1931/a.png", PHOTO), deflated("1931/b.png", PHOTO, crc=1)]
    rar, no_zip = tmp_path / "b.rar", tmp_path / "c.zip"
    rar.write_bytes(b"Rar!\x1a\x07")
    no_zip.write_bytes(b"no zip")
    paths = [write_raw(tmp_path / "album.zip", files), rar, no_zip]
    said = text(updates := drop(tab, paths), tab.about)
    for one in (
        "album/1931/b.png: it is damaged in the archive",
        "b.rar: it is an archive (rar); make a zip of it.",
        "c.zip: is no zip archive, or damaged",
        "A gray photo.",
    ):
        assert one in said
    assert said.count("c.zip") == 1
    session = updates[tab.session]
    drop(tab, paths[1:], session)
    assert session.items == []
    assert not [one for one in session.folder.rglob("*") if one.is_file()]


def test_a_hidden_file_is_taken_if_it_was_chosen_itself(tab: ColorizeTab, tmp_path: Path) -> None:
    """Not one that is among others in a zip."""
    (tmp_path / ".hid.png").write_bytes(PHOTO)
    packed = write_raw(tmp_path / "album.zip", [deflated("b/.hid.png", PHOTO)])
    updates = drop(tab, [tmp_path / ".hid.png", packed])
    assert [one.name for one in updates[tab.session].items] == [".hid.png"]
    assert "album/b/.hid.png: it is hidden" in text(updates, tab.about)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([zeros("a.bmp", 16)], "more than 3 MB"),
        ([File(name="../a.jpg")], "outside"),
        ([File(name=f"{n}.jpg") for n in range(MOST_PHOTOS + 1)], "more than 200 files"),
    ],
)
def test_a_zip_that_does_harm_is_refused_and_leaves_nothing(
    colorizer: FakeColorizer, root: Path, tmp_path: Path, files: list[File], said: str
) -> None:
    with gr.Blocks(analytics_enabled=False):
        tab = ColorizeTab(colorizer, UploadSpace(root, 3))
    path = write_raw(tmp_path / "album.zip", [File(name="0.png", data=PHOTO), *files])
    updates = drop(tab, [path])
    assert is_problem(updates, tab.about)
    assert text(updates, tab.about).startswith("album.zip: ")
    assert said in text(updates, tab.about)
    assert not updates[tab.button]["interactive"]
    assert not [one for one in root.rglob("*") if one.is_file()]


def test_a_zip_needs_room(tab: ColorizeTab, album: Path, tmp_path: Path) -> None:
    session = new(tab.session)
    session.budget.disk = DiskQuota(tmp_path, max_bytes=2**20)
    assert FULL.rstrip(".") in text(drop(tab, [album], session), tab.about)
    assert session.items == []


def test_names_are_text_whatever_they_look_like(tab: ColorizeTab, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>&amp;.png"
    files = [File(name=name, data=b"x"), deflated(f"1931/{name}", PHOTO), deflated("b.png", PHOTO)]
    session = opened(tab, write_raw(tmp_path / "album.zip", files))
    everything(begun(tab, session))
    sheet = content_of(zipped(tab, session))["contact-sheet.html"].decode()
    for said in (tab._about(session), strip_html(session.items, None), sheet):
        assert "<img src=x" not in said
        assert "&lt;img src=x onerror=alert(1)&gt;&amp;amp;" in said


def test_a_visitor_who_leaves_ends_it_and_leaves_nothing(
    tab: ColorizeTab, root: Path, session: Session[ColoredPhoto]
) -> None:
    run = begun(tab, session)
    next(run)
    session.close()
    run.close()  # type: ignore[attr-defined]
    assert not any(root.iterdir())
