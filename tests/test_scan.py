"""Prints are found on their bed, and come out of it upright."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data

from colorflow.photo import Photo, photo_from_image
from colorflow.photo.metadata import Metadata
from colorflow.scan import Frame, cut_out, find_frames

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


def bed(kind: str, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(0, 1.5, (height, width, 1))
    return np.clip(BEDS[kind] + noise, 0, 255).repeat(3, 2).astype(np.uint8)


@pytest.mark.parametrize("kind", BEDS)
@pytest.mark.parametrize("degrees", [0.0, 4.0, -7.5])
def test_a_print_is_found(kind: str, degrees: float) -> None:
    scan = bed(kind, 420, 520, np.random.default_rng(0))
    corners = laid(scan, print_of("coffee"), (250, 215), degrees)
    (frame,) = find_frames(photo_from_image(scan))
    assert np.abs(np.array(frame.corners) - corners).max() < 3
    width, height = frame.size
    assert abs(width - 300) <= 3
    assert abs(height - 220) <= 3


@pytest.mark.parametrize("kind", ["white", "black"])
def test_nothing_of_the_bed_is_left_around_a_print(kind: str) -> None:
    scan = bed(kind, 420, 520, np.random.default_rng(0))
    paper = np.full((220, 300, 3), 128, np.uint8)
    laid(scan, paper, (250, 215), 5.0)
    photo = photo_from_image(scan)
    (frame,) = find_frames(photo)
    assert np.abs(cut_out(photo, frame).pixels.astype(int) - 128).max() < 12


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
    assert find_frames(photo_from_image(getattr(skimage.data, name)())) == []


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_bed_has_no_print(value: int) -> None:
    assert find_frames(photo_from_image(np.full((300, 400), value, np.uint8))) == []


def test_what_is_round_is_no_print() -> None:
    scan = bed("white", 400, 500, np.random.default_rng(2))
    cv2.circle(scan, (250, 200), 120, (40, 40, 40), -1)
    assert find_frames(photo_from_image(scan)) == []


def test_a_straight_cut_keeps_every_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    photo = replace(photo_from_image(pixels), alpha=pixels[..., 0].copy())
    frame = Frame(((10, 20), (50, 20), (50, 50), (10, 50)))
    cut = cut_out(photo, frame)
    assert np.array_equal(cut.pixels, pixels[20:50, 10:50])
    assert cut.alpha is not None
    assert np.array_equal(cut.alpha, pixels[20:50, 10:50, 0])
    turned = cut_out(photo, frame, turns=1)
    assert np.array_equal(turned.pixels, np.rot90(pixels[20:50, 10:50], -1))


def test_depth_and_metadata_stay() -> None:
    values = np.random.default_rng(0).integers(0, 65536, (40, 50), np.uint16)
    photo = Photo(
        pixels=(values >> 8).astype(np.uint8),
        pixels16=values,
        metadata=Metadata(format="TIFF", dpi=(600, 600)),
    )
    cut = cut_out(photo, Frame(((5, 5), (25, 5), (25, 35), (5, 35))))
    assert cut.metadata.dpi == (600, 600)
    assert cut.pixels16 is not None
    assert np.array_equal(cut.pixels16, values[5:35, 5:25])


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


def test_a_horizon_is_no_print() -> None:
    scan = bed("white", 300, 400, np.random.default_rng(0))
    scan[180:] = cv2.resize(skimage.data.coffee(), (400, 120))
    assert find_frames(photo_from_image(scan)) == []
