"""The tab of many photos, without a server and with a Colorizer that needs no weights."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorflow.batch import PhotoOutcome
from colorflow.limits import LARGEST_SEED
from colorflow.photo import KINDS, Principal, read_provenance
from colorflow.ui import folder_job
from colorflow.ui.controls import SAMPLES, SUMMARY
from colorflow.ui.folder import MOST_PHOTOS, FolderTab
from colorflow.ui.folder_job import Album
from colorflow.ui.limits import MemoryBudget, UploadSpace
from colorflow.ui.session import Session
from colorflow.ui.status import Updates
from tests.batch.raw_zip import File, deflated, write_raw, zeros
from tests.ui.fake_colorizer import AB, FakeColorizer
from tests.ui.handling import is_problem, new, text, value

MEGABYTES = 3


@pytest.fixture
def folder(colorizer: FakeColorizer, root: Path) -> FolderTab:
    with gr.Blocks(analytics_enabled=False):
        return FolderTab(colorizer, UploadSpace(root, MEGABYTES))


def gray_file(form: str, size: tuple[int, int] = (40, 30)) -> bytes:
    file = BytesIO()
    Image.fromarray(data.camera()[100:400, 100:400]).resize(size).save(file, form)
    return file.getvalue()


def colored_file() -> bytes:
    file = BytesIO()
    Image.fromarray(data.astronaut()).resize((40, 30)).save(file, "PNG")
    return file.getvalue()


ALBUM = {
    "a.jpg": gray_file("JPEG"),
    "1931/b.png": gray_file("PNG", (60, 20)),
    "1931/bad.jpg": gray_file("JPEG")[:300],
    "1931/inner/c.tif": gray_file("TIFF"),
    "painted.png": colored_file(),
    "letter.txt": b"Dear Ada",
}


@pytest.fixture
def album(tmp_path: Path) -> Path:
    path = tmp_path / "Ada's album.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in ALBUM.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def loose(tmp_path: Path) -> Callable[..., str]:
    """Writes an upload, each in a folder of its own, as Gradio does."""

    def write(name: str, content: bytes) -> str:
        path = tmp_path / f"upload{len(list(tmp_path.iterdir()))}" / name
        path.parent.mkdir()
        path.write_bytes(content)
        return str(path)

    return write


def take_in(tab: FolderTab, *uploads: Path | str) -> Updates:
    """Upload files as a visitor who has just come."""
    return tab.take_in([str(one) for one in uploads], new(tab.session))


def taken(tab: FolderTab, *uploads: Path | str) -> Session[Album]:
    session: Session[Album] = take_in(tab, *uploads)[tab.session]
    return session


def begin(tab: FolderTab, session: Session[Album], **changes: Any) -> Updates:
    settings = {
        "n": 1,
        "view": SUMMARY,
        "temperature": 1.0,
        "seed": 0,
        "format": "auto",
        "treat_as_gray": [],
    }
    return tab.begin(session, **{**settings, **changes})


def color_all(tab: FolderTab, session: Session[Album], **changes: Any) -> list[Updates]:
    begin(tab, session, **changes)
    return list(tab.color(session))


def result(tab: FolderTab, updates: Updates) -> dict[str, bytes]:
    """What the zip has in it."""
    with zipfile.ZipFile(value(updates, tab.download)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def pictures(made: dict[str, bytes]) -> set[str]:
    return {name for name in made if name.startswith("colored/")}


def mean_ab(content: bytes) -> np.ndarray:
    lab = color.rgb2lab(np.asarray(Image.open(BytesIO(content))))
    return lab[(lab[..., 0] > 30) & (lab[..., 0] < 70)][:, 1:].mean(axis=0)


def test_from_zip_to_zip(folder: FolderTab, album: Path, tmp_path: Path) -> None:
    updates = take_in(folder, album)
    said = f"5 photos. Left out: letter.txt. Photos are {KINDS} files."
    assert text(updates, folder.about) == said
    assert updates[folder.button]["interactive"]
    session = updates[folder.session]
    waiting = begin(folder, session, n=2, seed=3)
    assert not waiting[folder.button]["interactive"]
    assert waiting[folder.cancel]["visible"]
    steps = list(folder.color(session))
    assert [text(step, folder.status) for step in steps] == [
        "0 of 5 done. Now a.jpg.",
        "1 of 5 done. Now painted.png.",
        "2 of 5 done. Now 1931/b.png.",
        "3 of 5 done. Now 1931/bad.jpg.",
        "4 of 5 done. Now 1931/inner/c.tif.",
        "5 of 5 done. Now the contact sheet and the zip.",
        "3 colored, 1 left as it is, 1 failed.",
    ]
    last = steps[-1]
    assert last[folder.button]["interactive"]
    assert not last[folder.cancel]["visible"]
    assert Path(value(last, folder.download)).name == "Ada's album-colored.zip"
    made = result(folder, last)
    assert set(made) == {
        "colored/a_a.jpg", "colored/a_b.jpg", "colored/1931/b_a.png",
        "colored/1931/b_b.png", "colored/1931/inner/c_a.png", "colored/1931/inner/c_b.png",
        "report.json", "report.html", "contact-sheet.jpg", "contact-sheet.html",
    }  # fmt: skip
    for name in pictures(made):
        letter = name.rpartition("_")[2].partition(".")[0]
        assert np.abs(mean_ab(made[name]) - AB[3 + "ab".index(letter)]).max() < 5
        (tmp_path / "one").write_bytes(made[name])
        provenance = read_provenance(tmp_path / "one")
        assert provenance is not None
        assert (provenance.seed, provenance.model) == (3, "fake")
        assert provenance.principal == Principal(letter, 2, 1.0)
    assert Image.open(BytesIO(made["colored/1931/b_a.png"])).size == (60, 20)
    sheet = Path(value(last, folder.sheet))
    assert sheet.read_bytes() == made["contact-sheet.jpg"]
    links = re.findall(r'<a href="([^"]+)">', made["contact-sheet.html"].decode())
    assert set(links) == set(pictures(made)), "of the archive"


def test_the_report_names_what_failed_and_no_folder_of_the_server(
    folder: FolderTab, album: Path, root: Path
) -> None:
    last = color_all(folder, taken(folder, album))[-1]
    made = result(folder, last)
    report = json.loads(made["report.json"])
    assert {one["path"]: one["status"] for one in report["files"]} == {
        "1931/b.png": "done",
        "1931/bad.jpg": "failed",
        "1931/inner/c.tif": "done",
        "a.jpg": "done",
        "painted.png": "already-colored",
    }
    assert [note["path"] for note in report["notes"]] == ["letter.txt"]
    table = made["report.html"].decode()
    assert '<a href="colored/1931/b_a.png">b_a.png</a>' in table
    for said in (table, value(last, folder.table)):
        assert said.index("1931/bad.jpg") < said.index("a.jpg</td>"), "failures stand first"
        assert "Failed: the picture is damaged, incomplete" in said
        assert "tick it below “Treat as gray”" in said
        assert "letter.txt</td><td>Left out: " in said
    for said in (table, value(last, folder.table), made["report.json"].decode()):
        assert "--" not in said, "an option of the command"
        assert str(root.parent) not in said


def test_the_contact_sheet_names_no_folder_of_the_server(
    folder: FolderTab, album: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[PhotoOutcome] = []

    limits = []

    def write_sheet(
        _: Path, outcomes: Iterable[PhotoOutcome], *, page: Path, max_pixels: int
    ) -> int:
        shown.extend(outcomes)
        limits.append((page.name, max_pixels))
        return 0

    monkeypatch.setattr(folder_job, "write_sheet", write_sheet)
    session = taken(folder, album)
    session.budget.pixels = 1_000_000
    color_all(folder, session)
    reasons = " ".join(outcome.reason or "" for outcome in shown)
    assert limits == [("contact-sheet.html", 1_000_000)]
    assert "tick it below “Treat as gray”" in reasons
    assert "--" not in reasons, "an option of the command"
    assert str(root.parent) not in reasons


def test_choices_are_used(folder: FolderTab, colorizer: FakeColorizer, album: Path) -> None:
    session = taken(folder, album)
    settings = {"view": SAMPLES, "temperature": 0.5, "seed": 7, "format": "jpg"}
    settings["treat_as_gray"] = ["painted.png"]
    last = color_all(folder, session, **settings)[-1]
    made = result(folder, last)
    assert pictures(made) == {
        "colored/a_s7.jpg", "colored/1931/b_s7.jpg", "colored/1931/inner/c_s7.jpg",
        "colored/painted_s7.jpg",
    }  # fmt: skip
    assert set(colorizer.calls) == {(1, 0.5, 7, True)}
    last = color_all(folder, session, format="png")[-1]
    assert {name[-4:] for name in pictures(result(folder, last))} == {".png"}


def test_photos_with_colors_are_left_alone_until_they_are_ticked(
    folder: FolderTab, colorizer: FakeColorizer, tmp_path: Path
) -> None:
    files = {"scan[1].png": colored_file(), "1931/scan[1].png": colored_file(), **ALBUM}
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    session = taken(folder, tmp_path / "album.zip")
    offered = color_all(folder, session)[-1][folder.with_colors]
    names = ["1931/scan[1].png", "painted.png", "scan[1].png"]
    assert sorted(value for _, value in offered["choices"]) == names
    assert (offered["value"], offered["visible"]) == ([], True)
    before = len(colorizer.calls)

    last = color_all(folder, session, treat_as_gray=["scan[1].png"])[-1]
    assert len(colorizer.calls) == before + 1, "the others are taken over"
    made = pictures(result(folder, last))
    assert "colored/scan[1]_a.png" in made
    assert not made & {"colored/1931/scan[1]_a.png", "colored/painted_a.png"}
    assert last[folder.with_colors]["value"] == ["scan[1].png"], "it stays ticked"

    last = color_all(folder, session)[-1]
    assert "colored/scan[1]_a.png" not in pictures(result(folder, last)), "no longer ticked"
    assert value(taken_anew := take_in(folder, tmp_path / "album.zip"), folder.status) == ""
    assert taken_anew[folder.with_colors]["visible"] is False


@pytest.mark.parametrize("seed", [None, -1, LARGEST_SEED + 1])
def test_a_seed_out_of_range_is_told(folder: FolderTab, album: Path, seed: int | None) -> None:
    updates = begin(folder, taken(folder, album), seed=seed)
    assert text(updates, folder.status) == "Seed: a whole number from 0 to 4294967295."


def test_files_of_one_name_and_several_zips(
    folder: FolderTab, album: Path, loose: Callable[..., str]
) -> None:
    gray = gray_file("PNG")
    uploads = [
        loose("a.png", gray),
        loose("a.png", gray),
        loose("A.tif", gray_file("TIFF")),
        loose("a (2).png", gray),
        str(album),
        str(write_raw(Path(loose("a.zip", b"")), [File(name="a.png", data=gray)])),
    ]
    last = color_all(folder, taken(folder, *uploads), format="png")[-1]
    made = pictures(result(folder, last))
    assert {name for name in made if "album" not in name} == {
        "colored/a_a.png", "colored/a (2)_a.png", "colored/A (3)_a.png",
        "colored/a (2) (2)_a.png", "colored/a (4)/a_a.png",
    }  # fmt: skip
    assert "colored/Ada's album/1931/b_a.png" in made
    assert len(made) == 8


def test_a_hidden_file_is_colored_if_it_was_chosen_itself(
    folder: FolderTab, tmp_path: Path
) -> None:
    """Not one that is among others in a zip."""
    (tmp_path / ".hid.jpg").write_bytes(ALBUM["a.jpg"])
    packed = write_raw(tmp_path / "album.zip", [deflated("b/.hid.jpg", ALBUM["a.jpg"])])
    updates = take_in(folder, tmp_path / ".hid.jpg", packed)
    assert text(updates, folder.about) == (
        f"1 photo. Left out: album/b/.hid.jpg. Photos are {KINDS} files."
    )
    last = color_all(folder, updates[folder.session])[-1]
    assert text(last, folder.status) == "1 colored."
    assert pictures(result(folder, last)) == {"colored/hid_a.jpg"}


def test_a_file_damaged_in_its_zip_is_named(folder: FolderTab, tmp_path: Path) -> None:
    gray = gray_file("PNG")
    path = write_raw(
        tmp_path / "album.zip",
        [deflated("1931/a.png", gray), deflated("1931/b.png", gray, crc=1)],
    )
    updates = take_in(folder, path)
    assert text(updates, folder.about) == "1 photo. Damaged: 1931/b.png."
    last = color_all(folder, updates[folder.session])[-1]
    assert text(last, folder.status) == "1 colored, 1 failed."
    report = json.loads(result(folder, last)["report.json"])
    assert report["files"][1]["path"] == "1931/b.png"
    assert "damaged in the archive" in report["files"][1]["reason"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([zeros("a.bmp", 16)], "more than 3 MB"),
        ([deflated("a.bmp", bytes(2 * 2**20))], "zip bomb"),
        ([File(name="../a.jpg")], "outside"),
        ([File(name="a.jpg", mode=0o120777)], "link"),
        ([File(name="a.jpg", data=b"PK\x03\x04")], "archive inside"),
        ([File(name=f"{n}.jpg") for n in range(MOST_PHOTOS + 1)], "more than 200 files"),
    ],
)
def test_a_zip_that_does_harm_is_refused_and_leaves_nothing(
    folder: FolderTab, root: Path, tmp_path: Path, files: list[File], said: str
) -> None:
    path = write_raw(tmp_path / "album.zip", [File(name="0.jpg", data=ALBUM["a.jpg"]), *files])
    updates = take_in(folder, path)
    assert is_problem(updates, folder.about)
    assert text(updates, folder.about).startswith("album.zip: ")
    assert said in text(updates, folder.about)
    assert not updates[folder.button]["interactive"]
    assert not [one for one in root.rglob("*") if one.is_file()]
    session = updates[folder.session]
    assert "no photos yet" in text(begin(folder, session), folder.status)
    assert list(folder.color(session)) == [{folder.status: gr.skip()}]
    assert folder.take_in([str(path)], session)[folder.session] is session


def test_limits_hold_for_all_uploads_together(folder: FolderTab, loose: Callable[..., str]) -> None:
    mebibyte = np.random.default_rng(0).bytes(2**20)
    files = [loose(f"{number}.jpg", mebibyte) for number in range(4)]
    assert text(take_in(folder, *files[:3]), folder.about) == "3 photos."
    updates = take_in(folder, *files)
    assert text(updates, folder.about) == "These are more than 3 MB together; take fewer."
    archives = [
        str(write_raw(Path(loose(f"{n}.zip", b"")), [File(name="a.jpg", data=mebibyte)]))
        for n in range(4)
    ]
    assert text(take_in(folder, *archives[:3]), folder.about) == "3 photos."
    assert is_problem(take_in(folder, *archives), folder.about)
    many = [loose(f"{number}.png", b"x") for number in range(MOST_PHOTOS + 1)]
    assert text(take_in(folder, *many[1:]), folder.about) == "200 photos."
    updates = take_in(folder, *many)
    assert text(updates, folder.about) == "These are more than 200 files; take fewer."


def test_other_archives_and_no_photos_are_told(
    folder: FolderTab, loose: Callable[..., str]
) -> None:
    updates = take_in(folder, loose("a.rar", b"Rar!\x1a\x07"), loose("b.txt", b"b"))
    said = f"0 photos. Left out: a.rar, b.txt. Photos are {KINDS} files."
    assert text(updates, folder.about) == said
    assert is_problem(updates, folder.about)
    assert not updates[folder.button]["interactive"]
    updates = take_in(folder, loose("a.jpg", ALBUM["a.jpg"]), loose("b.7z", b"7z"))
    last = color_all(folder, updates[folder.session])[-1]
    assert "b.7z</td><td>Left out: it is an archive (7z); make a zip of it" in last[folder.table]
    updates = folder.take_in([loose("a.zip", b"no zip")], updates[folder.session])
    assert text(updates, folder.about).startswith("a.zip: is no zip archive, or damaged")


def test_cancel_keeps_what_is_finished_and_the_same_click_goes_on(
    folder: FolderTab, colorizer: FakeColorizer, album: Path
) -> None:
    session = taken(folder, album)
    begin(folder, session)
    steps = folder.color(session)
    for _ in range(2):
        next(steps)
    updates = folder.stop(session)
    assert not updates[folder.cancel]["interactive"]
    last = list(steps)[-1]
    assert text(last, folder.status) == "1 colored, 4 not reached."
    first = result(folder, last)
    assert pictures(first) == {"colored/a_a.jpg"}
    assert len(json.loads(first["report.json"])["not_reached"]) == 4
    assert "painted.png</td><td>Not reached" in last[folder.table]
    calls = len(colorizer.calls)
    last = color_all(folder, session)[-1]
    assert text(last, folder.status) == ("2 colored, 1 colored before, 1 left as it is, 1 failed.")
    assert len(colorizer.calls) == calls + 2
    both = result(folder, last)
    assert len(pictures(both)) == 3
    assert both["colored/a_a.jpg"] == first["colored/a_a.jpg"]
    last = color_all(folder, session, seed=1)[-1]
    assert text(last, folder.status).startswith("3 colored, 1 left")


def test_cancel_before_the_first_photo(folder: FolderTab, album: Path) -> None:
    session = taken(folder, album)
    begin(folder, session)
    updates = folder.stop(session)
    assert text(updates, folder.status) == "Cancelled; nothing was colored."
    assert updates[folder.button]["interactive"]
    assert list(folder.color(session)) == [{folder.status: gr.skip()}]
    assert not folder.stop(session)[folder.cancel]["visible"]
    assert not folder.stop(new(folder.session))[folder.cancel]["visible"]
    assert text(color_all(folder, session)[-1], folder.status).startswith("3 colored")


def test_who_comes_second_is_told_to_wait(folder: FolderTab, album: Path) -> None:
    first, second = taken(folder, album), taken(folder, album)
    begin(folder, first)
    steps = folder.color(first)
    next(steps)
    assert "another visitor" in text(begin(folder, second), folder.status)
    list(steps)
    made = list(folder.color(second))[-1]
    assert text(made, folder.status).startswith("3 colored")
    assert "another visitor" not in text(begin(folder, first), folder.status)


def test_who_leaves_makes_room(folder: FolderTab, album: Path, root: Path) -> None:
    session = taken(folder, album)
    begin(folder, session)
    steps = folder.color(session)
    for _ in range(3):
        next(steps)
    folder.session.delete_callback(session)
    steps.close()  # type: ignore[attr-defined]
    assert list(root.iterdir()) == []
    other = taken(folder, album)
    assert "another visitor" not in text(begin(folder, other), folder.status)


def test_other_photos_during_the_work_win(
    folder: FolderTab, colorizer: FakeColorizer, album: Path, root: Path
) -> None:
    session = taken(folder, album)
    colorize = colorizer.colorize

    def interrupted(*arguments: Any, **options: Any) -> Any:
        session.close()
        return colorize(*arguments, **options)

    colorizer.colorize = interrupted  # type: ignore[method-assign]
    begin(folder, session)
    steps = list(folder.color(session))
    assert [text(step, folder.status) for step in steps] == ["0 of 5 done. Now a.jpg."]
    assert not [path for path in root.rglob("*") if path.is_file()]


def test_taking_the_photos_away_empties_everything(
    folder: FolderTab, album: Path, root: Path
) -> None:
    session = taken(folder, album)
    color_all(folder, session)
    updates = folder.take_in(None, session)
    assert not updates[folder.result.column]["visible"]
    assert not updates[folder.button]["interactive"]
    assert value(updates, folder.download) is None
    assert value(updates, folder.table) == ""
    assert not [path for path in root.rglob("*") if path.is_file()]


def test_errors_are_sentences(
    folder: FolderTab, colorizer: FakeColorizer, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = taken(folder, album)
    colorizer.error = MemoryError()
    last = color_all(folder, session)[-1]
    assert text(last, folder.status) == "1 left as it is, 4 failed."
    assert "not enough memory for a photo of this size" in last[folder.table]
    assert value(last, folder.sheet) is None
    colorizer.error = None

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for function in ("files.os.replace", "ui.folder_job.shutil.copyfile"):
        with monkeypatch.context() as patch:
            patch.setattr(f"colorflow.{function}", full)
            last = color_all(folder, session)[-1]
        assert is_problem(last, folder.status)
        assert "No space left on device" in text(last, folder.status)
        assert last[folder.button]["interactive"]
    last = color_all(folder, session)[-1]
    assert text(last, folder.status).startswith("3 colored before")
    assert is_problem(begin(folder, new(folder.session)), folder.status)


def test_photos_of_too_many_pixels_fail_by_name(
    colorizer: FakeColorizer, root: Path, album: Path
) -> None:
    with gr.Blocks(analytics_enabled=False):
        tab = FolderTab(colorizer, UploadSpace(root, MEGABYTES, MemoryBudget(1199)))
    last = color_all(tab, taken(tab, album))[-1]
    assert text(last, tab.status) == "5 failed."
    with gr.Blocks(analytics_enabled=False):
        tab = FolderTab(colorizer, UploadSpace(root, MEGABYTES, MemoryBudget(1200)))
    last = color_all(tab, taken(tab, album))[-1]
    assert text(last, tab.status) == "3 colored, 1 left as it is, 1 failed."


def test_an_upload_that_has_gone_is_told(
    folder: FolderTab, album: Path, loose: Callable[..., str]
) -> None:
    path = loose("a.jpg", ALBUM["a.jpg"])
    session = taken(folder, path)
    shutil.rmtree(Path(path).parent)
    assert text(color_all(folder, session)[-1], folder.status) == "1 colored."
    updates = folder.take_in([path], session)
    assert "Nothing can be stored on the server" in text(updates, folder.about)


def test_names_are_text_whatever_they_look_like(folder: FolderTab, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>&amp;.png"
    files = [File(name=name), deflated(f"1931/{name}", ALBUM["1931/b.png"])]
    path = write_raw(tmp_path / "album.zip", files)
    *steps, last = color_all(folder, taken(folder, path))
    made = result(folder, last)
    report = made["report.html"].decode()
    for said in (*(step[folder.status] for step in steps), last[folder.table], report):
        assert "<img" not in said
        assert "&lt;img src=x onerror=alert(1)&gt;&amp;amp;" in said or "the zip." in said
    address = report.partition('href="')[2].partition('"')[0]
    assert unquote(address) in made


def test_every_control_says_what_it_does(folder: FolderTab) -> None:
    for control in (
        folder.n,
        folder.view,
        folder.temperature,
        folder.seed,
        folder.format,
        folder.with_colors,
    ):
        assert control.label
        assert control.info
