"""Make a blind test from photos: pairs of pictures, instructions, and empty answer sheets.

    DIR/pairs/001.jpg ...   one photo colored by two methods, side by side
    DIR/instructions.txt    what judges are asked
    DIR/answers-1.csv       sheet of the first judge
    DIR/answers-2.csv       sheet of the second judge, who goes from the last pair to the first
    DIR.key.json            which method is on which side; not for judges

The folder appears complete or not at all.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from colorflow import __version__
from colorflow.color.grid import resized, size_within
from colorflow.errors import EvaluationError, PhotoError
from colorflow.evaluation.evaluate import LeftOut, photos_of
from colorflow.evaluation.report import json_text, write_text
from colorflow.evaluation.subject import digest_of, seed_for
from colorflow.files import whole_folder
from colorflow.limits import LARGEST_SEED
from colorflow.photo import read_photo
from colorflow.quiz.pictures import (
    HEIGHT,
    SIDES,
    WIDTH,
    Method,
    Side,
    balanced_sides,
    write_pair,
)
from colorflow.quiz.sheets import (
    INSTRUCTIONS,
    AnswerKey,
    KeyMethod,
    KeyPair,
    empty_sheet,
    key_file,
    key_to_json,
)

Methods = tuple[Method, Method]


def make_blind_test(
    folders: Sequence[Path],
    directory: Path,
    methods: Methods,
    *,
    pairs: int | None,
    seed: int,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> list[LeftOut]:
    """Make a blind test, and return the files that are not shown.

    Args:
        folders: photos.
        directory: of the test; a new or an empty folder.
        methods: how each photo is colored.
        pairs: number of pairs; None for one of each photo.
        seed: of the choice and order of photos, of sides and samples.
        say: receives a line for each pair, and a summary.
        warn: receives a line for each file that is left out.

    Raises:
        EvaluationError: no photo can be shown, or the folder is not empty or cannot be written.
        UnreadablePhotoError: there is no such folder of photos.
    """
    _check_free(directory)
    rng = np.random.default_rng(seed)
    names = _names(folders, directory)
    files = sorted(names, key=lambda path: names[path])
    photos: dict[str, Path] = {}
    left_out: list[LeftOut] = []
    for index in rng.permutation(len(files)):
        if pairs is not None and len(photos) >= pairs:
            break
        path = files[index]
        if one := _add(photos, path, names[path], methods):
            left_out.append(one)
            warn(f"{path}: left out ({one.reason})")
    if not photos:
        raise EvaluationError(f"none of the {len(files)} photos can be shown")
    first, second = (KeyMethod(text=one.text, weights=one.weights) for one in methods)
    sides = balanced_sides(len(photos), rng)
    key_pairs = _key_pairs(photos, names, sides, seed)
    key = AnswerKey(colorflow=__version__, seed=seed, ways=(first, second), pairs=key_pairs)
    about = {
        "date": datetime.date.today().isoformat(),
        "left_out": [{"file": item.file, "why": item.why} for item in left_out],
    }
    try:
        directory.absolute().parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(directory) as unfinished:
            _write_test(unfinished, key, photos, methods, say)
            write_text(key_file(directory), json_text(key_to_json(key, about)), None)
    except OSError as error:
        raise EvaluationError(f"{directory}: cannot be made ({error.strerror})") from error
    say(f"{len(key.pairs)} pairs in {directory}; the key is {key_file(directory)}")
    if pairs is not None and pairs > len(key.pairs):
        say(
            f"{pairs} were asked for, but only {len(key.pairs)} photos can be shown, each once; "
            "more photos give more pairs"
        )
    return left_out


def _key_pairs(
    photos: Mapping[str, Path], names: Mapping[Path, str], sides: Sequence[Side], seed: int
) -> tuple[KeyPair, ...]:
    digits = max(3, len(str(len(sides))))
    return tuple(
        KeyPair(
            pair=f"{number:0{digits}}",
            photo=names[path],
            digest=digest,
            first=side,
            seed=seed_for(digest, seed, "blind") % (LARGEST_SEED + 1),
        )
        for number, ((digest, path), side) in enumerate(
            zip(photos.items(), sides, strict=True), start=1
        )
    )


def _write_test(
    folder: Path,
    key: AnswerKey,
    photos: Mapping[str, Path],
    methods: Methods,
    say: Callable[[str], None],
) -> None:
    """Write all that judges get: each photo colored by both methods, side by side, and papers."""
    (folder / "pairs").mkdir()
    for pair in key.pairs:
        photo = read_photo(photos[pair.digest], isolated=True)
        size = size_within(photo.height, photo.width, HEIGHT, WIDTH)
        both = [resized(one.picture(photo, pair.photo, pair.seed), *size) for one in methods]
        path = Path("pairs") / f"{pair.pair}.jpg"
        write_pair(folder / path, *(both if pair.first == SIDES[0] else both[::-1]))
        say(str(path))
    write_text(folder / "instructions.txt", INSTRUCTIONS[key.form], None)
    for number in (1, 2):
        write_text(folder / f"answers-{number}.csv", empty_sheet(key, backward=number == 2), None)


def _add(photos: dict[str, Path], path: Path, name: str, methods: Methods) -> LeftOut | None:
    """Add a photo of which both methods have a picture, or explain why not."""
    try:
        photo = read_photo(path, isolated=True)
    except PhotoError as error:
        return LeftOut(name, "unreadable", error.reason)
    digest = digest_of(photo.pixels)
    if digest in photos:
        return LeftOut(name, "shown already", f"is the same picture as {photos[digest]}")
    for method in methods:
        if reason := method.refusal(photo, name):
            return LeftOut(name, "cannot be shown", reason)
    photos[digest] = path
    return None


def _names(folders: Sequence[Path], directory: Path) -> dict[Path, str]:
    """Names of the files below folders, which begin with the name of their folder.

    Pictures of the test itself are left out if it lies among the photos.
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


def _check_free(directory: Path) -> None:
    """Raise an EvaluationError unless a test can be made there."""
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
