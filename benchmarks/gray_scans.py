"""How many scans of gray photos count as colored, and how many color photos as gray or tinted.

    python -m benchmarks.gray_scans GRAY COLORED

Of each historic photo in the folder GRAY it makes scans with the colors that paper, scanners and
people add: a warm-cool gradient, a yellow stain, a scanner bed with a cream mount, a wooden table,
a line of ink, a stamp, an oval mount, a cream border on a white bed, a yellow sepia toning, and
some together; and a hand-colored print, which must stay colored. Of each color photo in the folder
COLORED it also makes a faded print, an autochrome, and a print with a cream border on a white bed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import SEED, print_machine, print_table
from colorflow.photo import Kind, find_photos, read_photo
from colorflow.photo.kind import kind_of

LONGER_SIDE = 800
"""Pixels to which photos are reduced first; scans are larger by their surroundings."""
_JPEG_QUALITY = 88

Rgb = NDArray[np.uint8]
Random = np.random.Generator


def gradient(rgb: Rgb, random: Random) -> Rgb:
    """A tint that goes slightly from warm to cool over the picture, in any direction."""
    across, down = _places(rgb)
    angle, strength = random.uniform(0, 2 * np.pi), random.uniform(3, 6)
    place = np.cos(angle) * across + np.sin(angle) * down
    lab = _to_lab(rgb)
    lab[..., 1:] += place[..., None] * strength * np.array([random.uniform(0, 0.4), 1])
    return _to_rgb(lab)


def stain(rgb: Rgb, random: Random) -> Rgb:
    """A yellow stain with a soft irregular edge, on 4 to 20 % of the picture."""
    across, down = _places(rgb)
    x, y, radius = random.uniform(-0.7, 0.7), random.uniform(-0.7, 0.7), random.uniform(0.25, 0.5)
    wobble = 0.25 * _clouds(rgb.shape[:2], random, 6)
    away = np.hypot(across - x, down - y) / radius + wobble
    inside = 1 / (1 + np.exp((away - 1) * 9))[..., None]
    lab = _to_lab(rgb)
    lab += inside * np.array([-random.uniform(2, 8), random.uniform(0, 4), random.uniform(12, 24)])
    return _to_rgb(lab)


def mount(rgb: Rgb, random: Random) -> Rgb:
    """A cream mount on the bed of a scanner, a little askew."""
    cream = np.array([random.uniform(82, 93), random.uniform(0, 3), random.uniform(8, 16)])
    bed = np.array([random.choice([4.0, 12.0, 90.0]), 0, random.uniform(-3, 1)])
    angle = random.uniform(-1.5, 1.5)
    mounted = _laid_on(rgb, _paper(rgb, random, cream, 0.14), 0)
    return _laid_on(mounted, _paper(mounted, random, bed, 0.09), angle)


def border(rgb: Rgb, random: Random) -> Rgb:
    """A print with a narrow cream border on the white bed of a scanner, a little askew."""
    cream = np.array([random.uniform(85, 92), random.uniform(0, 3), random.uniform(14, 24)])
    bed = np.array([random.uniform(94, 99), 0, random.uniform(-2, 1)])
    bordered = _laid_on(rgb, _paper(rgb, random, cream, random.uniform(0.025, 0.055)), 0)
    ground = _paper(bordered, random, bed, random.uniform(0.08, 0.2))
    return _laid_on(bordered, ground, random.uniform(-3, 3))


def table(rgb: Rgb, random: Random) -> Rgb:
    """A wooden table, photographed from above."""
    board = _board(rgb, random, 0.2)
    return _laid_on(rgb, board, random.uniform(-4, 4))


def oval(rgb: Rgb, random: Random) -> Rgb:
    """An oval opening in a brown, green or blue card."""
    height, width = rgb.shape[:2]
    hue, chroma = random.choice([1.1, 2.2, 4.6]), random.uniform(12, 25)
    card = [random.uniform(30, 60), chroma * np.cos(hue), chroma * np.sin(hue)]
    laid = _paper(rgb, random, np.array(card), 0)
    opening = np.zeros((height, width), np.uint8)
    axes = (round(0.42 * width), round(0.42 * height))
    cv2.ellipse(opening, (width // 2, height // 2), axes, 0, 0, 360, 255, -1)
    return np.where(opening[..., None] > 0, rgb, laid)


def ink(rgb: Rgb, random: Random) -> Rgb:
    """A handwritten line in blue or red."""
    height, width = rgb.shape[:2]
    left, right = sorted(random.uniform(0.04, 0.96, 2) * width)
    right = max(right, min(left + 0.3 * width, 0.97 * width))
    x = np.linspace(left, right, 400)
    size = 0.018 * height
    waves = np.sin(x / size) + 0.6 * np.sin(x / (1.7 * size) + 1)
    y = random.uniform(0.08, 0.92) * height + size * waves
    line = np.zeros((height, width), np.uint8)
    points = np.stack([x, y], axis=1).round().astype(np.int32)
    cv2.polylines(line, [points], False, 255, max(2, round(0.005 * max(height, width))))
    return _printed(rgb, line / 255, _ink_color(random))


def stamp(rgb: Rgb, random: Random) -> Rgb:
    """A round stamp in red, blue or violet."""
    height, width = rgb.shape[:2]
    radius = round(random.uniform(0.05, 0.08) * max(height, width))
    center = [int(random.uniform(radius, side - radius)) for side in (width, height)]
    pressed = np.zeros((height, width), np.uint8)
    thick = max(2, radius // 10)
    cv2.circle(pressed, center, radius, 255, thick, cv2.LINE_AA)
    cv2.circle(pressed, center, round(0.7 * radius), 255, max(1, thick // 2), cv2.LINE_AA)
    at = (round(center[0] - 0.62 * radius), round(center[1] + 0.15 * radius))
    cv2.putText(pressed, "1928", at, cv2.FONT_HERSHEY_DUPLEX, radius / 60, 255, thick, cv2.LINE_AA)
    return _printed(rgb, pressed / 255, _ink_color(random))


def sepia(rgb: Rgb, random: Random) -> Rgb:
    """A yellow sepia toning with white lights, as programs' sepia filters give it."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None]
    tone = random.uniform([1.25, 1.12, 0.75], [1.4, 1.22, 0.95])  # commonly 1.351, 1.203, 0.937
    return np.rint(np.clip(gray * tone, 0, 255)).astype(np.uint8)


def _together(*defects: Callable[[Rgb, Random], Rgb]) -> Callable[[Rgb, Random], Rgb]:
    def apply(rgb: Rgb, random: Random) -> Rgb:
        for defect in defects:
            rgb = defect(rgb, random)
        return rgb

    return apply


SCANS: dict[str, Callable[[Rgb, Random], Rgb]] = {
    "warm-cool gradient": gradient,
    "yellow stain": stain,
    "cream mount on a scanner bed": mount,
    "wooden table": table,
    "line of ink": ink,
    "stamp": stamp,
    "gradient and ink": _together(gradient, ink),
    "stain and cream mount": _together(stain, mount),
    "stamp and wooden table": _together(stamp, table),
    "gradient and wooden table": _together(table, gradient),
    "oval mount": oval,
    "cream border on a white bed": border,
    "yellow sepia print": sepia,
}
"""Scans of gray photos, each by its name."""


def hand_colored(rgb: Rgb, random: Random) -> Rgb:
    """A print with a colored dress, cheeks, and something in a third color."""
    shape = rgb.shape[:2]
    lab = _to_lab(rgb)
    for share, chroma, hue in (
        (random.uniform(0.06, 0.15), random.uniform(18, 32), random.uniform(0, 2 * np.pi)),
        (0.008, 22, 0.5),
        (0.008, 22, 0.5),
        (0.02, 28, random.uniform(0, 2 * np.pi)),
    ):
        across, down = _places(rgb)
        x, y, tall = *random.uniform(-0.6, 0.6, 2), random.uniform(0.8, 1.8)
        away = np.hypot((across - x) * tall, down - y) + 0.1 * _clouds(shape, random, 5)
        inside = away < np.quantile(away, share)
        painted = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 2)[..., None]
        lab[..., 1:] += painted * chroma * np.array([np.cos(hue), np.sin(hue)])
    return _to_rgb(lab)


def faded(rgb: Rgb, random: Random) -> Rgb:
    """A color print whose contrast and colors have faded, with a red or yellow cast."""
    lab = _to_lab(rgb)
    lab[..., 0] = 28 + 0.65 * lab[..., 0]
    lab[..., 1:] *= random.uniform(0.55, 0.75)
    lab[..., 1:] += [random.uniform(2, 10), random.uniform(2, 12)]
    return _to_rgb(lab)


def autochrome(rgb: Rgb, random: Random) -> Rgb:
    """A plate of 1910: grains of three colors, dark, warm and of low saturation."""
    lab = _to_lab(rgb)
    lab[..., 0] = 5 + 0.8 * lab[..., 0]
    lab[..., 1:] = 0.7 * lab[..., 1:] + [2, 7]
    lab += random.normal(0, [4, 7, 7], lab.shape)
    return _to_rgb(lab)


COLOR_PRINTS: dict[str, Callable[[Rgb, Random], Rgb]] = {
    "color photo": lambda rgb, _: rgb,
    "faded color print": faded,
    "autochrome": autochrome,
    "cream border on a white bed": border,
}
"""What is made of color photos, each by its name; all of them have to stay colored."""


def _places(rgb: Rgb) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each pixel: how far across and down, from -1 to 1."""
    height, width = rgb.shape[:2]
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return across, down


def _clouds(shape: tuple[int, ...], random: Random, cells: int) -> NDArray[np.float64]:
    """Smooth noise of unit variance with some cells a side."""
    coarse = random.standard_normal((cells, cells))
    return np.asarray(cv2.resize(coarse, shape[1::-1], interpolation=cv2.INTER_CUBIC), float)


def _to_lab(rgb: Rgb) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _to_rgb(lab: NDArray[np.floating]) -> Rgb:
    rgb = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.rint(255 * np.clip(rgb, 0, 1)).astype(np.uint8)


def _surround(rgb: Rgb, margin: float) -> tuple[int, int]:
    more = round(2 * margin * max(rgb.shape[:2]))
    return rgb.shape[0] + more, rgb.shape[1] + more


def _paper(rgb: Rgb, random: Random, color: NDArray[np.float64], margin: float) -> Rgb:
    """Something larger than the picture in one color, with a fine grain and uneven light."""
    shape = _surround(rgb, margin)
    lab = np.tile(color, (*shape, 1)) + random.normal(0, [1.2, 0.4, 0.4], (*shape, 3))
    lab[..., 0] += 0.8 * _clouds(shape, random, 3)
    return _to_rgb(lab)


def _board(rgb: Rgb, random: Random, margin: float) -> Rgb:
    """Brown wood with its grain and knots, in uneven light."""
    shape = _surround(rgb, margin)
    streaks = random.standard_normal((shape[0] // 3, 1)) + 0.4 * random.standard_normal(
        (shape[0] // 3, 12)
    )
    grain = cv2.resize(streaks, shape[::-1], interpolation=cv2.INTER_CUBIC)
    light = random.uniform(35, 60)
    lab = np.empty((*shape, 3))
    lab[..., 0] = light + 5 * grain + 4 * _clouds(shape, random, 3)
    lab[..., 1] = random.uniform(7, 14) - 0.8 * grain
    lab[..., 2] = random.uniform(16, 28) + 1.5 * grain + _clouds(shape, random, 4)
    return _to_rgb(lab)


def _laid_on(rgb: Rgb, ground: Rgb, degrees: float) -> Rgb:
    """The picture in the middle of the ground, turned by an angle."""
    height, width = ground.shape[:2]
    turn = cv2.getRotationMatrix2D((rgb.shape[1] / 2, rgb.shape[0] / 2), degrees, 1)
    turn[:, 2] += [(width - rgb.shape[1]) / 2, (height - rgb.shape[0]) / 2]
    laid = ground.copy()
    cv2.warpAffine(rgb, turn, (width, height), laid, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
    return laid


def _ink_color(random: Random) -> NDArray[np.float64]:
    colors = [(30, 15, -45), (45, 55, 30), (35, 35, -40)]  # blue, red, violet
    return np.array(colors[random.integers(len(colors))], float)


def _printed(rgb: Rgb, where: NDArray[np.float64], color: NDArray[np.float64]) -> Rgb:
    lab = _to_lab(rgb)
    there = 0.9 * where[..., None]
    return _to_rgb(lab + there * (color - lab))


def _scanned(rgb: Rgb) -> Rgb:
    """The picture after a JPEG file has held it, as scanners write it."""
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def _photos(folder: Path) -> Iterator[Rgb]:
    for path in find_photos([folder]):
        pixels = read_photo(path).pixels
        scale = LONGER_SIDE / max(pixels.shape[:2])
        if scale < 1:
            pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        yield np.ascontiguousarray(rgb)


def _judged(
    cases: dict[str, Callable[[Rgb, Random], Rgb]], folder: Path, wrong: Callable[[Kind], bool]
) -> list[list[str]]:
    """Rows of the table: each case, its pictures, and how many are judged wrongly."""
    counts = {name: 0 for name in cases}
    number = -1
    for number, rgb in enumerate(_photos(folder)):
        for case, (name, make) in enumerate(cases.items()):
            made = _scanned(make(rgb, np.random.default_rng([SEED, number, case])))
            counts[name] += wrong(kind_of(made))
    return [[name, str(number + 1), str(count)] for name, count in counts.items()]


def main() -> None:
    """Print how many scans and color photos are judged wrongly."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("gray", type=Path, metavar="GRAY", help="folder of historic gray photos")
    parser.add_argument("colored", type=Path, metavar="COLORED", help="folder of color photos")
    options = parser.parse_args()
    print_machine()
    gray = {"as it is": lambda rgb, _: rgb, **SCANS}
    rows = _judged(gray, options.gray, lambda kind: kind is Kind.COLORED)
    print_table(["gray photos", "pictures", "refused as colored"], rows)
    print()
    rows = _judged({"hand-colored print": hand_colored}, options.gray, _is_gray)
    rows += _judged(COLOR_PRINTS, options.colored, _is_gray)
    print_table(["pictures with colors", "pictures", "gray or tinted"], rows)


def _is_gray(kind: Kind) -> bool:
    return kind is not Kind.COLORED


if __name__ == "__main__":
    main()
