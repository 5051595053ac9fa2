"""From photos to a blind test: pairs of pictures, what judges are told, and empty answer sheets.

    DIR/pairs/001.jpg ...   one photo colored in two ways, side by side
    DIR/instructions.txt    what is asked
    DIR/answers-1.csv       to be filled in by the first judge
    DIR/answers-2.csv       likewise by the second one, who goes from the last pair to the first
    DIR.key.json            which way is on which side; not for judges

The folder appears whole or not at all.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from colorflow import __version__
from colorflow.errors import EvaluationError, PhotoError
from colorflow.evaluation.evaluate import photos_of
from colorflow.evaluation.report import json_text, write_text
from colorflow.evaluation.subject import digest_of, seed_for
from colorflow.files import whole_folder
from colorflow.photo import read_photo
from colorflow.quiz.answers import empty_sheet
from colorflow.quiz.instructions import INSTRUCTIONS_FILE, instructions
from colorflow.quiz.key import Key, KeyedPair, KeyedWay, key_file, key_to_json
from colorflow.quiz.pictures import (
    HEIGHT,
    WIDTH,
    Side,
    balanced_sides,
    fitted,
    size_within,
    write_pair,
)
from colorflow.quiz.ways import Item, Way

PAIRS_FOLDER = "pairs"
SHEETS = {"answers-1.csv": False, "answers-2.csv": True}
"""By name, whether it goes backward."""

_SEED_BITS = 32
"""Of each pair's seed: as many as `colorflow colorize --seed` takes."""

Ways = tuple[Way, Way]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not shown."""

    file: str
    why: Literal["unreadable", "cannot be shown", "shown already"]
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Photos that can be shown, each once, by the digest of their pixels, and files that cannot."""

    photos: dict[str, Path] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


def make_blind_test(
    folders: Sequence[Path],
    directory: Path,
    ways: Ways,
    *,
    pairs: int | None,
    seed: int,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> Choice:
    """Makes a blind test.

    Args:
        folders: photos.
        directory: where the test goes; a new or an empty folder.
        ways: how each photo is colored.
        pairs: how many, or None for one of each photo.
        seed: of the choice, of the order, of sides and samples.
        say: gets a line for each pair, and what it came to.
        warn: gets a line for each file that is left out.

    Returns:
        The photos that are shown, and what was left out on the way to them.

    Raises:
        EvaluationError: if no photo can be shown, or the folder holds something or cannot be
            written.
        UnreadablePhotoError: if there is no such folder of photos.
    """
    _check_place(directory)
    rng = np.random.default_rng(seed)
    names = _names(folders, directory)
    files = sorted(names, key=lambda path: names[path])
    order = [files[place] for place in rng.permutation(len(files))]
    choice = choose({path: names[path] for path in order}, pairs, ways, warn)
    first, second = (KeyedWay(text=way.text, weights=way.weights) for way in ways)
    sides = balanced_sides(len(choice.photos), rng)
    pairs_of_key = _keyed_pairs(choice, names, sides, seed)
    key = Key(colorflow=__version__, seed=seed, ways=(first, second), pairs=pairs_of_key)
    about = {
        "date": datetime.date.today().isoformat(),
        "left_out": [{"file": item.file, "why": item.why} for item in choice.left_out],
    }
    with _whole(directory) as unfinished:
        for pair in key.pairs:
            picture = Path(PAIRS_FOLDER) / f"{pair.pair}.jpg"
            _write(unfinished / picture, choice.photos[pair.digest], pair, ways)
            say(str(picture))
        write_text(unfinished / INSTRUCTIONS_FILE, instructions(key.form), None)
        for sheet, backward in SHEETS.items():
            write_text(unfinished / sheet, empty_sheet(key, backward=backward), None)
        write_text(key_file(directory), json_text(key_to_json(key, about)), None)
    say(f"{len(key.pairs)} pairs in {directory}; the key is {key_file(directory)}")
    if pairs is not None and pairs > len(key.pairs):
        say(
            f"{pairs} were asked for, but only {len(key.pairs)} photos can be shown, each once; "
            "more photos give more pairs"
        )
    return choice


def choose(
    files: Mapping[Path, str],
    most: int | None,
    ways: Ways,
    warn: Callable[[str], None],
) -> Choice:
    """Goes through files until there are enough photos that can be shown.

    Args:
        files: in the order in which they are wanted, with their names.
        most: how many are enough; None for all.
        ways: each must have a picture of every photo that is shown.
        warn: gets a line for each file that is left out.

    Raises:
        EvaluationError: if there is none.
    """
    choice = Choice()
    for path, name in files.items():
        if most is not None and len(choice.photos) >= most:
            break
        try:
            photo = read_photo(path)
        except PhotoError as error:
            choice.left_out.append(LeftOut(name, "unreadable", error.reason))
        else:
            digest = digest_of(photo.pixels)
            refusals = [way.refusal(photo, name) for way in ways]
            if digest in choice.photos:
                reason = f"is the same picture as {choice.photos[digest]}"
                choice.left_out.append(LeftOut(name, "shown already", reason))
            elif reasons := [reason for reason in refusals if reason]:
                choice.left_out.append(LeftOut(name, "cannot be shown", reasons[0]))
            else:
                choice.photos[digest] = path
                continue
        warn(f"{path}: left out ({choice.left_out[-1].reason})")
    if not choice.photos:
        raise EvaluationError(f"none of the {len(files)} photos can be shown")
    return choice


def _write(path: Path, photo_file: Path, pair: KeyedPair, ways: Ways) -> None:
    """Colors one photo in both ways and writes the two pictures side by side."""
    photo = read_photo(photo_file)
    item = Item(photo=photo, name=pair.photo, seed=pair.seed)
    size = size_within(photo.height, photo.width, HEIGHT, WIDTH)
    first, second = (fitted(way.picture(item), *size) for way in ways)
    left, right = (first, second) if pair.first == "left" else (second, first)
    write_pair(path, left, right)


def _names(folders: Sequence[Path], directory: Path) -> dict[Path, str]:
    """The files below folders with their names, which begin with their folder's own.

    Pictures of the test itself, should it lie among the photos, are none of them.
    """
    names: dict[Path, str] = {}
    known: set[Path] = set()
    for folder in folders:
        for path in photos_of(folder):
            own = path.resolve()
            if own not in known and not own.is_relative_to(directory.resolve()):
                known.add(own)
                names[path] = (Path(folder.resolve().name) / path.relative_to(folder)).as_posix()
    return names


def _keyed_pairs(
    choice: Choice, names: Mapping[Path, str], sides: Sequence[Side], seed: int
) -> tuple[KeyedPair, ...]:
    digits = max(3, len(str(len(sides))))
    return tuple(
        KeyedPair(
            pair=f"{number:0{digits}}",
            photo=names[path],
            digest=digest,
            first=side,
            seed=seed_for(digest, seed, "blind") % 2**_SEED_BITS,
        )
        for number, ((digest, path), side) in enumerate(
            zip(choice.photos.items(), sides, strict=True), start=1
        )
    )


def _check_place(directory: Path) -> None:
    """Raises unless a test can be made there."""
    key = key_file(directory)
    if key.exists():
        raise EvaluationError(
            f"{key}: is the key of an earlier test; choose a new folder for this one"
        )
    try:
        free = not directory.exists() or (directory.is_dir() and not any(directory.iterdir()))
    except OSError as error:
        raise EvaluationError(f"{directory}: cannot be read ({error.strerror})") from error
    if not free:
        raise EvaluationError(
            f"{directory}: is not empty, or is no folder; choose a new folder for the test"
        )


@contextmanager
def _whole(directory: Path) -> Iterator[Path]:
    """The folder of the test, which appears whole or not at all."""
    try:
        directory.absolute().parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(directory) as unfinished:
            (unfinished / PAIRS_FOLDER).mkdir()
            yield unfinished
    except OSError as error:
        raise EvaluationError(f"{directory}: cannot be made ({error.strerror})") from error
