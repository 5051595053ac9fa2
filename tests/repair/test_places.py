"""What is damage: the two-groups model against enumeration, places with rims and what follows."""

from __future__ import annotations

from itertools import pairwise, product

import cv2
import numpy as np
import pytest

from colorflow.limits import SENSITIVITIES
from colorflow.repair import places as module
from colorflow.repair.places import damaged, mask_of, touched


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_probabilities_are_those_of_all_cases_counted(n: int, rng: np.random.Generator) -> None:
    """Bayes' rule over every way in which places may be damage, for every share."""
    ratios, prior = rng.normal(0, 3, n), float(rng.normal(0, 2))
    shares = module._SHARES
    total, each = 1 / (1 + np.exp(prior)), np.zeros(n)  # a sound print has one way
    for share in shares:
        for case in product((False, True), repeat=n):
            is_damage = np.array(case)
            likely = np.prod(np.where(is_damage, share * np.exp(ratios), 1 - share))
            weight = likely / len(shares) / (1 + np.exp(-prior))
            total += weight
            each += weight * is_damage
    np.testing.assert_allclose(damaged(ratios, prior), each / total, rtol=1e-9)


def test_a_sure_place_lets_faint_ones_count(rng: np.random.Generator) -> None:
    faint = rng.uniform(0.5, 2, 8)
    alone, beside = damaged(faint[:2], -4), damaged(np.append(faint, [6, 6, 6]), -4)
    assert (alone < 0.5).all()
    assert (beside > 0.5).all()
    assert damaged(np.zeros(0), -4).shape == (0,)


def test_many_places_without_evidence_say_that_a_print_is_sound(rng: np.random.Generator) -> None:
    some = damaged(np.append(rng.uniform(-6, -2, 10), 3.0), -2)[-1]
    many = damaged(np.append(rng.uniform(-6, -2, 1000), 3.0), -2)[-1]
    assert many < some


def test_more_sensitive_is_more(rng: np.random.Generator) -> None:
    odds = np.full((100, 200), -9, np.float16)
    for number, peak in enumerate(rng.permutation(np.linspace(0.5, 5.5, 9))):
        odds[40:48, 20 * number + 5 : 20 * number + 13] = peak
    masks = [mask_of(odds.astype(np.float16), one) for one in SENSITIVITIES]
    assert all((low <= high).all() for low, high in pairwise(masks))
    assert masks[-1].sum() > masks[0].sum()
    assert not mask_of(np.full((40, 50), -4, np.float16)).any()
    with pytest.raises(ValueError, match="sensitivity"):
        mask_of(np.zeros((3, 3), np.float16), 3)


def test_sure_places_are_filled_whole_and_with_a_rim() -> None:
    odds = np.full((60, 400), -9, np.float16)
    odds[25:28, 5:15] = 14
    odds[25:28, 15:60] = 0.5  # hangs together with it
    odds[35:38, 100:110] = -0.5  # unlikely
    odds[10, 230] = 14  # a single pixel
    mask = mask_of(odds, 2)
    assert mask[23:30, 3:62].all()
    assert mask.sum() == 7 * 59


def test_the_border_of_a_print_is_no_damage() -> None:
    """But what reaches into the print is filled up to its edge."""
    odds = np.full((300, 400), -9, np.float16)
    odds[:5] = odds[-5:] = 14
    odds[:, :5] = odds[:, -5:] = 14
    assert not mask_of(odds, 2).any()
    odds[100:103, 5:60] = 14
    assert mask_of(odds)[101, :60].all()


@pytest.mark.parametrize("turns", range(4))
def test_a_bed_along_an_edge_is_no_damage(turns: int) -> None:
    """However wide; but not what crosses the border, however often."""
    odds = np.full((300, 400), -9, np.float16)
    odds[:40, 30:350] = 14
    assert not mask_of(np.rot90(odds, turns), 2).any()
    odds[:40] = -9
    odds[100:103] = 14  # a net of cracks from edge to edge
    for left in range(20, 390, 20):
        odds[:, left : left + 3] = 14
    assert mask_of(np.rot90(odds, turns))[10:-10, 10:-10].any()


def test_one_sure_crack_is_found_in_a_print_without_anything_else() -> None:
    odds = np.full((60, 400), -9, np.float16)
    odds[25:28, 5:15] = 14
    assert mask_of(odds)[26, 5:15].all()


@pytest.fixture
def cracked(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Log odds with a winding crack that gets fainter, (300, 400), and where it is."""
    odds = rng.normal(-10, 0.5, (300, 400)).astype(np.float16)
    crack = np.zeros(odds.shape, bool)
    for column in range(30, 370):
        row = int(150 + 60 * np.sin(column / 40))
        crack[row - 2 : row + 3, column] = True
        odds[row - 2 : row + 3, column] = 1 - column / 100
    odds[40:60, 40:60] = 5  # something else
    return odds, crack


@pytest.mark.parametrize("column", [40, 200, 360])
def test_a_click_takes_a_whole_crack(cracked: tuple[np.ndarray, np.ndarray], column: int) -> None:
    odds, crack = cracked
    place = (column, 146 + 60 * np.sin(column / 40))  # a little beside it
    mask = touched(odds, [place], 8)
    assert mask[crack].mean() > (0.98 if column > 40 else 0.8)
    assert not mask[:70].any()
    assert mask.mean() < 0.05


def test_a_click_on_a_crack_leaves_the_face_that_it_crosses() -> None:
    """Though that hangs together with it, and is no less likely than the crack's faint end."""
    odds = np.full((200, 300), -9, np.float16)
    odds[60:130, 120:180] = -2.4  # a face
    odds[95:99, 20:280] = np.linspace(0, -2.0, 260)
    mask = touched(odds, [(40, 97)], 4)
    assert mask[95:99, 25:200].mean() > 0.95
    assert not mask[60:85].any()


def test_a_click_does_not_run_along_the_border() -> None:
    """But to the edge, and along it if it is what was clicked."""
    odds = np.full((200, 300), -9, np.float16)
    odds[:3] = odds[-3:] = odds[:, :3] = odds[:, -3:] = 0
    odds[98:102, :200] = 0
    mask = touched(odds, [(50, 100)], 3)
    assert mask[98:102, :200].all()
    assert not mask[:80].any()
    assert touched(odds, [(150, 1)], 1)[:3].all()
    assert touched(odds, [(150, 3)], 3)[:3].all(), "the touch is wider than the border"


def test_a_stroke_takes_what_is_under_it(cracked: tuple[np.ndarray, np.ndarray]) -> None:
    odds, crack = cracked
    along = [(column, 150 + 60 * np.sin(column / 40)) for column in range(150, 250, 10)]
    mask = touched(odds, along, 10)
    assert mask[:, 160:240][crack[:, 160:240]].mean() > 0.95
    assert not mask[:, :130].any()
    assert mask.sum() < 2 * crack[:, 140:260].sum()


def test_where_nothing_is_seen_the_stroke_itself_counts() -> None:
    odds = np.full((50, 60), -12, np.float16)
    mask = touched(odds, [(10, 20), (40, 20)], 3)
    assert mask[20, 10:41].all()
    assert mask.sum() == touched(odds, [(40, 20), (10, 20)], 3).sum() < 9 * 50


def test_a_click_never_takes_half_of_a_photo(rng: np.random.Generator) -> None:
    """Texture that hangs together: only its surest part is taken."""
    odds = cv2.GaussianBlur(rng.normal(0, 20, (200, 200)).astype(np.float32), (0, 0), 3)
    odds += np.linspace(0, 3, 200, dtype=np.float32)
    mask = touched(odds.astype(np.float16), [(180.0, 100.0)], 6)
    assert mask.any()
    assert mask.mean() < 0.25


def test_a_click_follows_a_crack_and_not_what_it_meets() -> None:
    """Neither a torn corner nor a face is a band, though as likely as the crack itself."""
    odds = np.full((200, 300), -9, np.float16)
    odds[60:130, 120:180] = -3.5  # a face
    odds[95:99, 20:280] = -1.4
    odds[70:130, 240:280] = -1.4  # a torn corner
    mask = touched(odds, [(60, 97)], 3)
    assert mask[95:99, 20:225].mean() > 0.95
    mask[91:103] = False
    assert not mask.any()


@pytest.mark.parametrize("column", [100, 118])
def test_a_click_takes_a_whole_spot(column: int) -> None:
    """In its middle, and at its rim."""
    odds, spot = np.full((500, 600), -9, np.float16), np.zeros((500, 600), np.uint8)
    cv2.circle(spot, (100, 90), 15, 1, -1)
    odds[spot > 0] = 3
    mask = touched(odds, [(column, 90)], 4)
    assert mask[spot > 0].all()
    assert mask.sum() < 1.5 * spot.sum()
