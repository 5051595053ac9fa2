"""What one photo costs from file to file, step by step: seconds, codecs alone, memory (Linux).

    python -m benchmarks.one_photo                          one coloring of 12 megapixels
    python -m benchmarks.one_photo --megapixels 0.1 1 10 100
    python -m benchmarks.one_photo --colorings 4            the first and three others, one written
    python -m benchmarks.one_photo --work enlarge --scale 4   to 12 megapixels
    python -m benchmarks.one_photo --work repair              a print with cracks

Each size runs in a new process, which loads the weights, works on a small photo as a warm-up, and
then on the photo several times. Codecs alone means that Pillow decodes the gray file and encodes a
color file of the same size and settings. What repair fills are the cracks that were drawn, whatever
the weights find. Peak memory is that of the process. Of several sizes a straight line is fitted to
the medians by least squares of the relative errors.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from benchmarks.measuring import (
    SEED,
    codec_only,
    forget_peak,
    gray_photo,
    memory,
    print_machine,
    print_table,
    save_gray,
    size_of,
    spread,
)

_SMALL = 0.1
"""Megapixels of the warm-up."""
_CRACKS, _WIDEST = 40, 15
"""Cracks from side to side, and their width in pixels at most, at 12 megapixels."""

Work = Callable[[Path, Path], Iterator[str]]
"""From a file to a file; yields the name of each step when it is done."""


def main() -> None:
    """Prints a table for each size or, as the new process, the cost in that process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", choices=WORKS, default="color")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12.0], help="of the result")
    parser.add_argument("--suffix", choices=(".jpg", ".tif"), default=".jpg", help="of both files")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--colorings", type=int, default=1, help="of one photo; one is written")
    parser.add_argument("--threads", type=int, help="of PyTorch and OpenCV (default: theirs)")
    parser.add_argument("--scale", type=int, choices=(2, 4), default=2, help="of enlarging")
    parser.add_argument("--temperature", type=float, default=0.0, help="of enlarging; 0: the mean")
    parser.add_argument("--weights", type=Path, help="weights file (default: the shipped one)")
    parser.add_argument("--in-new-process", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_new_process:
        print(json.dumps(in_this_process(options, options.in_new_process)))
        return
    print_machine()
    sizes = sorted(options.megapixels)
    seconds = [print_size(options, megapixels) for megapixels in sizes]
    if len(sizes) > 1:
        fixed, by_pixels = straight_line(sizes, seconds)
        print(f"The line: {fixed:.3f} s + {by_pixels:.4f} s a megapixel.")


def print_size(options: argparse.Namespace, megapixels: float) -> float:
    """Prints the table of one size; returns the median of its seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_photo(options, folder / f"photo{options.suffix}", megapixels)
        save_photo(options, folder / f"small{options.suffix}", min(_SMALL, megapixels))
        command = [sys.executable, "-m", "benchmarks.one_photo", *sys.argv[1:]]
        found = json.loads(subprocess.check_output([*command, "--in-new-process", name]))
    rows = [
        (step, spread([wall for wall, _ in spans], 3), spread([busy for _, busy in spans], 3))
        for step, spans in found["steps"].items()
    ]
    print_table((f"{megapixels:g} megapixels", "seconds", "processor seconds"), rows)
    if codecs := found["steps"].get("codecs alone"):
        turns = zip(found["steps"]["all"], codecs, strict=True)
        print(f"\nTimes codecs alone: {spread([whole[0] / alone[0] for whole, alone in turns])}.")
    print(
        f"\nPeak memory {found['peak']:.0f} MB, {found['above']:.0f} above torch. Importing torch "
        f"takes {found['torch']:.2f} s, colorflow and its weights {found['load']:.2f} s.\n"
    )
    return float(np.median([wall for wall, _ in found["steps"]["all"]]))


def save_photo(options: argparse.Namespace, path: Path, megapixels: float) -> None:
    """Writes the photo to work on, and the mask of its cracks beside it."""
    width, height = size_of(megapixels)
    if options.work == "color":
        save_gray(path, gray_photo(width, height))
        return
    if options.work == "enlarge":
        width, height = width // options.scale, height // options.scale
    picture = cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_CUBIC)
    if options.work == "repair":
        cracks = _draw_cracks(picture)
        Image.fromarray(cracks).save(path.with_name(f"{path.stem}_mask.png"))
    Image.fromarray(picture).save(path, quality=95)


def _draw_cracks(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Draws cracks into a picture; where they are."""
    rng = np.random.default_rng(SEED)
    size = np.array(picture.shape[1::-1])
    mask = np.zeros(picture.shape[:2], np.uint8)
    for width in np.linspace(1, max(1, _WIDEST * size[0] / 4000), _CRACKS):
        walk = rng.uniform(0, 1, 2) + np.cumsum(rng.normal(0.02, 0.02, (40, 2)), 0)
        cv2.polylines(mask, [np.round(walk * size).astype(np.int32)], False, 1, round(width))
    found = mask.astype(bool)
    picture[found] = 245
    return found


@functools.cache
def _cracks_of(photo: Path) -> NDArray[np.bool_]:
    with Image.open(photo.with_name(f"{photo.stem}_mask.png")) as mask:
        return np.asarray(mask)


def in_this_process(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Wall and processor seconds of each step in each repetition, and memory in MB."""
    began = time.perf_counter()
    import torch

    torch_loaded, start = time.perf_counter(), memory("VmRSS")
    forget_peak()
    work = WORKS[options.work](options)
    loaded = time.perf_counter()
    if options.threads:
        torch.set_num_threads(options.threads)
        cv2.setNumThreads(options.threads)
    photo, small, target = (
        folder / f"{name}{options.suffix}" for name in ("photo", "small", "result")
    )
    _seconds(work(small, target))
    steps: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(options.repetitions):
        for name, span in _seconds(work(photo, target)).items():
            steps[name].append(span)
    peak = memory("VmHWM")
    if options.work == "color" and options.suffix == ".jpg":
        with Image.open(target) as image:
            colors = image.convert("RGB")
        for _ in range(options.repetitions):
            steps["codecs alone"].append(_seconds(_codecs(photo, colors, target))["all"])
    times = {"torch": torch_loaded - began, "load": loaded - torch_loaded}
    return {"steps": steps, "peak": peak, "above": peak - start, **times}


def _seconds(steps: Iterator[str]) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of each step, and of all."""
    first = last = time.perf_counter(), time.process_time()
    spans = {}
    for name in steps:
        now = time.perf_counter(), time.process_time()
        spans[name] = now[0] - last[0], now[1] - last[1]
        last = now
    return spans | {"all": (last[0] - first[0], last[1] - first[1])}


def _codecs(source: Path, colors: Image.Image, target: Path) -> Iterator[str]:
    codec_only(source, colors, target)
    yield "codecs"


def _coloring(options: argparse.Namespace) -> Work:
    from colorflow.color.full_resolution import LightnessRows, render
    from colorflow.colorizer import Colorizer
    from colorflow.photo import read_photo, write_image
    from colorflow.recipe import ColoringSpec, Colors, Recipe, Statement, Weights

    colorizer, k = Colorizer.load(options.weights), options.colorings
    first = ColoringSpec(seeds=(SEED,) * len(colorizer.levels))
    recipe = Recipe(colors=Colors(spec=first.principal_spec(0, 1)))
    made = Statement(recipe=recipe, weights=Weights(colors=colorizer.digest), share=1.0)

    def work(source: Path, target: Path) -> Iterator[str]:
        photo = read_photo(source)
        yield "read"
        model = colorizer.open(photo).model
        ab, _ = model.principal(first, k)
        yield "features, mean head" if k == 1 else "features, mean head, samples"
        assert model.skin
        yield "skin head"
        shown = model.paint(ab, [first.principal_spec(number, k) for number in range(k)])
        yield "things"
        lightness = LightnessRows(photo.pixels)
        pixels, *_ = [render(lightness, chroma) for chroma in shown]
        yield "upsample, gamut, Lab"
        write_image(target, pixels, photo, statement=made)
        yield "write"

    return work


def _enlarging(options: argparse.Namespace) -> Work:
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.enlarge.tiles import result_of
    from colorflow.photo import read_photo
    from colorflow.recipe import Enlargement, Recipe, Weights
    from colorflow.result import Result

    enlarger = Enlarger.load(options.weights)
    scale, temperature = options.scale, options.temperature
    wanted = Enlargement(scale=scale, seed=SEED, temperature=temperature)

    def work(source: Path, target: Path) -> Iterator[str]:
        photo = read_photo(source)
        yield "read"
        lightness = result_of(enlarger.steps(photo, wanted))
        yield "lightness"
        weights = Weights(detail=enlarger.digest)
        result = Result(photo, Recipe(enlargement=wanted), weights=weights, lightness=lightness)
        result.render()
        yield "paint"
        result.save(target)
        yield "paint again, write"

    return work


def _repairing(options: argparse.Namespace) -> Work:
    from colorflow.photo import read_photo
    from colorflow.repair.places import mask_of
    from colorflow.repair.repairer import Repairer
    from colorflow.scan import find_frames

    repairer = Repairer.load(options.weights, device="cpu")

    def work(source: Path, target: Path) -> Iterator[str]:
        cracks = _cracks_of(source)
        photo = read_photo(source)
        yield "read"
        find_frames(photo)
        yield "look for a border"
        odds = repairer.find(photo)
        yield "find damage"
        mask_of(odds)
        yield "choose what to fill"
        done = repairer.repair(photo, mask=cracks)
        yield "fill"
        done.save(target)
        yield "write"

    return work


WORKS = {"color": _coloring, "enlarge": _enlarging, "repair": _repairing}


def straight_line(sizes: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Constant and slope with the least squares of the relative errors."""
    weight = 1 / np.array(seconds)
    design = np.stack([weight, weight * np.array(sizes)], 1)
    (constant, slope), *_ = np.linalg.lstsq(design, np.ones(len(sizes)), rcond=None)
    return float(constant), float(slope)


if __name__ == "__main__":
    main()
