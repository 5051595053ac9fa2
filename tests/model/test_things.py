"""The tree of things in a photo, and hints that color them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from colorflow.model.hints import ThingHint
from colorflow.model.segmentation import CLASSES
from colorflow.model.things import THINGS_GRID, Thing, Things

Array = NDArray[np.float32]
NO_OUTLINES = np.zeros((THINGS_GRID, THINGS_GRID), np.float32)


def person(noise: float = 0.5, seed: int = 0) -> Things:
    """A dark coat on light trousers before a gray wall; a face above, and the sky over the wall."""
    rng = np.random.default_rng(seed)
    names = np.full((THINGS_GRID, THINGS_GRID), CLASSES.index("building"))
    names[:24] = CLASSES.index("sky")
    names[48:60, 88:104] = CLASSES.index("skin")
    names[60:100, 72:120] = CLASSES.index("upper clothes")
    names[100:144, 72:120] = CLASSES.index("lower clothes")
    lightness = np.choose(np.searchsorted(np.unique(names), names), [60, 20, 75, 90, 50])
    sure = np.float32(np.eye(len(CLASSES))[names].transpose(2, 0, 1) * 0.9 + 0.1 / len(CLASSES))
    plane = np.float32(lightness) + noise * rng.standard_normal(names.shape).astype(np.float32)
    return Things(sure, NO_OUTLINES, plane.astype(np.float32))


def inside(mask: NDArray[np.bool_], rows: slice, columns: slice) -> float:
    """Intersection over union of a mask with a rectangle."""
    wanted = np.zeros_like(mask)
    wanted[rows, columns] = True
    return float((mask & wanted).sum() / (mask | wanted).sum())


@pytest.mark.parametrize("seed", [0, 1])
def test_things_end_where_classes_and_lightness_end(seed: int) -> None:
    found = person(seed=seed)
    coat, *larger = found.at(80, 96)
    assert coat.name == "upper clothes"
    assert coat.probability > 0.8
    assert inside(coat.mask, np.s_[60:100], np.s_[72:120]) > 0.95
    areas = [thing.area for thing in (coat, *larger)]
    assert all(small * 1.4 < large for small, large in pairwise(areas))
    assert all(not (coat.mask & ~thing.mask).any() for thing in larger)


def test_all_things_cover_the_photo_once_from_large_to_small() -> None:
    things = person().all
    assert (np.sum([thing.mask for thing in things], 0) == 1).all()
    assert sorted((thing.area for thing in things), reverse=True) == [t.area for t in things]
    assert {"sky", "building", "upper clothes", "lower clothes"} <= {t.name for t in things}


def test_outlines_go_around_the_cells_of_a_thing() -> None:
    (coat, *_) = person(noise=0).at(80, 96)
    (line,) = coat.outlines
    assert line.min(0) == pytest.approx([72 / 192, 60 / 192], abs=0.01)
    assert line.max(0) == pytest.approx([120 / 192, 100 / 192], abs=0.01)
    hole = person(noise=0).at(40, 10)[0]
    assert len(hole.outlines) == 2, "the wall, and what stands before it"


def test_nothing_is_surer_of_one_thing_than_its_parts_are() -> None:
    """Or a thing would go on beyond a border, where a larger region seems to be one again."""
    rng = np.random.default_rng(0)
    patches = rng.random((len(CLASSES), 24, 24)).repeat(8, 1).repeat(8, 2).astype(np.float32) ** 4
    lightness = rng.uniform(20, 80, (24, 24)).repeat(8, 0).repeat(8, 1).astype(np.float32)
    tree = Things(patches / patches.sum(0), NO_OUTLINES, lightness)._tree
    parents = tree._parents[:-1]
    assert (parents >= 0).all()
    assert (tree._odds[parents] >= tree._odds[:-1]).all()


def test_a_photo_of_one_tone_is_one_thing() -> None:
    size = (THINGS_GRID, THINGS_GRID)
    even = np.full((len(CLASSES), *size), 1 / len(CLASSES), np.float32)
    (thing,) = Things(even, NO_OUTLINES, np.full(size, 50, np.float32)).all
    assert thing.mask.all()


def test_a_hint_gives_its_thing_its_color_and_changes_nothing_else() -> None:
    ab = np.random.default_rng(0).normal(5, 1, (2, 2, 64, 64)).astype(np.float32)
    got = person().colored(ab, [ThingHint(80, 96, 40, -20, is_larger=False)])
    np.testing.assert_allclose(got[:, 0, 21:33, 25:39], 40, atol=0.01)
    np.testing.assert_allclose(got[:, 1, 21:33, 25:39], -20, atol=0.01)
    changed = np.abs(got - ab).max((0, 1)) > 1e-3
    changed[19:35, 23:41] = False
    assert not changed.any()


def test_a_hint_for_the_larger_thing_colors_that() -> None:
    found = person()
    second = found.at(80, 96)[1].mask
    got = found.colored(
        np.zeros((1, 2, 64, 64), np.float32), [ThingHint(80, 96, 40, 0, is_larger=True)]
    )
    whole = second.reshape(64, 3, 64, 3).all((1, 3))
    np.testing.assert_allclose(got[0, 0][whole], 40, atol=0.01)
    assert second.mean() > 1.4 * found.at(80, 96)[0].mask.mean()


def test_a_thing_in_a_larger_one_keeps_its_own_hint() -> None:
    hints = [
        ThingHint(80, 96, 40, 0, is_larger=False),
        ThingHint(120, 96, -40, 0, is_larger=True),
        ThingHint(10, 96, 0, 30, is_larger=False),
    ]
    for order in (hints, hints[::-1]):
        got = person().colored(np.zeros((1, 2, 64, 64), np.float32), order)[0]
        np.testing.assert_allclose(got[0, 21:33, 25:39], 40, atol=0.01)
        np.testing.assert_allclose(got[1, :7], 30, atol=0.01)
        np.testing.assert_allclose(got[0, 36:47, 25:39], -40, atol=0.01)


def test_hints_share_a_thing_and_near_ones_count_most() -> None:
    size = (THINGS_GRID, THINGS_GRID)
    even = np.full((len(CLASSES), *size), 1 / len(CLASSES), np.float32)
    hints = [ThingHint(96, 20, 40, 0, is_larger=False), ThingHint(96, 170, -40, 0, is_larger=False)]
    got = Things(even, NO_OUTLINES, np.full(size, 50, np.float32)).colored(
        np.zeros((1, 2, 64, 64), np.float32), hints
    )[0, 0]
    assert got[32, 6] == pytest.approx(40, abs=1)
    assert got[32, 57] == pytest.approx(-40, abs=1)
    assert (np.diff(got[32, 8:55]) <= 0).all()


def test_two_hints_on_what_seems_one_thing_part_it() -> None:
    """Where the classes say nothing and the border is faint, what both hints want is at odds."""
    size = (THINGS_GRID, THINGS_GRID)
    even = np.full((len(CLASSES), *size), 1 / len(CLASSES), np.float32)
    lightness = np.full(size, 50, np.float32)
    lightness[:, 96:] = 56
    lightness += 0.3 * np.random.default_rng(0).standard_normal(size).astype(np.float32)
    found = Things(even, NO_OUTLINES, lightness)
    assert len(found.all) == 1
    hints = [ThingHint(96, 90, 40, 0, is_larger=False), ThingHint(20, 102, -40, 0, is_larger=False)]
    got = found.colored(np.zeros((1, 2, 64, 64), np.float32), hints)[0, 0]
    assert got[:, :30].mean() > 30
    assert got[:, 34:].mean() < -30


def filled(got: Array, rows: slice, columns: slice) -> float:
    """Share of cells of a rectangle of the 64x64 grid that have the red of a hint."""
    return float((got[0, rows, columns] > 39).mean())


COAT, TROUSERS = (np.s_[21:32], np.s_[25:39]), (np.s_[35:47], np.s_[25:39])


@pytest.mark.parametrize("order", [1, -1])
def test_what_a_hint_adds_gets_its_color_even_where_a_smaller_thing_has_another(
    order: int,
) -> None:
    """A line down the trousers touches their regions; those that it misses stay as they are."""
    line = tuple((row, column) for row in range(102, 143) for column in (75, 86, 96, 106, 116))
    coat = ThingHint(80, 96, 40, -20, is_larger=False, adds=line)
    trousers = ThingHint(120, 96, -40, 0, is_larger=False)
    got = person().colored(np.zeros((1, 2, 64, 64), np.float32), [coat, trousers][::order])[0]
    assert filled(got, *COAT) == 1
    assert filled(got, *TROUSERS) > 0.9
    assert got[0, 40, 32] == -40, "the cell of the other hint"
    changed = np.abs(got).max(0) > 1e-3
    changed[19:49, 23:41] = False
    assert not changed.any()


def test_a_hint_colors_no_region_that_it_takes_even_if_it_adds_that() -> None:
    found, ab = person(), np.full((1, 2, 64, 64), 5, np.float32)
    plain = ThingHint(80, 96, 40, -20, is_larger=False)
    whole = found.colored(ab, [plain])[0]
    (coat, *_) = found.at(80, 96)
    place = next((row, 78) for row in range(64, 96) if not _same_region(coat, (row, 78), (80, 96)))
    region = coat.regions == coat.regions[place]
    inside = region.reshape(64, 3, 64, 3).all((1, 3))
    outside = ~region.reshape(64, 3, 64, 3).any((1, 3))
    assert inside.sum() >= 4
    for adds in ((), (place,)):
        got = found.colored(ab, [plain._replace(adds=adds, takes=(place,))])[0]
        np.testing.assert_array_equal(got[:, inside], ab[0][:, inside])
        np.testing.assert_array_equal(got[:, outside], whole[:, outside])


def _same_region(thing: Thing, one: tuple[int, int], other: tuple[int, int]) -> bool:
    return bool(thing.regions[one] == thing.regions[other])


def test_what_a_hint_takes_from_a_thing_in_a_larger_one_has_the_color_of_that() -> None:
    found = person()
    (coat, *_) = found.at(80, 96)
    taken = coat.mask & (coat.regions != coat.regions[80, 96])
    places = tuple((int(row), int(column)) for row, column in np.argwhere(taken))
    hints = [
        ThingHint(80, 96, 40, 0, is_larger=False, takes=places),
        ThingHint(62, 74, -40, 0, is_larger=True),
    ]
    got = found.colored(np.zeros((1, 2, 64, 64), np.float32), hints)[0, 0]
    inside = taken.reshape(64, 3, 64, 3).all((1, 3))
    assert inside.sum() > 100
    np.testing.assert_allclose(got[inside], -40, atol=1e-4)
    assert got[26, 32] == 40, "the region of the hint itself"


def test_hints_that_share_a_thing_keep_it_when_one_adds_to_it_and_takes_from_it() -> None:
    found = person()
    wall = (130, 20)
    sharing = [ThingHint(64, 76, 40, 0, is_larger=False), ThingHint(95, 116, -40, 0, False)]
    (coat, *_) = found.at(80, 96)
    place = (64, 116)
    assert not _same_region(coat, place, (95, 116))
    zeros = np.zeros((1, 2, 64, 64), np.float32)
    plain = found.colored(zeros, sharing)[0, 0]
    changed = [sharing[0]._replace(adds=(wall,), takes=(place,)), sharing[1]]
    got = found.colored(zeros, changed)[0, 0]
    assert np.isfinite(got).all()
    region = (coat.regions == coat.regions[place]).reshape(64, 3, 64, 3)
    np.testing.assert_allclose(got[region.all((1, 3))], -40, atol=1e-4, err_msg="of the other one")
    behind = (coat.regions == coat.regions[wall]).reshape(64, 3, 64, 3).all((1, 3))
    np.testing.assert_allclose(got[behind], 40, atol=1e-4)
    untouched = ~region.any((1, 3))
    untouched[~coat.mask.reshape(64, 3, 64, 3).any((1, 3))] = False
    np.testing.assert_allclose(got[untouched], plain[untouched], atol=1e-4)


def test_a_hint_that_takes_its_own_region_leaves_no_dot() -> None:
    ab = np.full((1, 2, 64, 64), 5, np.float32)
    every = tuple((row, column) for row in range(THINGS_GRID) for column in range(THINGS_GRID))
    got = person().colored(ab, [ThingHint(80, 96, 40, 0, is_larger=False, takes=every)])
    np.testing.assert_array_equal(got, ab)
