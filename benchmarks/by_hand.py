"""Draws prints on a table as a phone sees them: from the side, turned, in uneven light.

The print and its bed lie in one plane, and one perspective shows both; then come the light of a
lamp, the shadow of whoever holds the phone, blur, noise and JPEG.

Dimensions: H, W pixels of the picture; (u, v) a place in the plane, in the unit of a print's pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.photo import Picture

Points = NDArray[np.float64]

BEDS = ("wood", "gray", "white", "cloth")
_SIZE = (1152, 864)
"""Pixels of the picture, about a megapixel."""
_TILE = 1000
"""Pixels of a bed's texture, which is mirrored beyond."""
_WOODS = ((96, 66, 42), (150, 105, 68), (188, 150, 108), (120, 92, 74))
_CLOTHS = ((45, 48, 62), (62, 38, 36), (38, 52, 42), (50, 50, 50))
_PAPERS = ((226, 222, 210), (232, 224, 200), (238, 238, 236))
"""sRGB of woods, cloths, and photographic paper."""
_SQUARE = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)


def by_hand(
    photos: Sequence[NDArray[np.uint8]],
    bed: str,
    ratio: float,
    turn: float,
    rng: np.random.Generator,
) -> tuple[Picture, list[Points]]:
    """Prints on a bed, seen by a phone.

    Args:
        photos: one or four, (h, w) or (h, w, 3); four lie in two rows.
        bed: one of `BEDS`.
        ratio: how long the far side is, as a share of the near one; any side may be far.
        turn: degrees by which the whole is turned.
        rng: draws all that is not said.

    Returns:
        (H, W, 3) sRGB and the corners (4, 2) of the picture on each print.
    """
    papers = [_paper(photo, rng) for photo in photos]
    places = _places([paper.shape[1::-1] for paper, _ in papers], rng)
    size = _SIZE if rng.random() < 0.5 else _SIZE[::-1]
    plane = _view(np.concatenate(places), ratio, turn, size, rng)
    scan = _seen_bed(bed, plane, size, rng)
    corners = []
    shadow = rng.uniform(-8, 8, 2)
    for (paper, border), place in zip(papers, places, strict=True):
        height, width = paper.shape[:2]
        outline = (_SQUARE * (width, height)).astype(np.float32)
        seen = cv2.perspectiveTransform(place[None], plane)[0].astype(np.float32)
        matrix = cv2.getPerspectiveTransform(outline - 0.5, seen - 0.5)
        laid = cv2.warpPerspective(paper, matrix, size, flags=cv2.INTER_AREA)
        shape = cv2.warpPerspective(np.ones((height, width), np.float32), matrix, size)[..., None]
        dark = cv2.GaussianBlur(shape, (0, 0), 5)
        moved = cv2.warpAffine(dark, np.array([[1, 0, shadow[0]], [0, 1, shadow[1]]]), size)
        scan *= 1 - 0.35 * moved[..., None]
        scan += shape * (laid - scan)
        inner = outline + border * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], np.float32)
        there = cv2.getPerspectiveTransform(outline, seen)
        corners.append(cv2.perspectiveTransform(inner[None], there)[0].astype(np.float64))
    scan *= _light(size, rng)[..., None] * rng.uniform(0.94, 1.04, 3)
    blurred = cv2.GaussianBlur(scan, (0, 0), rng.uniform(0.5, 1.1))
    noisy = blurred + rng.normal(0, rng.uniform(1, 4), scan.shape)
    sharp = np.clip(noisy, 0, 255).astype(np.uint8)
    jpeg = cv2.imencode(".jpg", sharp, [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8), corners


def _paper(photo: NDArray[np.uint8], rng: np.random.Generator) -> tuple[NDArray[np.float32], int]:
    """A gray or brown print, (h, w, 3), and the pixels of its blank border, which may be 0."""
    gray: NDArray[Any] = photo
    if photo.ndim == 3:
        gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    scale = 640 / max(gray.shape)
    gray = np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    paper = np.array(_PAPERS[rng.integers(len(_PAPERS))], np.float32)
    black = rng.uniform(0.05, 0.25) * np.array([1.1, 1.0, 0.85])
    tone = (gray / 255.0)[..., None] * rng.uniform(0.85, 1.0)
    toned = (paper * (black + (1 - black) * tone)).astype(np.float32)
    border = round(rng.uniform(0.02, 0.06) * min(gray.shape)) if rng.random() < 0.6 else 0
    edges = 4 * (border,)
    framed = cv2.copyMakeBorder(toned, *edges, cv2.BORDER_CONSTANT, value=paper.tolist())
    return np.asarray(framed, np.float32), border


def _places(sizes: Sequence[tuple[int, int]], rng: np.random.Generator) -> list[Points]:
    """The corners of each print in the plane: one by itself, or in two rows, laid by hand."""
    cell = 1.15 * np.max(sizes, axis=0)
    places = []
    for index, size in enumerate(sizes):
        tilt = np.radians(rng.uniform(-4, 4)) if len(sizes) > 1 else 0.0
        turn = np.array([(np.cos(tilt), np.sin(tilt)), (-np.sin(tilt), np.cos(tilt))])
        places.append((_SQUARE - 0.5) * size @ turn + cell * (index % 2, index // 2))
    return places


def _view(
    points: Points, ratio: float, turn: float, size: tuple[int, int], rng: np.random.Generator
) -> Points:
    """The perspective (3, 3) from the plane to the picture, in which all points are."""
    middle = (points.min(0) + points.max(0)) / 2
    across, down = np.ptp(points, axis=0)
    side = int(rng.integers(4))
    c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[side]
    depth = (down, across)[side % 2]
    slope = (1 - ratio) / (1 + ratio) * 2 / depth
    flat = 1 - 0.6 * (1 - ratio)  # what is seen from the side is shortened
    center = np.array([(1, 0, -middle[0]), (0, 1, -middle[1]), (0, 0, 1)])
    quarter = np.array([(c, -s, 0), (s, c, 0), (0, 0, 1.0)])
    seen = np.array([(1, 0, 0), (0, flat, 0), (0, -slope, 1)])
    angle = np.radians(turn)
    c, s = np.cos(angle), np.sin(angle)
    turned = np.array([(c, -s, 0), (s, c, 0), (0, 0, 1)]) @ quarter.T @ seen @ quarter @ center
    shown = cv2.perspectiveTransform(points[None], turned)[0]
    space = np.array(size) * rng.uniform(0.72, 0.93)
    scale = min(space / np.ptp(shown, axis=0))
    room = np.array(size) - scale * np.ptp(shown, axis=0)
    moved = room * rng.uniform(0.3, 0.7, 2) - scale * shown.min(0)
    return np.array([(scale, 0, moved[0]), (0, scale, moved[1]), (0, 0, 1)]) @ turned


def _seen_bed(
    bed: str, plane: Points, size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """A bed's texture in the plane, as the picture shows it, (H, W, 3)."""
    far = cv2.perspectiveTransform(_SQUARE[None] * size, np.linalg.inv(plane))[0]
    zoom = max(1.0, np.ptp(far, axis=0).max() / (2 * _TILE))
    onto = np.array([(zoom, 0, far[:, 0].min()), (0, zoom, far[:, 1].min()), (0, 0, 1)])
    tile = texture(bed, rng)
    whole = cv2.copyMakeBorder(tile, 0, _TILE, 0, _TILE, cv2.BORDER_REFLECT)
    flags = cv2.INTER_AREA
    seen = cv2.warpPerspective(
        whole, plane @ onto, size, flags=flags, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(seen, np.float32)


def texture(bed: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """A bed from above, (`_TILE`, `_TILE`, 3)."""
    if bed == "wood":
        return _wood(rng)
    rough = _noise(4, 4, rng) + 1.5 * _noise(80, 80, rng)
    if bed == "cloth":
        threads = np.sin(np.arange(_TILE) * rng.uniform(0.5, 0.9))
        weave = 5 * np.outer(threads, threads) + 3 * _noise(1, 1, rng) + rough
        tone = np.array(_CLOTHS[rng.integers(len(_CLOTHS))])
        return np.asarray(tone + (weave + 5 * _noise(200, 200, rng))[..., None], np.float32)
    lightness = rng.uniform(100, 185) if bed == "gray" else rng.uniform(222, 250)
    grain = 0.5 * rough + 2 * _noise(1, 1, rng)
    return np.asarray(lightness + rng.uniform(-4, 4, 3) + grain[..., None], np.float32)


def _noise(across: int, down: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Normal noise of std 1, (`_TILE`, `_TILE`), that is smooth over so many pixels."""
    coarse = rng.normal(0, 1, (2 + _TILE // down, 2 + _TILE // across)).astype(np.float32)
    smooth = cv2.resize(coarse, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth / smooth.std(), np.float32)


def _wood(rng: np.random.Generator) -> NDArray[np.float32]:
    """Planks with grain along them, and dark joints."""
    rows = np.arange(_TILE)[:, None] + 8 * _noise(250, 80, rng)
    rings = np.sin(rows / rng.uniform(6, 14))
    change = 0.5 * _noise(60, 1, rng) + 0.5 * _noise(280, 10, rng) + 0.6 * rings
    plank = np.arange(_TILE) // int(rng.integers(160, 420))
    change += rng.normal(0, 0.9, int(plank.max()) + 1)[plank][:, None]
    joint = np.diff(plank, prepend=0) > 0
    change[np.convolve(joint, np.ones(4), "same") > 0] -= 5
    tone = np.array(_WOODS[rng.integers(len(_WOODS))], np.float32)
    wood = tone * (1 + 0.075 * change[..., None])
    return np.asarray(np.rot90(wood, int(rng.integers(2))), np.float32)


def _light(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """The light of a lamp from one side, and the shadow of a hand and a phone, (H, W)."""
    width, height = size
    x, y = np.linspace(-1, 1, width)[None], np.linspace(-1, 1, height)[:, None]
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 + rng.uniform(0, 0.2) * (np.cos(angle) * x + np.sin(angle) * y)
    light -= rng.uniform(0, 0.12) * (x**2 + y**2)
    if rng.random() < 0.5:
        shade = np.zeros((height, width), np.float32)
        middle = (int(rng.uniform(0.2, 0.8) * width), height)
        axes = (int(rng.uniform(0.2, 0.4) * width), int(rng.uniform(0.3, 0.6) * height))
        cv2.ellipse(shade, middle, axes, rng.uniform(-30, 30), 0, 360, 1, -1)
        light *= 1 - rng.uniform(0.1, 0.3) * cv2.GaussianBlur(shade, (0, 0), 0.04 * width)
    return np.asarray(light, np.float32)
