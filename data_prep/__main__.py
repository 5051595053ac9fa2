"""Command line: `python -m data_prep PHOTOS... -o PACK`."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from colorflow.errors import ColorflowError, PackError
from colorflow.lock import locked
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
from colorflow.training.pixels import is_pixel_pack
from data_prep.cache import Plan, fill, write_info
from data_prep.pixels import begin, fill_pixels
from data_prep.room import check_room
from data_prep.select import select
from data_prep.variants import variants_of


def main(arguments: list[str] | None = None) -> int:
    """Makes or goes on with a pack; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    of_rows = ("variants", "finest_map")
    if options.pixels and any(getattr(options, x) != parser.get_default(x) for x in of_rows):
        parser.error("--pixels: such a pack has neither --variants nor a --finest-map")
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
        "pixels": options.pixels,
        "dev_photos": [str(path) for path in options.dev_photos],
    }
    if not (folder / "pack.json").exists() and not is_pixel_pack(folder):
        (folder / "settings.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
        if options.pixels:
            begin(folder, select(folder, options), options.seed)
        else:
            _begin(folder, options)
    try:
        made_with = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        # Packs from before maps of 16x16 say whether they are coarse, older ones nothing.
        finest_map = min(FEATURE_GRIDS) if made_with.pop("coarse", False) else FINEST_MAP
        made_with = {"finest_map": finest_map, "pixels": False, "dev_photos": []} | made_with
    except DAMAGE as error:
        raise PackError(f"{folder}: a damaged pack ({error}); delete it to start over") from error
    if made_with != settings:
        raise PackError(
            f"{folder}: holds a pack made with other settings (settings.json); "
            "choose another folder or delete this one"
        )
    if options.pixels:
        _fill_pixels(folder, options)
    else:
        _fill_rows(folder, options)


def _fill_pixels(folder: Path, options: argparse.Namespace) -> None:
    with tqdm(unit="photo", desc="pixels") as bar:
        for filled, photos in fill_pixels(folder, options.workers):
            bar.total = photos
            bar.update(filled - bar.n)
    print(f"{folder}: {photos} photos ready")


def _fill_rows(folder: Path, options: argparse.Namespace) -> None:
    try:
        plan, start = _read_plan(folder)
    except DAMAGE as error:
        raise PackError(f"{folder}: a damaged pack ({error}); delete it to start over") from error
    rows = len(plan.photo_of_row)
    with tqdm(total=rows, initial=start, unit="row", desc="features") as bar:
        for filled in fill(folder, plan, start, options.workers):
            bar.update(filled - bar.n)
    print(f"{folder}: {rows} rows ready")


def _begin(folder: Path, options: argparse.Namespace) -> None:
    """Writes report.json, photos.csv, rows.npy and an empty pack.json."""
    selection = select(folder, options)
    names = [
        variants_of(SPLITS[int(dev)], s.short_side, options.variants)
        for s, dev in zip(selection.photos, selection.dev, strict=True)
    ]
    # Variant by variant, photos shuffled: a pack that is filled in part holds every kind of photo.
    order = np.random.default_rng(options.seed).permutation(len(names))
    rows = [
        (int(index), VARIANTS.index(names[index][turn]))
        for turn in range(max(map(len, names)))
        for index in order
        if turn < len(names[index])
    ]
    what = f"{len(names)} photos ({int(selection.dev.sum())} dev), {len(rows)} rows"
    selection.write(folder)
    check_room(folder, what, len(rows) * bytes_per_row(options.finest_map))
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_prep",
        description="Turn folders of color photos into a training pack. "
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
        "--dev-photos",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="hold out all photos of these folders, and no others; training photos that are nearly "
        "one of them are left out",
    )
    parser.add_argument(
        "--pixels",
        action="store_true",
        help="make a pixel pack, to train the late blocks of the feature network on: 74 KB a "
        "photo, seen anew at every step",
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
