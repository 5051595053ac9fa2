"""The tab's handlers, without a server and with a Colorizer that needs no weights."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorflow.errors import WeightsError
from colorflow.ui.colourise import LARGEST_SEED, ColouriseTab, Updates
from colorflow.ui.page import build_page
from colorflow.ui.session import PREVIEW_SIDE, Session
from tests.ui.fake_colorizer import AB, FakeColorizer, FakeDraws

SUBJECT = "Ada, 1931"
IMAGE_DESCRIPTION = 0x010E


@pytest.fixture
def colorizer() -> FakeColorizer:
    return FakeColorizer()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the tab may make folders."""
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


@pytest.fixture
def tab(colorizer: FakeColorizer, root: Path) -> ColouriseTab:
    with gr.Blocks(analytics_enabled=False):
        return ColouriseTab(colorizer, root, 200)


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    """A grey JPEG larger than its preview, with a description and a resolution."""
    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = SUBJECT
    path = tmp_path / "grandma (1931).jpg"
    image = Image.fromarray(np.tile(data.camera(), (2, 3)))
    image.save(path, quality=95, exif=exif, dpi=(300, 300))
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small grey PNG."""
    path = tmp_path / "small.png"
    Image.fromarray(data.camera()[::8, ::8]).save(path)
    return path


def opened(tab: ColouriseTab, path: Path) -> Session:
    session: Session = tab.open_photo(str(path), None)[tab.session]
    assert session.photo is not None
    return session


def colourise(
    tab: ColouriseTab,
    session: Session | None,
    n: int = 2,
    temperature: float = 1.0,
    seed: int | None = 0,
    *,
    diverse: bool = False,
) -> Updates:
    return tab.colourise(session, n, temperature, seed, diverse)


def click(tab: ColouriseTab, session: Session | None, index: int) -> Updates:
    return tab.choose(session, SimpleNamespace(index=index))  # type: ignore[arg-type]


def value(updates: Updates, component: gr.components.Component) -> Any:
    """The new value of a component, whether alone or within other properties."""
    update = updates[component]
    return update["value"] if isinstance(update, dict) else update


def text(updates: Updates, component: gr.components.Component) -> str:
    """A status line as it is read."""
    return re.sub("<[^>]*>", "", value(updates, component))


def is_problem(updates: Updates, component: gr.components.Component) -> bool:
    return 'class="bad"' in value(updates, component)


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


# upload


def test_a_grey_photo_is_shown_and_can_be_coloured(tab: ColouriseTab, grey: Path) -> None:
    updates = tab.open_photo(str(grey), None)
    shown = pixels(value(updates, tab.preview))
    assert shown.shape == (PREVIEW_SIDE * 2 // 3 + 1, PREVIEW_SIDE, 3)
    assert updates[tab.preview]["visible"]
    assert updates[tab.button]["interactive"]
    assert text(updates, tab.about) == "A grey photo. 1536 × 1024 pixels."
    assert not is_problem(updates, tab.about)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (data.camera()[..., None] * np.array([1, 0.85, 0.65]), "A toned photo (sepia or the like)"),
        (
            data.astronaut(),
            "This photo already has colours; it is coloured anew from its lightness",
        ),
    ],
)
def test_tint_and_colours_are_stated(
    tab: ColouriseTab, tmp_path: Path, picture: np.ndarray, words: str
) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(picture.astype(np.uint8)).save(path)
    updates = tab.open_photo(str(path), None)
    assert text(updates, tab.about).startswith(words)
    assert updates[tab.button]["interactive"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.jpg", b"", "the file is empty"),
        ("notes.png", b"not a picture", "not a JPEG, PNG, WebP, TIFF or BMP picture"),
        ("half.jpg", None, "damaged or incomplete"),
    ],
)
def test_a_bad_file_is_one_sentence_that_names_it(
    tab: ColouriseTab, root: Path, grey: Path, name: str, content: bytes | None, words: str
) -> None:
    bad = root / name
    bad.write_bytes(grey.read_bytes()[:20_000] if content is None else content)
    session = opened(tab, grey)
    before = session.photo
    updates = tab.open_photo(str(bad), session)
    assert is_problem(updates, tab.about)
    assert text(updates, tab.about).startswith(f"{name}: ")
    assert words in text(updates, tab.about)
    assert str(root) not in value(updates, tab.about)
    assert "Traceback" not in value(updates, tab.about)
    assert not updates[tab.button]["interactive"]
    assert not updates[tab.preview]["visible"]
    assert session.photo is None
    assert before is not None
    assert not before.folder.exists()


def test_a_file_name_is_never_markup(tab: ColouriseTab, root: Path) -> None:
    (root / "<img src=x>.jpg").touch()
    shown = value(tab.open_photo(str(root / "<img src=x>.jpg"), None), tab.about)
    assert "<img" not in shown
    assert "&lt;img src=x&gt;.jpg: the file is empty" in shown


def test_taking_the_photo_away_empties_the_page(tab: ColouriseTab, small: Path) -> None:
    session = opened(tab, small)
    colourise(tab, session)
    folder = session.photo.folder if session.photo else None
    updates = tab.open_photo(None, session)
    assert folder is not None
    assert not folder.exists()
    assert session.photo is None
    assert not session.colourings
    assert not updates[tab.results]["visible"]
    assert updates[tab.welcome]["visible"]
    assert not updates[tab.button]["interactive"]
    assert [value(updates, each) for each in (tab.gallery, tab.compare, tab.download)] == [None] * 3
    assert text(updates, tab.about) == "JPEG, PNG, WebP, TIFF or BMP, up to 200 MB."


# colourings


def test_the_first_colouring_is_shown_and_ready(tab: ColouriseTab, grey: Path) -> None:
    session = opened(tab, grey)
    updates = colourise(tab, session, n=3, seed=7)
    assert [caption for _, caption in value(updates, tab.gallery)] == ["Seed 7", "Seed 8", "Seed 9"]
    assert updates[tab.gallery]["selected_index"] == 0
    assert updates[tab.results]["visible"]
    assert not updates[tab.welcome]["visible"]
    assert re.fullmatch(r"3 colourings in \d+\.\d s\.", text(updates, tab.status))
    before, after = (pixels(path).astype(int) for path in value(updates, tab.compare))
    assert before.shape == after.shape
    assert max(after.shape) == PREVIEW_SIDE
    assert np.ptp(before, axis=2).max() == 0, "the picture before is not grey"
    assert np.ptp(after, axis=2).max() > 50
    assert value(updates, tab.download).endswith("/grandma (1931)_s7.jpg")
    assert updates[tab.download]["label"] == "Download, 1536 × 1024 pixels"


def test_the_options_reach_the_colorizer(
    tab: ColouriseTab, colorizer: FakeColorizer, small: Path
) -> None:
    colourise(tab, opened(tab, small), 5, 0.7, 11, diverse=True)
    assert colorizer.calls == [(5, 0.7, 11, True)]


def test_the_download_has_full_size_metadata_and_the_photo_s_lightness(
    tab: ColouriseTab, grey: Path
) -> None:
    session = opened(tab, grey)
    colourise(tab, session, n=2, seed=1)
    original = color.rgb2lab(np.repeat(pixels(grey)[..., None], 3, axis=2))
    for index, seed in enumerate((1, 2)):
        path = Path(value(click(tab, session, index), tab.download))
        assert path.name == f"grandma (1931)_s{seed}.jpg"
        with Image.open(path) as image:
            assert image.format == "JPEG"
            assert image.size == (1536, 1024)
            assert image.getexif()[IMAGE_DESCRIPTION] == SUBJECT
            assert image.info["dpi"] == (300, 300)
            lab = color.rgb2lab(np.asarray(image))
        middle = (original[..., 0] > 40) & (original[..., 0] < 70)  # tones that can hold the chroma
        assert np.abs(lab - original)[..., 0].mean() < 0.7, "JPEG and rounding take less"
        assert np.abs(lab[middle][:, 1:].mean(axis=0) - AB[seed]).max() < 4


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "bmp"])
def test_what_is_no_jpeg_becomes_png(tab: ColouriseTab, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan.{suffix}"
    Image.fromarray(data.astronaut()[::8, ::8]).save(path)
    updates = colourise(tab, opened(tab, path))
    assert Path(value(updates, tab.download)).name == "scan_s0.png"
    with Image.open(value(updates, tab.download)) as image:
        assert image.format == "PNG"


def test_transparency_is_kept(tab: ColouriseTab, tmp_path: Path) -> None:
    photo = np.dstack([data.astronaut()[::8, ::8], np.full((64, 64), 255, np.uint8)])
    photo[:20, :, 3] = 0
    path = tmp_path / "cut-out.png"
    Image.fromarray(photo).save(path)
    updates = colourise(tab, opened(tab, path))
    shown = [value(updates, tab.download), *value(updates, tab.compare)]
    for made in shown:
        assert np.array_equal(pixels(made)[..., 3], photo[..., 3])


def test_one_pixel_is_a_photo(tab: ColouriseTab, tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    Image.new("L", (1, 1), 120).save(path)
    updates = colourise(tab, opened(tab, path), n=1)
    assert text(updates, tab.status).startswith("1 colouring in ")
    assert pixels(value(updates, tab.download)).shape == (1, 1, 3)


def test_names_say_the_seeds_that_were_drawn(tab: ColouriseTab, small: Path) -> None:
    session = opened(tab, small)
    updates = colourise(tab, session, n=3, seed=10, diverse=True)
    seeds = [10, 13, 16]  # as the stand-in draws them
    assert [caption for _, caption in value(updates, tab.gallery)] == [f"Seed {s}" for s in seeds]
    assert [one.path.name for one in session.colourings] == [f"small_s{s}.png" for s in seeds]


@pytest.mark.parametrize("stem", ["preview", "grey", "0", "1"])
def test_no_preview_takes_the_download_s_place(
    tab: ColouriseTab, tmp_path: Path, stem: str
) -> None:
    path = tmp_path / f"{stem}.png"
    Image.fromarray(np.tile(data.camera(), (1, 3))).save(path)
    session = opened(tab, path)
    colourise(tab, session)
    for one in session.colourings:
        assert pixels(one.path).shape == (512, 1536, 3)
        assert pixels(one.preview).shape == (341, 1024, 3)


def test_new_colourings_replace_the_old_ones(tab: ColouriseTab, small: Path) -> None:
    session = opened(tab, small)
    colourise(tab, session)
    old = session.colourings
    colourise(tab, session, seed=5)
    assert [one.seed for one in session.colourings] == [5, 6]
    assert not any(one.path.exists() or one.preview.exists() for one in old)
    assert all(one.path.exists() and one.preview.exists() for one in session.colourings)


@pytest.mark.parametrize("seed", [None, -1, LARGEST_SEED + 1])
def test_a_seed_out_of_range_is_told(
    tab: ColouriseTab, colorizer: FakeColorizer, small: Path, seed: int | None
) -> None:
    updates = colourise(tab, opened(tab, small), seed=seed)
    assert is_problem(updates, tab.status)
    assert text(updates, tab.status) == "Seed: a whole number from 0 to 4294967295."
    assert not colorizer.calls


def test_without_a_photo_one_is_asked_for(tab: ColouriseTab, small: Path) -> None:
    assert "choose one first" in text(colourise(tab, None), tab.status)
    session = opened(tab, small)
    tab.open_photo(None, session)
    assert "choose it again" in text(colourise(tab, session), tab.status)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (WeightsError("w.safetensors: does not fit"), "w.safetensors: does not fit"),
        (MemoryError(), "There is not enough memory; ask for fewer colourings or a smaller photo."),
    ],
)
def test_an_error_is_one_sentence_and_the_colourings_stay(
    tab: ColouriseTab,
    colorizer: FakeColorizer,
    small: Path,
    error: BaseException,
    words: str,
) -> None:
    session = opened(tab, small)
    colourise(tab, session)
    colorizer.error = error
    updates = colourise(tab, session, seed=3)
    assert set(updates) == {tab.status}
    assert is_problem(updates, tab.status)
    assert text(updates, tab.status) == words
    assert [one.seed for one in session.colourings] == [0, 1]
    assert value(click(tab, session, 1), tab.download).endswith("small_s1.png")


def test_an_upload_that_has_gone_is_told(tab: ColouriseTab, small: Path) -> None:
    session = opened(tab, small)
    small.unlink()
    updates = colourise(tab, session)
    assert text(updates, tab.status).startswith("small.png: there is no such file")


# choosing


def test_a_click_shows_that_colouring(tab: ColouriseTab, small: Path) -> None:
    session = opened(tab, small)
    first = colourise(tab, session, n=3)
    updates = click(tab, session, 2)
    assert value(updates, tab.compare)[0] == value(first, tab.compare)[0]
    assert value(updates, tab.compare)[1] == value(first, tab.gallery)[2][0]
    assert value(updates, tab.download).endswith("small_s2.png")


def test_a_click_on_what_has_gone_is_told(tab: ColouriseTab, small: Path) -> None:
    session = opened(tab, small)
    colourise(tab, session)
    for updates in (click(tab, None, 0), click(tab, session, 2)):
        assert is_problem(updates, tab.status)
        assert "are gone" in text(updates, tab.status)
    session.close()
    assert "are gone" in text(click(tab, session, 0), tab.status)


# visitors


def test_visitors_with_files_of_one_name_do_not_mix(tab: ColouriseTab, tmp_path: Path) -> None:
    sessions = []
    for name, tone in (("a", 90), ("b", 170)):
        path = tmp_path / name / "photo.png"
        path.parent.mkdir()
        Image.new("L", (16, 16), tone).save(path)
        sessions.append(opened(tab, path))
    for session in sessions:
        colourise(tab, session, seed=4)
    dark, light = (pixels(session.colourings[0].path).mean() for session in sessions)
    assert dark + 50 < light
    sessions[0].close()
    assert all(one.path.exists() for one in sessions[1].colourings)


def test_another_photo_during_the_work_wins(
    colorizer: FakeColorizer, tab: ColouriseTab, grey: Path, small: Path
) -> None:
    session = opened(tab, small)
    draw = colorizer.draw

    def interrupted_draw(*arguments: Any, **options: Any) -> FakeDraws:
        session.open(grey)
        return draw(*arguments, **options)

    colorizer.draw = interrupted_draw  # type: ignore[method-assign]
    updates = colourise(tab, session)
    assert updates == {tab.status: gr.skip()}
    assert not session.colourings
    assert session.photo is not None
    assert session.photo.upload == grey
    assert session.photo.preview.exists()


def test_a_session_keeps_files_and_no_pixels(tab: ColouriseTab, grey: Path) -> None:
    session = opened(tab, grey)
    colourise(tab, session, n=8)
    assert len(pickle.dumps(vars(session))) < 10_000


def test_a_closed_session_leaves_nothing(tab: ColouriseTab, root: Path, small: Path) -> None:
    session = opened(tab, small)
    colourise(tab, session)
    assert any(root.rglob("*.png"))
    tab.session.delete_callback(session)
    assert not any(root.rglob("*.png"))
    tab.session.delete_callback(None)  # a visitor who never uploaded anything


# the page


def test_everything_has_a_name_of_its_own_and_nothing_is_public(
    colorizer: FakeColorizer, root: Path
) -> None:
    page = build_page(colorizer, root, 200)
    names = [
        block.elem_id
        for block in page.blocks.values()
        if isinstance(block, gr.components.Component) and not isinstance(block, gr.State)
    ]
    assert len(names) > 10
    assert None not in names
    assert len(set(names)) == len(names)
    assert {function.api_visibility for function in page.fns.values()} == {"private"}


def test_every_control_says_what_it_does(tab: ColouriseTab) -> None:
    for control in (tab.n, tab.temperature, tab.diverse, tab.seed):
        assert control.label
        assert control.info
        assert "\n" not in control.info
