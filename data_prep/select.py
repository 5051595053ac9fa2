"""First pass: selects the photos of a pack and splits them into train and dev."""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from colorflow.errors import PackError
from colorflow.photo import find_photos
from colorflow.training.pack import EVALUATED_PHOTO_SIDE, SPLITS, open_table
from data_prep.scan import Scanned, scan
from data_prep.split import choose_dev, first_of_duplicates, near_any, read_hashes


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The photos of a pack.

    Attributes:
        photos: the photos that were kept.
        dev: (N,) whether each is held out.
        sources: by file, the name of the folder on the command line that contains it.
    """

    photos: list[Scanned]
    dev: NDArray[np.bool_]
    sources: dict[Path, str]

    def in_order(self, order: Iterable[int]) -> Selection:
        """The same photos in another order."""
        indices = list(order)
        photos = [self.photos[index] for index in indices]
        return Selection(photos=photos, dev=self.dev[indices], sources=self.sources)

    def write(self, folder: Path) -> None:
        """Writes photos.csv."""
        with open_table(folder, "w") as file:
            writer = csv.writer(file)
            writer.writerow(
                ("index", "file", "split", "short_side", "hash", "mean_chroma", "source")
            )
            for index, (s, dev) in enumerate(zip(self.photos, self.dev, strict=True)):
                row = [index, s.path.resolve(), SPLITS[int(dev)], s.short_side, f"{s.hash:016x}"]
                writer.writerow([*row, round(s.mean_chroma, 2), self.sources[s.path]])


def select(folder: Path, options: argparse.Namespace) -> Selection:
    """Scans photos, drops unusable ones, and splits the rest; writes report.json.

    Raises:
        PackError: if no photo is left, or the hashes to exclude cannot be read.
        PhotoError: if a path does not exist.
    """
    dev_sources = _sources(options.dev_photos)
    sources = dev_sources | {
        path: source for path, source in _sources(options.photos).items() if path not in dev_sources
    }
    if not sources:
        raise PackError(f"{', '.join(map(str, options.photos))}: no photo found")
    squares, masks = options.patches or options.prints, options.masks if options.prints else None
    scanned = scan(sources, options.workers, for_squares=squares, masks=masks)
    candidates = list(tqdm(scanned, total=len(sources), unit="photo", desc="scan"))
    dropped = {str(s.path): s.problem for s in candidates if s.problem}
    good = [s for s in candidates if s.problem is None]
    excluded = read_hashes(options.exclude) if options.exclude else np.zeros(0, np.uint64)
    good = _without(good, _near(good, excluded), "excluded", dropped)

    first = first_of_duplicates(_hashes(good))
    for index, original in enumerate(first):
        if original != index:
            dropped[str(good[index].path)] = f"duplicate of {good[original].path}"
    good = [s for index, s in enumerate(good) if first[index] == index]
    if options.dev_photos:
        dev = np.array([s.path in dev_sources for s in good], bool)
        held_out = _hashes([s for s, out in zip(good, dev, strict=True) if out])
        good = _without(good, ~dev & _near(good, held_out), "near a dev photo", dropped)
        dev = np.array([s.path in dev_sources for s in good], bool)
    else:
        # Evaluation takes photos whose short side is above this.
        large = np.array([s.short_side > EVALUATED_PHOTO_SIDE for s in good], bool)
        size = min(options.dev, len(good) // 4)
        dev = choose_dev(_hashes(good), _mirrored_hashes(good), large, size)
    if not good:
        raise PackError(f"none of the {len(sources)} photos can be used: {_counts(dropped)}")
    _report(folder, len(sources), len(good), dropped)
    return Selection(photos=good, dev=dev, sources=sources)


def _sources(folders: Sequence[Path]) -> dict[Path, str]:
    """The name of the folder of each photo on the command line; for a file, of its parent."""
    found: dict[Path, str] = {}
    for folder in folders:
        name = (folder if folder.is_dir() else folder.parent).resolve().name
        found = dict.fromkeys(find_photos([folder]), name) | found
    return {path: found[path] for path in find_photos(folders)}


def _hashes(photos: Sequence[Scanned]) -> NDArray[np.uint64]:
    return np.array([s.hash for s in photos], dtype=np.uint64)


def _mirrored_hashes(photos: Sequence[Scanned]) -> NDArray[np.uint64]:
    return np.array([s.mirrored_hash for s in photos], dtype=np.uint64)


def _near(photos: Sequence[Scanned], hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each photo, or its mirror image, is near one of some hashes."""
    return near_any(_hashes(photos), hashes) | near_any(_mirrored_hashes(photos), hashes)


def _without(
    photos: list[Scanned], out: NDArray[np.bool_], why: str, dropped: dict[str, str | None]
) -> list[Scanned]:
    """Removes photos and adds them to `dropped`."""
    dropped.update({str(s.path): why for s, goes in zip(photos, out, strict=True) if goes})
    return [s for s, goes in zip(photos, out, strict=True) if not goes]


def _report(folder: Path, found: int, kept: int, dropped: dict[str, str | None]) -> None:
    report = {"found": found, "kept": kept, "counts": _counts(dropped), "dropped": dropped}
    (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    counts = ", ".join(f"{n} {reason}" for reason, n in _counts(dropped).items()) or "none"
    print(f"{found} photos found, {kept} kept, dropped: {counts} (each named in report.json)")


def _counts(dropped: dict[str, str | None]) -> dict[str, int]:
    return dict(Counter(str(why).split(" of ")[0].split(":")[0] for why in dropped.values()))
