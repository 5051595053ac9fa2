"""Command line: `python -m data_prep PHOTOS... -o PACK`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from colorflow.device import keep_freed_memory
from colorflow.errors import ColorflowError, PackError
from colorflow.files import digest_of, locked, remove_leftovers, write_whole
from colorflow.repair.prints import LAYOUT as PRINTS_LAYOUT
from colorflow.training.large_pack import LAYOUT as LARGE_LAYOUT
from colorflow.training.pack import DAMAGE
from data_prep.kinds import PATCHES, PIXELS, large_kind, print_kind
from data_prep.select import select
from data_prep.teacher import Teacher

LAYOUTS = (PIXELS.layout, PATCHES.layout, PRINTS_LAYOUT, LARGE_LAYOUT)

_FILES = ("settings.json", "photos.csv", "report.json")
"""Files that a pack begins with, in this order."""


def main(arguments: list[str] | None = None) -> int:
    """Makes or goes on with a pack; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.large and (options.labels or options.without_people or options.teacher):
        parser.error("--labels, --without-people and --teacher go with --large")
    if options.masks and not options.prints:
        parser.error("--masks goes with --prints")
    if options.large + options.patches + options.prints > 1:
        parser.error("expected one of --patches, --prints and --large")
    for name in ("masks", "labels"):
        folder = getattr(options, name)
        if folder and not folder.is_dir():
            parser.error(f"--{name}: there is no folder {folder}")
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
        remove_leftovers(folder)
        _fill(folder, options)


def _fill(folder: Path, options: argparse.Namespace) -> None:
    settings = {
        "photos": [str(path) for path in options.photos],
        "exclude": str(options.exclude) if options.exclude else None,
        "dev": options.dev,
        "seed": options.seed,
        "patches": options.patches,
        "dev_photos": [str(path) for path in options.dev_photos],
    }
    kind = PATCHES if options.patches else PIXELS
    if options.prints:
        settings |= {"prints": True, "masks": str(options.masks) if options.masks else None}
        kind = print_kind(options.masks)
    if options.large:
        if options.teacher:
            Teacher(options.teacher)  # or it is refused before the long work
        settings |= {
            "labels": str(options.labels) if options.labels else None,
            "without_people": [str(path) for path in options.without_people],
            "teacher": digest_of(options.teacher) if options.teacher else None,
        }
        kind = large_kind(options.labels, options.without_people, options.teacher)
    if not any((folder / layout.info).exists() for layout in LAYOUTS):
        _check_free(folder, [*_FILES, *(f"{name}.npy" for name in kind.layout.arrays)], settings)
        write_whole(folder / _FILES[0], json.dumps(settings, indent=1).encode(), None)
        kind.begin(folder, select(folder, options), options.seed)
    try:
        made_with = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        # Other kinds of packs have further settings.
        made_with = {name: made_with.get(name) for name in settings}
    except DAMAGE as error:
        raise PackError(f"{folder}: a damaged pack ({error}); delete it to start over") from error
    if made_with != settings:
        raise PackError(
            f"{folder}: holds a pack made with other settings (settings.json); "
            "choose another folder or delete this one"
        )
    with tqdm(unit="photo", desc=kind.layout.info.removesuffix(".json")) as bar:
        for filled, total in kind.fill(folder, options.workers):
            bar.total = total
            bar.update(filled - bar.n)
    print(f"{folder}: {total} photos ready")


def _check_free(folder: Path, names: Iterable[str], settings: Mapping[str, object]) -> None:
    """Raises a PackError if the files of a new pack would replace others.

    Args:
        folder: the pack's folder. It may be one that an interrupted run has begun.
        names: of the files.
        settings: of the new pack; those of a begun one have their names.
    """
    with suppress(OSError, ValueError, AttributeError, RecursionError):
        if json.loads((folder / _FILES[0]).read_bytes()).keys() >= settings.keys():
            return
    for name in names:
        if os.path.lexists(folder / name):
            raise PackError(
                f"{folder}: holds {name}, which is of no pack and would be replaced; "
                "choose another folder"
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_prep",
        description="Turn folders of color photos into a training pack. "
        "An interrupted run goes on when the same command is given again.",
    )
    parser.add_argument("photos", nargs="+", type=Path, help="photos, or folders of photos")
    parser.add_argument("-o", "--output", required=True, type=Path, help="the pack's folder")
    parser.add_argument(
        "--exclude", type=Path, help="file of 64-bit difference hashes of photos to leave out"
    )
    parser.add_argument(
        "--dev",
        type=_whole_number(0),
        default=1000,
        help="number of photos to hold out (default 1000, at most a quarter)",
    )
    parser.add_argument(
        "--dev-photos",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="hold out all photos of these folders, and no others; training photos that nearly "
        "equal one of them are left out",
    )
    parser.add_argument(
        "--patches",
        action="store_true",
        help="make a pack of patches, to train enlarging: four 128x128 squares of every sharp "
        "photo with a short side of 224 pixels or more, 66 KB a photo",
    )
    parser.add_argument(
        "--prints",
        action="store_true",
        help="make a pack to learn repair from: two 320x320 squares of every sharp photo with a "
        "short side of 224 pixels or more, 410 KB a photo",
    )
    parser.add_argument(
        "--large",
        action="store_true",
        help="make a pack of large photos, to train heads: 313 KB a photo, with labels of the "
        "things in them where there are any",
    )
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="FOLDER",
        help="with --prints: masks of photos, FOLDER/DIR/NAME.png for DIR/NAME.jpg: "
        "white is damage, black is not, gray is unsure",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FOLDER",
        help="with --large: labels of photos, FOLDER/DIR/NAME.png for DIR/NAME.jpg, and "
        "FOLDER/DIR/classes.json, which says which classes each value means",
    )
    parser.add_argument(
        "--without-people",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="with --large: folders of photos that show no part of a person",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="WEIGHTS",
        help="with --large: what marks things where nothing else does, of `colorflow train`",
    )
    parser.add_argument(
        "--seed", type=_whole_number(0), default=0, help="seed of all choices (default 0)"
    )
    parser.add_argument(
        "--workers",
        type=_whole_number(0),
        default=2,
        help="processes that decode, 0 for none beside this one (default 2)",
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
