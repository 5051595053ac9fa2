"""From photos to a blind test: pairs of pictures, an empty answer sheet, and the key.

    pairs/001.png ...  the two pictures of a photo side by side
    answers.csv        to be filled in: which side is the real one
    key.json           which it is; not for judges

The folder appears whole or not at all.
"""

from __future__ import annotations

import datetime
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from colorflow import __version__
from colorflow.colorize import Colorizer
from colorflow.errors import EvaluationError, PhotoError
from colorflow.evaluation.evaluate import photos_of
from colorflow.evaluation.report import to_text, write_text
from colorflow.evaluation.subject import digest_of, number_for
from colorflow.photo import Kind, read_photo
from colorflow.quiz.answers import ANSWERS_FILE, empty_sheet
from colorflow.quiz.key import KEY_FILE, Key, KeyedPair, key_to_json, read_key
from colorflow.quiz.pictures import Side, balanced_sides, pair_of, write_pair

PAIRS_FOLDER = "pairs"

_SEED_BITS = 32
"""Of each draw's seed: as many as `colorflow colorize --seed` takes."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not shown."""

    file: Path
    why: Literal["unreadable", "not coloured", "shown already"]
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Photos that can be shown, each once, by the digest of their pixels, and files that cannot."""

    photos: dict[str, Path] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


def make_blind_test(
    folders: Sequence[Path],
    directory: Path,
    colorizer: Colorizer,
    *,
    pairs: int | None,
    size: int,
    seed: int,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> Choice:
    """Makes a blind test; one that the same call has made before stays as it is.

    Args:
        folders: colour photos.
        directory: where the test goes; a new or an empty folder.
        colorizer: what draws.
        pairs: how many, or None for one of each photo.
        size: longer side of each picture at most, in pixels.
        seed: of the choice, of the order, of sides and draws.
        say: gets a line for each pair, and what it came to.
        warn: gets a line for each file that is left out.

    Returns:
        The photos that are shown, and what was left out on the way to them.

    Raises:
        EvaluationError: if no photo can be shown, or the folder holds something else or cannot be
            written.
        UnreadablePhotoError: if there is no such folder of photos.
    """
    _check_place(directory)
    rng = np.random.default_rng(seed)
    names = _names(folders, directory)
    files = sorted(names, key=lambda path: names[path])
    choice = choose([files[place] for place in rng.permutation(len(files))], pairs, warn)
    sides = balanced_sides(len(choice.photos), rng)
    key = Key(
        colorflow=__version__,
        weights=colorizer.digest,
        temperatures=tuple(colorizer.temperatures),
        seed=seed,
        size=size,
        pairs=_keyed_pairs(choice, names, sides, seed),
    )
    if (directory / KEY_FILE).exists():
        _check_same(directory, key)
        say(f"{directory}: this test is already there, with {len(key.pairs)} pairs")
        return choice
    about = {
        "date": datetime.date.today().isoformat(),
        "left_out": [{"file": names[item.file], "why": item.why} for item in choice.left_out],
    }
    with _whole(directory) as unfinished:
        for pair in key.pairs:
            photo = read_photo(choice.photos[pair.digest])
            picture = Path(PAIRS_FOLDER) / f"{pair.pair}.png"
            pictures = pair_of(colorizer, photo, seed=pair.seed, size=size)
            write_pair(unfinished / picture, pictures, pair.truth)
            say(str(picture))
        write_text(unfinished / ANSWERS_FILE, empty_sheet(key), None)
        write_text(unfinished / KEY_FILE, to_text(key_to_json(key, about)), None)
    say(f"{len(key.pairs)} pairs of {size} pixels at most in {directory}")
    if pairs is not None and pairs > len(key.pairs):
        say(
            f"{pairs} were asked for, but only {len(key.pairs)} photos can be shown, each once; "
            "more photos give more pairs"
        )
    return choice


def choose(files: Sequence[Path], most: int | None, warn: Callable[[str], None]) -> Choice:
    """Goes through files until there are enough photos that can be shown.

    Args:
        files: in the order in which they are wanted.
        most: how many are enough; None for all.
        warn: gets a line for each file that is left out.

    Raises:
        EvaluationError: if there is none.
    """
    choice = Choice()
    for path in files:
        if most is not None and len(choice.photos) >= most:
            break
        try:
            photo = read_photo(path)
        except PhotoError as error:
            choice.left_out.append(LeftOut(path, "unreadable", error.reason))
        else:
            digest = digest_of(photo.pixels)
            if digest in choice.photos:
                reason = f"is the same picture as {choice.photos[digest]}"
                choice.left_out.append(LeftOut(path, "shown already", reason))
            elif photo.kind is not Kind.COLOURED:
                reason = f"is {photo.kind}, not coloured"
                choice.left_out.append(LeftOut(path, "not coloured", reason))
            else:
                choice.photos[digest] = path
                continue
        warn(f"{path}: left out ({choice.left_out[-1].reason})")
    if not choice.photos:
        raise EvaluationError(f"none of the {len(files)} photos can be read and has colours")
    return choice


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
            truth=side,
            seed=number_for(digest, seed, "blind") % 2**_SEED_BITS,
        )
        for number, ((digest, path), side) in enumerate(
            zip(choice.photos.items(), sides, strict=True), start=1
        )
    )


def _check_place(directory: Path) -> None:
    """Raises unless a test can be made there or is there already."""
    try:
        if not directory.exists() or (directory / KEY_FILE).exists():
            return
        empty = directory.is_dir() and not any(directory.iterdir())
    except OSError as error:
        raise EvaluationError(f"{directory}: cannot be read ({error.strerror})") from error
    if not empty:
        raise EvaluationError(
            f"{directory}: is not empty, or is no folder; choose a new folder for the test"
        )


def _check_same(directory: Path, key: Key) -> None:
    different = key.differences(read_key(directory))
    if different:
        raise EvaluationError(
            f"{directory}: holds a blind test already, and {' and '.join(different)} would differ; "
            "choose a new folder"
        )


@contextmanager
def _whole(directory: Path) -> Iterator[Path]:
    """A folder beside `directory` that takes its place at the end, or goes if there is none."""
    directory = directory.absolute()
    unfinished = directory.with_name(f".colorflow-{secrets.token_hex(8)}.tmp")
    try:
        try:
            (unfinished / PAIRS_FOLDER).mkdir(parents=True)
            yield unfinished
            if directory.exists():
                directory.rmdir()  # empty; not every system replaces it
            os.replace(unfinished, directory)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as error:
        raise EvaluationError(f"{directory}: cannot be made ({error.strerror})") from error
