"""Command line: `python -m data_prep PHOTOS... -o PACK`."""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from colorflow.errors import ColorflowError, PackError
from colorflow.lock import locked
from colorflow.photo import find_photos
from colorflow.training.allocator import keep_freed_memory
from colorflow.training.pack import (
    DAMAGE,
    FEATURE_GRIDS,
    FINEST_MAP,
    ROW_TYPE,
    SPLITS,
    VARIANTS,
    bytes_per_row,
    open_table,
    read_info,
    read_rows,
)
from data_prep.cache import Plan, fill, write_info
from data_prep.scan import Scanned, scan
from data_prep.split import choose_dev, first_of_duplicates, near_any, read_hashes
from data_prep.variants import SMALL_SIDE, variants_of


def main(arguments: list[str] | None = None) -> int:
    """Makes or goes on with a pack; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        _make(options)
    except ColorflowError as error:
        print(f"data_prep: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndata_prep: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _make(options: argparse.Namespace) -> None:
    keep_freed_memory()
    folder: Path = options.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PackError(f"{folder}: cannot be made a folder ({error.strerror})") from error
    busy = PackError(
        f"{folder}: another run of data_prep is making this pack; "
        "wait until it has ended, or choose another folder with -o"
    )
    with locked(folder, busy):
        _fill(folder, options)


def _fill(folder: Path, options: argparse.Namespace) -> None:
    settings = {
        "photos": [str(path) for path in options.photos],
        "exclude": str(options.exclude) if options.exclude else None,
        "dev": options.dev,
        "variants": options.variants,
        "seed": options.seed,
        "finest_map": options.finest_map,
    }
    if not (folder / "pack.json").exists():
        (folder / "settings.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
        _select(folder, options)
    try:
        made_with = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        # Packs from before maps of 16x16 say whether they are coarse, older ones nothing.
        finest_map = min(FEATURE_GRIDS) if made_with.pop("coarse", False) else FINEST_MAP
        made_with = {"finest_map": finest_map} | made_with
        plan, start = _read_plan(folder)
    except DAMAGE as error:
        raise PackError(f"{folder}: a damaged pack ({error}); delete it to start over") from error
    if made_with != settings:
        raise PackError(
            f"{folder}: holds a pack made with other settings (settings.json); "
            "choose another folder or delete this one"
        )
    rows = len(plan.photo_of_row)
    with tqdm(total=rows, initial=start, unit="row", desc="features") as bar:
        for filled in fill(folder, plan, start, options.workers):
            bar.update(filled - bar.n)
    print(f"{folder}: {rows} rows ready")


def _select(folder: Path, options: argparse.Namespace) -> None:
    """Scans, drops, splits, writes report.json, photos.csv, rows.npy and an empty pack.json."""
    paths = find_photos(options.photos)
    if not paths:
        raise PackError(f"{', '.join(map(str, options.photos))}: no photo found")
    bar = tqdm(scan(paths, max(1, options.workers)), total=len(paths), unit="photo", desc="scan")
    candidates = list(bar)
    dropped = {str(s.path): s.problem for s in candidates if s.problem}
    good = [s for s in candidates if s.problem is None]
    hashes = np.array([s.hash for s in good], dtype=np.uint64)
    excluded = near_any(hashes, read_hashes(options.exclude)) if options.exclude else hashes < 0
    dropped |= {str(s.path): "excluded" for s, out in zip(good, excluded, strict=True) if out}
    good = [s for s, out in zip(good, excluded, strict=True) if not out]

    first = first_of_duplicates(np.array([s.hash for s in good], dtype=np.uint64))
    for index, original in enumerate(first):
        if original != index:
            dropped[str(good[index].path)] = f"duplicate of {good[original].path}"
    good = [s for index, s in enumerate(good) if first[index] == index]
    if not good:
        raise PackError(f"none of the {len(paths)} photos can be used: {_counts(dropped)}")
    _report(folder, len(paths), len(good), dropped)
    _write_selection(folder, good, options)


def _write_selection(folder: Path, good: list[Scanned], options: argparse.Namespace) -> None:
    large = np.array([s.short_side >= SMALL_SIDE for s in good])
    hashes = np.array([s.hash for s in good], dtype=np.uint64)
    dev = choose_dev(hashes, large, min(options.dev, len(good) // 4))
    with open_table(folder, "w") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "file", "split", "short_side", "hash", "mean_chroma"])
        for index, s in enumerate(good):
            split = SPLITS[int(dev[index])]
            row = [index, s.path.resolve(), split, s.short_side, f"{s.hash:016x}"]
            writer.writerow([*row, round(s.mean_chroma, 2)])
    names = [
        variants_of(SPLITS[int(dev[index])], s.short_side, options.variants)
        for index, s in enumerate(good)
    ]
    # Variant by variant, photos shuffled: a pack that is filled in part holds every kind of photo.
    order = np.random.default_rng(options.seed).permutation(len(good))
    rows = [
        (int(index), VARIANTS.index(names[index][turn]))
        for turn in range(max(map(len, names)))
        for index in order
        if turn < len(names[index])
    ]
    need = len(rows) * bytes_per_row(options.finest_map)
    free = shutil.disk_usage(folder).free
    print(f"{len(good)} photos ({int(dev.sum())} dev), {len(rows)} rows: {need / 1e9:.1f} GB")
    if need > free:
        raise PackError(f"{folder}: needs {need / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free")
    np.save(folder / "rows.npy", np.array(rows, dtype=ROW_TYPE))
    write_info(folder, rows=len(rows), filled=0, seed=options.seed, finest_map=options.finest_map)


def _read_plan(folder: Path) -> tuple[Plan, int]:
    info = read_info(folder)
    with open_table(folder) as file:
        files = [Path(photo["file"]) for photo in csv.DictReader(file)]
    rows = read_rows(folder, info["rows"], len(files))
    plan = Plan(
        files=files,
        photo_of_row=rows["photo"].astype(np.int64),
        variant_of_row=rows["variant"].astype(np.int64),
        seed=info["seed"],
        finest_map=info["finest_map"],
    )
    return plan, info["filled"]


def _report(folder: Path, found: int, kept: int, dropped: dict[str, str | None]) -> None:
    report = {"found": found, "kept": kept, "counts": _counts(dropped), "dropped": dropped}
    (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    counts = ", ".join(f"{n} {reason}" for reason, n in _counts(dropped).items()) or "none"
    print(f"{found} photos found, {kept} kept, dropped: {counts} (each named in report.json)")


def _counts(dropped: dict[str, str | None]) -> dict[str, int]:
    return dict(Counter(str(why).split(" of ")[0].split(":")[0] for why in dropped.values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_prep",
        description="Turn folders of colour photos into a training pack. "
        "An interrupted run goes on when the same command is given again.",
    )
    parser.add_argument("photos", nargs="+", type=Path, help="photos, or folders of photos")
    parser.add_argument("-o", "--output", required=True, type=Path, help="the pack's folder")
    parser.add_argument(
        "--exclude", type=Path, help="file of 64-bit difference hashes that must not be trained on"
    )
    parser.add_argument(
        "--dev",
        type=_whole_number(0),
        default=1000,
        help="photos held out (default 1000, at most a quarter)",
    )
    parser.add_argument(
        "--variants",
        type=_whole_number(1),
        default=4,
        help="variants of each large photo (default 4)",
    )
    parser.add_argument(
        "--seed", type=_whole_number(0), default=0, help="seed of all choices (default 0)"
    )
    parser.add_argument(
        "--finest-map",
        type=int,
        choices=FEATURE_GRIDS,
        default=FINEST_MAP,
        help="average feature maps to at most so many cells a side, for going on from trained "
        "weights with coarse levels alone: 8 for the levels 4 and 8, 16 for level 16 or for "
        "--last-blocks, on a third or two thirds of the disk (default 32)",
    )
    parser.add_argument(
        "--workers", type=_whole_number(0), default=2, help="processes that decode (default 2)"
    )
    return parser


def _whole_number(least: int) -> Callable[[str], int]:
    """An argparse type: a whole number of at least `least`."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a number from {least}, got {text!r}")
        return int(text)

    return parse


if __name__ == "__main__":
    sys.exit(main())
