"""The tab of hints without a server; what depends on the model, with small weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorflow.batch import (
    PhotoOutcome,
    Settings,
    make_plan,
    read_hints,
    run_in_process,
)
from colorflow.coloring import Coloring, digest_of_hints
from colorflow.colorizer import ColoringSpec, Colorizer, Hint, PrincipalSpec
from colorflow.photo import Photo, read_photo, read_provenance
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.hinted_photo import HintedPhoto, View
from colorflow.ui.hints import HintsTab
from colorflow.ui.limits import UploadSpace
from colorflow.ui.page import HINTS_TAB
from colorflow.ui.samples import SAMPLE_PHOTOS
from colorflow.ui.session import Session
from colorflow.ui.swatches import MATERIALS, material_swatches
from tests.small_weights import save_small_weights
from tests.ui.fake_colorizer import FakeColorizer, FakePrincipalSpec, SmallEnlarger
from tests.ui.handling import (
    IMAGE_DESCRIPTION,
    SUBJECT,
    colorize,
    drop,
    is_problem,
    new,
    pixels,
    text,
    value,
)

GREEN = (-45.0, 35.0)
"""a and b that the small weights' own colors are far from."""


class HintPainter(FakeColorizer):
    """Around each hint, the colors are the hint's."""

    takes_hints = True

    def colorize(
        self, photo: Photo, *arguments: Any, hints: Sequence[Hint] = (), **options: Any
    ) -> list[Coloring]:
        made = super().colorize(photo, *arguments, **options)
        return [_pulled(one, photo, hints) for one in made]

    def reproduce(
        self, photo: Photo, specs: Sequence[Any], *, hints: Sequence[Hint]
    ) -> list[Coloring]:
        return [_pulled(one, photo, hints) for one in self._made(photo, specs)]


def _pulled(made: Coloring, photo: Photo, hints: Sequence[Hint]) -> Coloring:
    made.ab = np.array(np.broadcast_to(made.ab, (2, 64, 64)))
    rows, columns = np.indices((64, 64))
    for hint in hints:
        row, column = 64 * hint.row / photo.height, 64 * hint.column / photo.width
        made.ab[:, np.hypot(rows - row, columns - column) < 6] = [[hint.a], [hint.b]]
    return made


def tab_of(colorizer: Any, root: Path, enlarger: Any = None) -> HintsTab:
    with gr.Blocks(analytics_enabled=False):
        return HintsTab(colorizer, UploadSpace(root), enlarger)


@pytest.fixture(scope="module")
def hinted(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    folder = tmp_path_factory.mktemp("weights")
    return Colorizer.load(save_small_weights(folder / "w.safetensors", extra_planes=3))


@pytest.fixture
def hints(root: Path) -> HintsTab:
    return tab_of(HintPainter(), root)


def opened(tab: HintsTab, path: Path) -> Session[HintedPhoto]:
    session = new(tab.session)
    tab.open_photo(str(path), session)
    return session


def event(index: Any, what: str = "") -> Any:
    return SimpleNamespace(index=index, value=what)


def clicked(tab: HintsTab, session: Session[HintedPhoto], x: int, y: int) -> Any:
    """Click the picture, and wait for the likely colors."""
    return {**tab.click(session, event([x, y])), **tab.offer(session)}


def ab_near(path: str | Path, row: int, column: int, reach: int = 3) -> np.ndarray:
    lab = color.rgb2lab(pixels(path)[row - reach : row + reach, column - reach : column + reach])
    return lab[..., 1:].mean(axis=(0, 1))


def points_of(session: Session[HintedPhoto]) -> tuple[Hint, ...]:
    return session.require().points.hints


def plain(session: Session[HintedPhoto]) -> Path:
    """The preview without marks."""
    return session.require().require_chosen().preview


def test_weights_without_hints_are_said_so(root: Path) -> None:
    with gr.Blocks(analytics_enabled=False) as page:
        tab = HintsTab(FakeColorizer(), UploadSpace(root))
    assert not tab.usable
    (said,) = [one for one in page.blocks.values() if isinstance(one, gr.components.Component)]
    assert "take no color hints" in said.value
    assert not page.fns


def test_a_photo_is_colored_at_once(hints: HintsTab, gray: Path) -> None:
    updates = hints.open_photo(str(gray), new(hints.session))
    assert updates[hints.picture]["visible"]
    shown = pixels(value(updates, hints.picture))
    assert shown.shape == (683, 1024, 3)
    assert np.ptp(shown.astype(int), axis=2).max() > 10
    assert text(updates, hints.status) == "Click a point whose color you know."
    assert not updates[hints.undo_button]["interactive"]
    assert updates[hints.side]["visible"]
    assert not updates[hints.free]["visible"]


def test_a_photo_with_colors_is_colored_when_it_is_treated_as_gray(
    hints: HintsTab, tmp_path: Path
) -> None:
    painted = tmp_path / "painted.png"
    Image.fromarray(data.astronaut()[::4, ::4]).save(painted)
    session = new(hints.session)
    updates = hints.open_photo(str(painted), session)
    assert text(updates, hints.status).startswith("This photo already has colors.")
    assert updates[hints.gray]["visible"]
    assert not updates[hints.picture]["visible"]
    assert session.require().chosen is None
    updates = hints.treat_as_gray(session)
    assert not updates[hints.gray]["visible"]
    assert updates[hints.picture]["visible"]
    assert text(updates, hints.status) == "Click a point whose color you know."
    before, after = (
        color.rgb2lab(one)[..., 0] for one in (data.astronaut()[::4, ::4], pixels(plain(session)))
    )
    assert np.abs(before - after).mean() < 1, "a JPEG"
    assert not hints.open_photo(None, session)[hints.gray]["visible"]
    assert is_problem(hints.treat_as_gray(session), hints.status)


def test_a_click_then_a_color_makes_a_hint_and_the_color_goes_there(
    hints: HintsTab, gray: Path
) -> None:
    session = opened(hints, gray)
    before = ab_near(plain(session), 200, 300)
    updates = clicked(hints, session, 300, 200)
    assert text(updates, hints.status) == "Now choose the color of this point."
    assert updates[hints.free]["visible"]
    assert "Likely colors" in value(updates, hints.swatches)
    assert points_of(session) == ()
    updates = hints.pick_freely(session, "#3c8c3c")
    (hint,) = points_of(session)
    assert (hint.row, hint.column) == (300, 450), "pixels of the photo, not of the preview"
    wanted = np.array([hint.a, hint.b])
    after = ab_near(plain(session), 200, 300)
    assert np.linalg.norm(after - wanted) < 0.5 * np.linalg.norm(before - wanted)
    assert "1. " in value(updates, hints.points)
    assert "450 across, 300 down" in value(updates, hints.points)
    assert updates[hints.undo_button]["interactive"]
    assert text(updates, hints.status).startswith("Colored in ")
    marked = pixels(value(updates, hints.picture)).astype(int)
    without = pixels(plain(session)).astype(int)
    difference = np.abs(marked - without).max(axis=-1)
    rows, columns = np.nonzero(difference > 50)  # not what JPEG changes
    assert abs(rows.mean() - 200) < 20
    assert abs(columns.mean() - 300) < 20


def test_a_likely_color_is_one_of_the_model_s_at_that_point(
    hinted: Colorizer, root: Path, gray: Path
) -> None:
    hints = tab_of(hinted, root)
    session = opened(hints, gray)
    clicked(hints, session, 408, 37)  # the middle of a cell
    offered = session.current.likely
    assert 1 <= len(offered) <= 6
    shares = [one.share for one in offered]
    assert shares == sorted(shares, reverse=True)
    preview = read_photo(session.current.photo.preview)
    around = preview.pixels[36:39, 407:410]
    assert offered[0].lightness == pytest.approx(color.rgb2lab(around)[..., 0].mean(), abs=0.1)
    made = hinted.colorize(gray, 24, samples=True, force=True)
    samples = np.stack([one.ab for one in made])
    there = samples[:, :, 37 * 64 // 683, 408 * 64 // 1024]
    away = np.hypot(there[:, 0] - offered[0].a, there[:, 1] - offered[0].b)
    assert (away < 14).mean() >= offered[0].share
    hints.press(session, event(len(MATERIALS), "pick"))
    (hint,) = points_of(session)
    assert (hint.a, hint.b) == (offered[0].a, offered[0].b)
    after = ab_near(plain(session), 37, 408, reach=2)
    assert np.linalg.norm(after - (hint.a, hint.b)) < 12


def test_a_material_gives_the_point_its_color_at_once(hints: HintsTab, gray: Path) -> None:
    session = opened(hints, gray)
    updates = hints.click(session, event([300, 200]))
    assert "Looking for them" in value(updates, hints.swatches)
    assert value(updates, hints.materials).count('data-act="pick"') == len(MATERIALS)
    foliage = list(MATERIALS).index("Foliage")
    swatch = session.require().materials[foliage]
    assert f'style="background: {swatch.hex}"' in value(updates, hints.materials)
    assert hints.materials not in hints.offer(session), "a button that has the focus keeps it"
    hints.press(session, event(foliage, "pick"))
    (hint,) = points_of(session)
    assert (hint.a, hint.b) == (swatch.a, swatch.b)
    assert is_problem(hints.press(session, event(99, "pick")), hints.status)
    hints.press(session, event(0, "delete"))
    assert is_problem(hints.press(session, event(foliage, "pick")), hints.status)


def test_colors_of_a_point_that_was_left_are_not_offered(
    hints: HintsTab, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(hints, small)
    hints.put(session, 20, 20)
    colorize = hints._colorizer.colorize

    def colorize_slowly(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(hints._colorizer, "colorize", colorize)
        hints.put(session, 40, 50)  # while colors for the first point are sought
        return colorize(*arguments, **options)

    monkeypatch.setattr(hints._colorizer, "colorize", colorize_slowly)
    assert "Looking for them" in hints.offer(session)[hints.swatches]
    assert not session.current.likely
    assert "swatch" in value(hints.offer(session), hints.swatches)


def test_likely_colors_know_of_the_other_points(hinted: Colorizer, root: Path, small: Path) -> None:
    hints = tab_of(hinted, root)
    session = opened(hints, small)

    def distance() -> float:
        clicked(hints, session, 15, 10)
        offered = session.current.likely
        away = [np.hypot(one.a - GREEN[0], one.b - GREEN[1]) for one in offered]
        return float(np.average(away, weights=[one.share for one in offered]))

    before = distance()
    session.current.points.put(10, 10)
    session.current.points.color(*GREEN)
    assert distance() < 0.9 * before


def test_a_color_without_a_point_is_told(hints: HintsTab, small: Path) -> None:
    session = opened(hints, small)
    for updates in (
        hints.pick_freely(session, "#ff0000"),
        hints.press(session, event(len(MATERIALS), "pick")),
        hints.pick_freely(session, "red-ish"),
        hints.put(session, None, 3),
        hints.put(session, 64, 0),
    ):
        assert set(updates) == {hints.status}
        assert is_problem(updates, hints.status)
    assert "Click a point" in text(hints.pick_freely(session, "#ff0000"), hints.status)


def test_a_click_on_a_part_shown_larger_lands_on_the_photo_s_own_pixel(
    hints: HintsTab, gray: Path
) -> None:
    """The photo has 1536 x 1024 pixels and its preview 1024 x 683."""
    session = opened(hints, gray)
    hints.click(session, event([300, 200]))
    updates = hints.magnify(session, 8)
    assert updates[hints.zoom] == 8
    assert updates[hints.overview]["visible"]
    view = session.require().view
    assert view == View(top=300 - 64, left=450 - 96, height=128, width=192)
    shown = pixels(value(updates, hints.picture))
    assert shown.shape == (683, 1024, 3)
    with Image.open(gray) as image:
        photo = np.asarray(image.convert("RGB"))
    part = np.asarray(Image.fromarray(photo[view.part]).resize((1024, 683)))
    lightness = [color.rgb2lab(one)[100:500, 50:300, 0] for one in (shown, part)]
    assert np.abs(lightness[0] - lightness[1]).mean() < 1.5, "the photo's own detail"
    hints.click(session, event([10, 20]))
    assert session.require().points.uncolored == (236 + 3, 354 + 1)
    hints.pick_freely(session, "#3c8c3c")
    (hint,) = points_of(session)
    assert (hint.row, hint.column) == (239, 355)
    updates = hints.click(session, event([12, 22]))
    assert session.require().points.current == 0, "a click on its mark holds no other place"

    updates = hints.look_at(session, event([1020, 680]))
    assert session.require().view == View(896, 1344, 128, 192), "not beyond the border"
    hints.click(session, event([1023, 682]))
    assert session.require().points.uncolored == (1023, 1535)
    hints.put(session, 5, 7)
    assert session.require().view.has(7, 5), "what is chosen is shown"
    updates = hints.magnify(session, 1)
    assert not updates[hints.overview]["visible"]
    assert session.require().view == View(0, 0, 1024, 1536)
    assert value(updates, hints.seen) == [0, 0, 1024, 1536]
    hints.magnify(session, 8)
    hints.click(session, event([512, 341]), value(updates, hints.seen))
    assert session.require().points.uncolored == (512, 768), "it was clicked in what was seen"


def test_a_small_photo_with_transparency_is_shown_larger(hints: HintsTab, tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    rgba = np.full((9, 7, 4), 120, np.uint8)
    rgba[:, :, 3] = 200
    Image.fromarray(rgba).save(path)
    session = opened(hints, path)
    for zoom in (2, 8):
        updates = hints.magnify(session, zoom)
        with Image.open(value(updates, hints.picture)) as image:
            assert (image.size, image.mode) == ((7, 9), "RGBA")
    hints.click(session, event([6, 8]))
    assert session.require().points.uncolored == (4, 3)


def test_move_delete_and_undo_change_the_colors(hints: HintsTab, small: Path) -> None:
    session = opened(hints, small)
    first = pixels(plain(session))
    clicked(hints, session, 20, 20)
    hints.pick_freely(session, "#00a000")
    hinted_once = pixels(plain(session))
    assert not np.array_equal(first, hinted_once)
    updates = hints.press(session, event(0, "hold"))
    assert text(updates, hints.status).startswith("Point 1: click its new place")
    updates = hints.click(session, event([50, 40]))
    assert [(hint.row, hint.column) for hint in points_of(session)] == [(40, 50)]
    assert not np.array_equal(pixels(plain(session)), hinted_once)
    hints.press(session, event(0, "delete"))
    assert points_of(session) == ()
    assert np.array_equal(pixels(plain(session)), first)
    updates = hints.undo(session)
    assert len(points_of(session)) == 1
    hints.undo(session)
    updates = hints.undo(session)
    assert np.array_equal(pixels(plain(session)), first)
    assert not updates[hints.undo_button]["interactive"]
    assert is_problem(hints.press(session, event(3, "hold")), hints.status)


def test_principal_colorings_are_shown_in_turn_with_the_hints_given(
    hinted: Colorizer, root: Path, small: Path
) -> None:
    hints = tab_of(hinted, root)
    session = opened(hints, small)
    preview = read_photo(session.current.photo.preview)
    assert preview.pixels.shape[:2] == (64, 64), "so that the hint is the same on both"
    hints.put(session, 20, 20)
    hints.pick_freely(session, "#00a000")
    principal = hinted.colorize(preview, 4, hints=points_of(session), force=True)
    assert np.abs(session.current.chosen.ab - principal[0].ab).max() < 0.1
    hints.other_colors(session)
    assert session.current.spec == principal[1].spec
    assert np.abs(session.current.chosen.ab - principal[1].ab).max() < 0.1


def test_how_far_a_point_reaches_is_chosen_before_or_after_its_color(
    hints: HintsTab, small: Path
) -> None:
    session = opened(hints, small)
    assert hints.put(session, 20, 20)[hints.reach].get("visible") is not False
    hints.spread(session, "around")
    updates = hints.pick_freely(session, "#00a000")
    assert points_of(session)[0].reach == "around"
    assert "20 across, 20 down; around it" in value(updates, hints.points)
    updates = hints.spread(session, "alike")
    assert points_of(session)[0].reach == "alike"
    assert text(updates, hints.status).startswith("Colored in ")
    saved = json.loads(Path(value(updates, hints.save)).read_text())
    assert saved["small.png"]["hints"][0]["reach"] == "alike"
    hints.undo(session)
    assert points_of(session)[0].reach == "around"


def test_everything_like_it_goes_back_after_one_hint(hints: HintsTab, small: Path) -> None:
    session = opened(hints, small)
    hints.put(session, 20, 20)
    hints.spread(session, "alike")
    assert value(hints.pick_freely(session, "#00a000"), hints.reach) == "alike"
    assert value(hints.put(session, 40, 20), hints.reach) == "thing"
    hints.pick_freely(session, "#a00000")
    assert [one.reach for one in points_of(session)] == ["alike", "thing"]


def test_other_colors_keep_the_points(hints: HintsTab, small: Path) -> None:
    session = opened(hints, small)
    hints.put(session, 20, 20)
    hints.pick_freely(session, "#00a000")
    before, shown = points_of(session), pixels(plain(session))
    for number in (1, 2, 3, 0):
        hints.other_colors(session)
        assert session.current.spec.principal.number == number
        assert np.array_equal(pixels(plain(session)), shown) == (number == 0)
    assert points_of(session) == before


def test_hints_are_saved_and_loaded(hints: HintsTab, small: Path, tmp_path: Path) -> None:
    session = opened(hints, small)
    assert not hints._changed(session, lambda _: None)[hints.save]["interactive"]
    hints.put(session, 12, 34)
    updates = hints.pick_freely(session, "#3060c0")
    saved = Path(value(updates, hints.save))
    assert saved.name == "small_hints.json"
    assert json.loads(saved.read_text())["small.png"]["hints"][0]["row"] == 34
    kept = tmp_path / "kept.json"
    kept.write_bytes(saved.read_bytes())
    shown = pixels(plain(session))

    other = opened(hints, small)
    updates = hints.load_hints(str(kept), other)
    assert points_of(other) == points_of(session)
    assert np.array_equal(pixels(plain(other)), shown)
    assert "12 across, 34 down" in value(updates, hints.points)
    kept.write_text("{}")
    updates = hints.load_hints(str(kept), other)
    assert is_problem(updates, hints.status)
    assert text(updates, hints.status).startswith("kept.json: ")
    assert len(points_of(other)) == 1


def test_undo_takes_loaded_hints_back_with_their_coloring(
    hinted: Colorizer, root: Path, small: Path, tmp_path: Path
) -> None:
    hints = tab_of(hinted, root)
    session = opened(hints, small)
    hints.put(session, 12, 34)
    hints.pick_freely(session, "#3060c0")
    hints.other_colors(session)
    hints.saturation.change(session, 0.5, 2.0)
    saved = session.require().save(hinted.digest)

    other = opened(hints, small)
    photo = other.require()
    hints.put(other, 50, 8)
    hints.pick_freely(other, "#c03030")
    hints.other_colors(other)
    hints.other_colors(other)
    points, spec, shown = photo.points.hints, photo.spec, pixels(plain(other))
    hints.load_hints(str(saved), other)
    assert np.array_equal(pixels(plain(other)), pixels(plain(session)))
    hints.press(other, event(0, "delete"))
    hints.undo(other)
    assert photo.spec == session.require().spec, "the load stays"
    updates = hints.undo(other)
    assert (photo.points.hints, photo.spec) == (points, spec)
    assert value(updates, hints.saturation.saturation) == 1
    assert np.array_equal(pixels(plain(other)), shown)
    hints.undo(other)
    assert (points_of(other), photo.spec) == ((), spec)


def test_the_command_makes_the_picture_that_the_page_showed(
    hinted: Colorizer, root: Path, gray: Path, tmp_path: Path
) -> None:
    """From saved hints, which say on which coloring they were given."""
    hints = tab_of(hinted, root)
    session = opened(hints, gray)
    photo, levels = session.require(), len(hinted.levels)
    mode = PrincipalSpec(number=2, of=4, seed=5)
    photo.spec = ColoringSpec(seeds=(None,) * (levels - 1) + (9,), principal=mode, temperature=0.7)
    hints.put(session, 600, 400)
    photo.saturate(1.5, 2.0)
    updates = hints.pick_freely(session, "#3c8c3c")
    downloaded = Path(value(hints.larger.plain.prepare(session), hints.larger.plain.file))
    saved = Path(value(updates, hints.save))

    def outcome() -> PhotoOutcome:
        plan = make_plan([gray], tmp_path, Settings(n=3), hints=read_hints(saved))
        (outcome,) = run_in_process(plan, hinted)
        return outcome

    first = outcome()
    (made,) = first.colorings
    assert (first.status, Path(str(made.path)).name) == ("done", downloaded.name)
    assert np.array_equal(pixels(Path(str(made.path))), pixels(downloaded))
    assert outcome().status == "skipped"

    other = opened(hints, gray)
    hints.load_hints(str(saved), other)
    assert np.array_equal(pixels(plain(other)), pixels(plain(session)))
    moved = saved.read_text().replace('"seed": 5', '"seed": 6')
    saved.write_text(moved)
    assert "was made with seed 5" in str(outcome().reason)
    saved.write_text(moved.replace(hinted.digest, "0123456789abcdef"))
    Path(str(made.path)).unlink()
    assert "a coloring of other weights (0123456789abcdef)" in str(outcome().reason)
    before = other.require().spec
    hints.load_hints(str(saved), other)
    assert other.require().spec == before, "the points alone are taken"


def test_the_download_has_full_size_metadata_and_what_it_was_made_from(
    hints: HintsTab, gray: Path
) -> None:
    session = opened(hints, gray)
    hints.put(session, 600, 400)
    hints.pick_freely(session, "#3c8c3c")
    path = Path(value(hints.larger.plain.prepare(session), hints.larger.plain.file))
    assert path.name == "grandma (1931)_hints.jpg"
    with Image.open(path) as image:
        assert image.size == (1536, 1024)
        assert image.getexif()[IMAGE_DESCRIPTION] == SUBJECT
    provenance = read_provenance(path)
    assert provenance is not None
    assert (provenance.seed, provenance.model) == (0, "fake")
    there = ab_near(plain(session), 267, 400)
    assert np.linalg.norm(ab_near(path, 400, 600) - there) < 6
    hints.undo(session)
    assert not path.exists(), "what is no longer shown is not kept"


def test_a_hinted_photo_is_enlarged_and_saved_as_png(root: Path, small: Path) -> None:
    hints = tab_of(HintPainter(), root, SmallEnlarger.load())
    session = opened(hints, small)
    hints.put(session, 20, 20)
    updates = hints.pick_freely(session, "#00a000")
    larger = hints.larger
    assert updates[larger.column]["visible"]
    png = Path(value(larger.plain.prepare(session, "PNG"), larger.plain.file))
    assert png.name == "small_hints.png"
    larger.runs.begin(larger.enlarge, session, "×2", False, "PNG")
    *_, last = larger.runs.work(larger.enlarge, session)
    enlarged = Path(value(last, larger.download))
    assert enlarged.name == "small_hints_x2_mean.png"
    assert pixels(enlarged).shape == (128, 128, 3)
    reduced = np.asarray(Image.fromarray(pixels(enlarged)).resize((64, 64), Image.Resampling.BOX))
    there = color.rgb2lab(reduced)[18:22, 18:22, 1:].mean((0, 1))
    assert np.linalg.norm(there - ab_near(png, 20, 20)) < 8
    assert larger.size not in hints.magnify(session, 2), "what is shown of it stays"
    assert value(hints.put(session, 40, 40), hints.picture)
    assert hints.pick_freely(session, "#a00000")[larger.size]["value"] == "As it is"
    assert not enlarged.exists(), "what is no longer shown is not kept"


def test_a_color_of_a_face_stays_in_the_face() -> None:
    shipped = Colorizer.load()
    photo = read_photo(SAMPLE_PHOTOS / "portrait.jpg")
    row, column = 123, 225
    skin = material_swatches(70)[list(MATERIALS).index("Light or tan skin")]
    hint = Hint(row, column, skin.a, skin.b)
    plain, hinted, around = (
        shipped.colorize(photo, 1, hints=hints, force=True)[0]
        for hints in ((), [hint], [replace(hint, reach="around")])
    )
    change, local = (np.hypot(*(one.ab - plain.ab)) for one in (hinted, around))
    rows, columns = np.indices(change.shape)
    away = np.hypot(rows - row / 8, columns - column / 8)
    assert change[away < 3].mean() > 4, "the color of skin is nearer to it than gray is"
    assert change[away > 10].mean() < 2, "the clothes and all else"
    assert local[away < 2].mean() > 4
    assert local[away > 6].max() < 0.1, "what reaches around the point alone"
    assert np.array_equal(around.model_ab, plain.model_ab)
    assert digest_of_hints([hint]) != digest_of_hints([replace(hint, reach="around")])


def test_a_coloring_is_taken_over_from_the_other_tab(
    hints: HintsTab, root: Path, gray: Path
) -> None:
    with gr.Blocks(analytics_enabled=False):
        other = ColorizeTab(HintPainter(), UploadSpace(root))
        with gr.Tabs() as tabs:
            pass
        hints.take_from(other, tabs)
    assert other.to_hints.visible
    session = new(other.session)
    drop(other, [gray], session)
    assert is_problem(hints.take(session, new(hints.session)), hints.status)
    colorize(other, session, 2, 0.8, 5)
    other.choose(session, event(1))
    updates = hints.take(session, new(hints.session))
    assert updates[tabs]["selected"] == HINTS_TAB
    taken = updates[hints.session]
    assert taken.current.spec == session.current.chosen.spec
    assert taken.current.spec.principal == FakePrincipalSpec(number=1, of=2, seed=5)
    assert taken.current.spec.temperature == 0.8
    same = np.abs(pixels(plain(taken)).astype(int) - pixels(session.current.chosen.preview))
    assert same.mean() < 3, "the preview is drawn on, and the photo there"
    drop(other, [], session)
    assert hints.put(taken, 3, 4)[hints.picture]["visible"]


def test_a_bad_photo_is_told_and_the_tab_is_empty(hints: HintsTab, root: Path, small: Path) -> None:
    session = opened(hints, small)
    bad = root / "bad.jpg"
    bad.write_bytes(b"no picture")
    updates = hints.open_photo(str(bad), session)
    assert text(updates, hints.status).startswith("bad.jpg: ")
    assert not updates[hints.picture]["visible"]
    assert not updates[hints.side]["visible"]
    fresh = new(hints.session)
    for updates in (hints.undo(session), hints.undo(fresh)):
        assert is_problem(updates, hints.status)


def test_taking_the_photo_away_or_closing_leaves_nothing(
    hints: HintsTab, root: Path, small: Path
) -> None:
    session = opened(hints, small)
    updates = hints.open_photo(None, session)
    assert not updates[hints.picture]["visible"]
    assert not any(root.rglob("*.png"))
    assert hints.offer(new(hints.session)) == {hints.swatches: ""}
    hints.open_photo(str(small), session)
    hints.session.delete_callback(session)
    assert not any(root.rglob("*.png"))


def test_a_change_meanwhile_wins(
    hints: HintsTab, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = opened(hints, small).require()
    before, colorizer = photo.chosen, hints._colorizer
    reproduce = colorizer.reproduce

    def interrupted(*arguments: Any, **options: Any) -> Any:
        photo.points.replace(())
        photo.points.replace((Hint(1, 1, 0, 0),))
        return reproduce(*arguments, **options)

    monkeypatch.setattr(colorizer, "reproduce", interrupted)
    photo.recolor(colorizer)
    assert photo.chosen is before
    assert len(list(photo.folder.glob("run-*"))) == 1
