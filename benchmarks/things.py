"""How well the things in photos are found: classes, borders, and what a click means.

    python -m benchmarks.things PHOTOS LABELS --photos 120

LABELS has a folder of label images for each folder of photos, as `python -m data_prep --labels`
takes them; a thing is what is connected and has one value. Colors are not looked at. With --fit it
prints what the constants of `colorflow.model.things` would be if these photos told them: a logistic
regression on all pairs of regions that are compared while the tree grows, and whose cells lie in
one labeled thing each.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from time import process_time

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import optimize

from colorflow.files import default_weights
from colorflow.model import things
from colorflow.model.segmentation import CLASSES
from colorflow.model.things import THINGS_GRID, Thing
from colorflow.model.weights import load_weights
from colorflow.open_photo import Opener
from colorflow.photo import read_photo
from data_prep.kinds import read_classes

CLICKS = 3
"""Things that are clicked in each photo."""
SMALLEST, LARGEST = 0.004, 0.7
"""Shares of the photo of things that are clicked."""
PURE = 0.85
"""Least share of a region that lies in one thing whose pairs are compared."""
NEAR = 0.01
"""Of the diagonal: how near two borders are one."""

Mask = NDArray[np.bool_]


def labels_of(path: Path, known: dict[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Values of a label image on the grid of things, and the sets of classes that they mean."""
    with Image.open(path) as image:
        drawn = np.asarray(image if image.mode in ("L", "P") else image.convert("L"))
    size = (THINGS_GRID, THINGS_GRID)
    values = cv2.resize(drawn, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.int64)
    sets = np.zeros(256, np.int64)
    for value, classes in known.items():
        sets[value] = classes
    return values, sets[values]


def things_of(values: NDArray[np.int64], sets: NDArray[np.int64]) -> list[Mask]:
    """What is connected and has one value that tells something."""
    found = []
    for value in np.unique(values):
        mask = values == value
        if not 1 <= int(sets[mask][0]).bit_count() <= 3:
            continue
        count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
        for part in range(1, count):
            if SMALLEST <= (parts == part).mean() <= LARGEST:
                found.append(parts == part)
    return found


def iou(one: Mask, other: Mask) -> float:
    """Intersection over union."""
    return float((one & other).sum() / (one | other).sum())


def borders(values: NDArray[np.int64]) -> Mask:
    """Cells whose right or lower neighbor is of another region."""
    found = np.zeros(values.shape, bool)
    found[:, :-1] |= values[:, 1:] != values[:, :-1]
    found[:-1] |= values[1:] != values[:-1]
    return found


def near(one: Mask, other: Mask) -> tuple[int, int]:
    """How many cells of one lie near the other, and how many it has."""
    away = cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, 5)
    return int((away[one] <= NEAR * THINGS_GRID * 2**0.5).sum()), int(one.sum())


class _Recorded(things.RegionTree):
    """Keeps what it is asked to compare."""

    compared: list[tuple[NDArray[np.int64], NDArray[np.float64]]]

    def numbers(
        self, pairs: NDArray[np.int64], borders: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What tells whether pairs are of one thing."""
        told = super().numbers(pairs, borders)
        self.__dict__.setdefault("compared", []).append((pairs, told))
        return told


def compared(
    tree: things.RegionTree, regions: NDArray[np.int64], parts: list[Mask]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers (p, 7) of pairs of regions, and whether they are of two things, (p,)."""
    assert isinstance(tree, _Recorded)
    inside = np.zeros((len(tree.areas), len(parts)))
    for part, mask in enumerate(parts):
        inside[: tree.leaves, part] = np.bincount(regions[mask], minlength=tree.leaves)
    for node in range(tree.leaves, len(tree.areas)):
        inside[node] = inside[: tree.leaves][tree.leaves_of(node)].sum(0)
    is_pure = inside.max(1) > PURE * tree.areas
    best = inside.argmax(1)
    numbers, differ = [], []
    for pairs, told in tree.compared:
        chosen = is_pure[pairs].all(1)
        numbers.append(told[chosen])
        differ.append(best[pairs[chosen, 0]] != best[pairs[chosen, 1]])
    return np.concatenate(numbers), np.concatenate(differ)


def fitted(pairs: list[tuple[NDArray[np.float64], NDArray[np.bool_]]]) -> NDArray[np.float64]:
    """Constant and coefficients, (8,), by maximum likelihood; all photos count alike."""
    x = np.concatenate([np.insert(numbers, 0, 1, axis=1) for numbers, _ in pairs])
    y = np.concatenate([differ for _, differ in pairs])
    weight = np.concatenate([np.full(len(differ), 1 / len(differ)) for _, differ in pairs])

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = x @ w
        nats = np.logaddexp(0, odds) - y * odds
        return float(weight @ nats), x.T @ (weight * (1 / (1 + np.exp(-odds)) - y))

    return np.asarray(optimize.minimize(loss, np.zeros(x.shape[1]), jac=True).x)


def regions_of(parts: list[Thing]) -> NDArray[np.int64]:
    """The number of the thing of each cell."""
    numbers = np.zeros((THINGS_GRID, THINGS_GRID), np.int64)
    for number, thing in enumerate(parts):
        numbers[thing.mask] = number
    return numbers


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--photos", type=int, default=120, dest="count")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, default=default_weights())
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    if options.fit:
        things.RegionTree = _Recorded  # type: ignore[misc]
    opener = Opener(load_weights(options.weights), torch.device("cpu"))
    rng = np.random.default_rng(options.seed)
    files = sorted(path for path in options.photos.glob("*/*") if path.is_file())
    files = [files[i] for i in rng.permutation(len(files))]
    hits: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    clicked: dict[str, list[float]] = defaultdict(list)
    matched = np.zeros((2, 2), np.int64)
    seconds, seen = [], 0
    pairs: list[tuple[NDArray[np.float64], NDArray[np.bool_]]] = []
    for path in files:
        folder = options.labels / path.parent.name
        drawn = folder / f"{path.stem}.png"
        if seen == options.count or not drawn.exists():
            continue
        seen += 1
        values, sets = labels_of(drawn, read_classes(folder))
        model = opener.open(read_photo(path)).model
        likely, _ = model.classes
        start = process_time()
        found = model.things
        seconds.append(process_time() - start)
        best = likely.argmax(0)
        for k, name in enumerate(CLASSES):
            told = np.isin(sets, [1 << i for i in range(len(CLASSES))])
            own, ours = (sets == 1 << k) & told, (best == k) & told
            hits[name][0] += int((own & ours).sum())
            hits[name][1] += int((own | ours).sum())
        told = sets != 0
        true, ours = borders(values) & told, borders(regions_of(found.all)) & told
        matched += np.array([near(ours, true), near(true, ours)])
        possible = things_of(values, sets)
        if options.fit and possible:
            pairs.append(compared(found._tree, found._regions, possible))
        for i in rng.permutation(len(possible))[:CLICKS]:
            row, column = rng.permutation(np.argwhere(possible[i]))[0]
            chain = found.at(int(row), int(column))
            whole = [iou(thing.mask, possible[i]) for thing in chain]
            clicked["the thing"].append(whole[0])
            clicked["... or the next larger one"].append(max(whole[:2]))
            clicked["... or any larger one"].append(max(whole))
            _, parts = cv2.connectedComponents((best == best[row, column]).astype(np.uint8))
            clicked["the connected cells of its class"].append(
                iou(parts == parts[row, column], possible[i])
            )
    print(f"{seen} photos, {len(clicked['the thing'])} clicks")
    for name, (both, either) in hits.items():
        print(f"IoU of {name}: {both / either:.2f}" if either else f"IoU of {name}: -")
    (right, ours_), (found_, all_) = matched
    precision, recall = right / ours_, found_ / all_
    print(f"borders within 1 %: precision {precision:.2f}, recall {recall:.2f}, ", end="")
    print(f"F {2 * precision * recall / (precision + recall):.2f}")
    for name, all_of in clicked.items():
        print(f"IoU of a click, {name}: {np.mean(all_of):.3f}")
    if options.fit:
        constant, *coefficients = fitted([one for one in pairs if len(one[1])])
        print(f"CONSTANT = {constant:.2f}")
        print(f"COEFFICIENTS = ({', '.join(f'{one:.3g}' for one in coefficients)})")
    print(f"things, processor ms: median {1000 * float(np.median(seconds)):.0f}")


if __name__ == "__main__":
    main()
