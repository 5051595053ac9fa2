"""Prints are found on their bed, and come out of it upright."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data

from benchmarks.by_hand import BEDS as TABLES
from benchmarks.by_hand import by_hand
from colorflow.photo import Photo, photo_from_image
from colorflow.photo.metadata import Metadata
from colorflow.scan import (
    Frame,
    cut_out,
    find_frames,
    is_doubtful,
    looks_like_bed,
    overlaps,
)

BEDS = {"white": 248, "black": 10, "gray": 128}


def print_of(name: str, border: int = 12) -> np.ndarray:
    """A photo on paper, (H, W, 3)."""
    photo = cv2.resize(getattr(skimage.data, name)()[..., :3], (300, 220))
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    paper = cv2.copyMakeBorder(gray, *4 * (border,), cv2.BORDER_CONSTANT, value=205)
    return cv2.cvtColor(paper, cv2.COLOR_GRAY2RGB)


def laid(
    scan: np.ndarray,
    paper: np.ndarray,
    center: tuple[float, float],
    degrees: float,
    border: int = 12,
) -> np.ndarray:
    """Lays a print down; gives the corners of the picture on it, (4, 2)."""
    height, width = paper.shape[:2]
    outline = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([(c, s), (-s, c)])
    corners = (outline - (width / 2, height / 2)) @ turn + center
    matrix = cv2.getPerspectiveTransform(np.float32(outline - 0.5), np.float32(corners - 0.5))
    size = scan.shape[1], scan.shape[0]
    shape = cv2.warpPerspective(np.ones((height, width), np.float32), matrix, size)[..., None]
    scan[:] = np.round(scan * (1 - shape) + cv2.warpPerspective(paper, matrix, size) * shape)
    inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * border
    return corners + inward @ turn


def landscape(height: int = 300, width: int = 400) -> np.ndarray:
    """A sepia photo with a bright sky that reaches the left edge, and dark land, (H, W, 3)."""
    rng = np.random.default_rng(0)
    tones = 70 + rng.normal(0, 3, (height, width, 1))
    tones[: 6 * height // 10, : 85 * width // 100] += 145
    return np.clip(tones * (1.0, 0.85, 0.62), 0, 255).astype(np.uint8)


def bed(kind: str, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(0, 1.5, (height, width, 1))
    return np.clip(BEDS[kind] + noise, 0, 255).repeat(3, 2).astype(np.uint8)


@pytest.mark.parametrize("kind", BEDS)
@pytest.mark.parametrize("degrees", [0.0, 4.0, -7.5])
def test_a_print_is_found_and_nothing_of_the_bed_is_left_around_it(
    kind: str, degrees: float
) -> None:
    scan = bed(kind, 420, 520, np.random.default_rng(0))
    corners = laid(scan, print_of("coffee"), (250, 215), degrees)
    (frame,) = find_frames(photo_from_image(scan))
    assert np.abs(np.array(frame.corners) - corners).max() < 3
    assert np.abs(np.subtract(frame.size, (300, 220))).max() <= 3
    scan = bed(kind, 420, 520, np.random.default_rng(0))
    tone = 60 if kind == "gray" else 128
    laid(scan, np.full((220, 300, 3), tone, np.uint8), (250, 215), degrees)
    photo = photo_from_image(scan)
    (frame,) = find_frames(photo)
    towards_bed = np.sign(BEDS[kind] - tone)
    assert ((cut_out(photo, frame).pixels.astype(int) - tone) * towards_bed).max() < 12


def test_several_prints_are_found_in_reading_order() -> None:
    scan = bed("white", 640, 820, np.random.default_rng(1))
    centers = [(200, 160), (600, 170), (210, 470)]
    corners = [laid(scan, print_of("coffee"), center, 2.0) for center in centers]
    frames = find_frames(photo_from_image(scan))
    assert len(frames) == 3
    for frame, expected in zip(frames, corners, strict=True):
        assert np.abs(np.array(frame.corners) - expected).max() < 3


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "camera", "rocket", "coins"])
def test_a_photo_without_a_bed_is_left_alone(name: str) -> None:
    photo = photo_from_image(getattr(skimage.data, name)())
    assert find_frames(photo) == []
    assert looks_like_bed(photo) == (name == "coins"), "coins lie on a plain ground"


def test_a_bed_with_no_print_on_it_has_none() -> None:
    for value in (0, 128, 255):
        assert find_frames(photo_from_image(np.full((300, 400), value, np.uint8))) == []
    scan = bed("white", 400, 500, np.random.default_rng(2))
    cv2.circle(scan, (250, 200), 120, (40, 40, 40), -1)
    assert find_frames(photo_from_image(scan)) == [], "what is round is no print"
    assert looks_like_bed(photo_from_image(scan)), "but somebody may be asked where it ends"
    scan = bed("white", 300, 400, np.random.default_rng(0))
    scan[180:] = cv2.resize(skimage.data.coffee(), (400, 120))
    assert find_frames(photo_from_image(scan)) == [], "a horizon is no print"


def test_a_straight_cut_keeps_pixels_depth_and_metadata() -> None:
    values = np.random.default_rng(0).integers(0, 65536, (60, 80, 3), np.uint16)
    pixels, alpha = (values >> 8).astype(np.uint8), (values[..., 0] >> 8).astype(np.uint8)
    metadata = Metadata(format="TIFF", dpi=(600, 600))
    photo = Photo(pixels=pixels, pixels16=values, alpha=alpha, metadata=metadata)
    frame = Frame(((10, 20), (50, 20), (50, 50), (10, 50)))
    for turns in (0, 1):
        cut = cut_out(photo, frame, turns)
        expected = np.rot90(values[20:50, 10:50], -turns)
        np.testing.assert_array_equal(cut.pixels16, expected)
        np.testing.assert_array_equal(cut.alpha, expected[..., 0] >> 8)
        assert cut.metadata.dpi == (600, 600)


def test_a_tilted_print_comes_out_straight() -> None:
    paper = print_of("astronaut")
    scan = bed("black", 460, 560, np.random.default_rng(0))
    corners = laid(scan, paper, (280, 230), 6.0, border=0)
    frame = Frame(tuple(map(tuple, corners)))
    cut = cut_out(photo_from_image(scan), frame)
    assert cut.pixels.shape == paper.shape
    inside = np.s_[4:-4, 4:-4]
    difference = np.abs(cut.pixels[inside].astype(float) - paper[inside])
    assert difference.mean() < 5  # interpolated twice


@pytest.mark.parametrize(
    "corners",
    [
        ((0, 0), (1, 0), (1, 1)),
        ((0, 0), (9, 0), (9, float("nan")), (0, 9)),
        ((0, 0), (9, 9), (9, 0), (0, 9)),
        ((0, 0), (0, 9), (9, 9), (9, 0)),
    ],
)
def test_corners_that_are_no_quadrilateral_are_refused(corners: tuple) -> None:
    with pytest.raises(ValueError, match="corners"):
        Frame(corners)


@pytest.mark.parametrize("kind", ["white", "black"])
@pytest.mark.parametrize("side", range(4))
def test_a_print_that_lies_over_an_edge_is_cut_out_there(kind: str, side: int) -> None:
    scan = bed(kind, 420, 520, np.random.default_rng(side))
    degrees = float(np.random.default_rng(side).uniform(-4, 4))
    corners = laid(scan, print_of("coffee", 0), (260, 210), degrees, 0)
    cut = 40
    if side == 0:
        scan = scan[int(corners[:2, 1].max()) + cut :]
        corners -= (0, 420 - len(scan))
    elif side == 1:
        scan = scan[:, : int(corners[1:3, 0].min()) - cut]
    elif side == 2:
        scan = scan[: int(corners[2:, 1].min()) - cut]
    else:
        scan = scan[:, int(corners[[0, 3], 0].max()) + cut :]
        corners -= (520 - scan.shape[1], 0)
    (frame,) = find_frames(photo_from_image(np.ascontiguousarray(scan)))
    found = np.array(frame.corners)
    whole = [(side + 2) % 4, (side + 3) % 4]  # the corners of the opposite side
    assert np.abs(found - corners)[whole].max() < 4
    assert (found > -1).all()
    assert (found < np.array(scan.shape[1::-1]) + 1).all()
    edges = np.roll(found, -1, 0) - found
    tilts = [np.degrees(np.arctan2(*edges[one][::-1])) for one in (side, (side + 2) % 4)]
    assert abs((tilts[0] - tilts[1]) % 360 - 180) < 0.5, "a cut side is parallel to the other one"


def test_a_part_of_a_picture_is_no_print_that_is_cut_out_by_itself() -> None:
    photo = photo_from_image(landscape())
    (sky,) = find_frames(photo)
    assert 0.4 < sky.area / photo.pixels[..., 0].size < 0.6
    assert is_doubtful(photo, [sky])
    inner = Frame(((50, 40), (300, 40), (300, 170), (50, 170)))
    assert is_doubtful(photo, [inner]), "the sky is along two edges, and the land along the others"
    assert not is_doubtful(photo, [sky, inner]), "several are prints"
    assert not is_doubtful(photo, [])
    for kind in BEDS:
        scan = bed(kind, 500, 700, np.random.default_rng(0))
        laid(scan, print_of("coffee"), (250, 215), 3.0)
        scan_photo = photo_from_image(scan)
        (small,) = find_frames(scan_photo)
        assert small.area < 0.3 * scan[..., 0].size
        assert not is_doubtful(scan_photo, [small]), "a bed is on all sides"
        cut = photo_from_image(np.ascontiguousarray(scan[130:]))
        (rest,) = find_frames(cut)
        assert is_doubtful(cut, [rest]), "it lies over an edge"


def test_frames_that_have_a_part_in_common_are_named() -> None:
    def frame(left: float, top: float) -> Frame:
        return Frame(
            ((left, top), (left + 100, top), (left + 100, top + 80), (left, top + 80)),
        )

    frames = [frame(0, 0), frame(200, 0), frame(90, 10), frame(299.5, 0), frame(210, 10)]
    assert overlaps(frames) == [(0, 2), (1, 4), (3, 4)]
    assert overlaps(frames[:2]) == []


def worst_corner(frames: list[Frame], picture: np.ndarray) -> float:
    """How far the nearest frame is from a picture, as a share of its diagonal."""
    off = [np.linalg.norm(np.array(frame.corners) - picture, axis=1).max() for frame in frames]
    return min(off) / np.linalg.norm(picture[2] - picture[0])


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(("ratio", "turn"), [(0.74, 20.0), (0.6, -20.0)])
def test_a_print_that_is_photographed_by_hand_is_found(
    table: str, ratio: float, turn: float
) -> None:
    rng = np.random.default_rng(0)
    scan, (picture,) = by_hand([skimage.data.coffee()], table, ratio, turn, rng)
    frames = find_frames(photo_from_image(scan))
    assert len(frames) == 1
    assert worst_corner(frames, picture) < 0.02


def test_four_prints_on_wood_are_cut_out_straight_and_without_their_borders() -> None:
    names = ("coffee", "camera", "chelsea", "astronaut")
    photos = [getattr(skimage.data, name)() for name in names]
    scan, pictures = by_hand(photos, "wood", 0.8, 5.0, np.random.default_rng(0))
    frames = find_frames(photo_from_image(scan))
    assert len(frames) == 4
    for picture in pictures:
        assert worst_corner(frames, picture) < 0.015


@pytest.mark.parametrize("table", ["gray", "white"])
def test_a_table_on_which_no_print_is_found_looks_like_one(table: str) -> None:
    scan, (picture,) = by_hand([skimage.data.coffee()], table, 1.0, 0.0, np.random.default_rng(0))
    middle = picture.mean(0).astype(int)
    cv2.circle(scan, middle.tolist(), 420, (120, 110, 90), -1)
    photo = photo_from_image(scan)
    assert find_frames(photo) == []
    assert looks_like_bed(photo)


def test_tiny_and_narrow_pictures_are_no_fault() -> None:
    """Flat ones with a rectangle in them, whose border has no pixels left."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        height, width = rng.integers(5, 60, 2)
        picture = rng.integers(0, 255, 3) + rng.normal(0, 2, (height, width, 3))
        top, left = rng.integers(0, height - 2), rng.integers(0, width - 2)
        bottom, right = top + rng.integers(1, height), left + rng.integers(1, width)
        picture[top:bottom, left:right] = rng.integers(0, 255, 3)
        frames = find_frames(photo_from_image(picture.clip(0, 255).astype(np.uint8)))
        assert all(np.isfinite(frame.corners).all() for frame in frames)
