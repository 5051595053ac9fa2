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
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from colorflow import __version__
from colorflow.color.grid import resized, size_within
from colorflow.errors import EvaluationError, OptionError, PhotoError
from colorflow.evaluation.evaluate import LeftOut, photos_of
from colorflow.evaluation.subject import digest_of, seed_for
from colorflow.files import whole_folder, write_whole
from colorflow.limits import LARGEST_SEED
from colorflow.photo import read_photo
from colorflow.quiz.pictures import (
    HEIGHT,
    SIDES,
    TRUTH,
    WIDTH,
    Method,
    Side,
    balanced_sides,
    write_pair,
)

Methods = tuple[Method, Method]

FORMAT = "colorflow-blind-3"
COLUMNS = ("pair", "choice", "broken_left", "broken_right")
"""Of an answer sheet, which is CSV."""

_PREFERENCE = (
    "WHICH LOOKS BETTER?",
    "Each picture shows one photo, colored in two ways, side by side.",
    "Answer as an ordinary person who leafs through an album.",
    "the side that looks more like a natural color photo",
)
_TRUTH = (
    "WHICH IS TRUE?",
    "Each picture shows one photo twice: with its true colors, and colored by a computer.",
    "Answer as after a glance of one second.",
    "the side that has the true colors",
)
_INSTRUCTIONS = Path(__file__).with_name("instructions.txt")
"""All that judges are told, but for the words above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """One pair of pictures.

    Attributes:
        pair: its number as text, such as 001.
        photo: the file that both pictures show, below its folder.
        digest: of the photo's pixels.
        first: side of the first method.
        seed: of all randomness; `colorflow colorize --seed` gives the colors of a sample again.
    """

    pair: str
    photo: str
    digest: str
    first: Side
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKey:
    """All that decides the pictures of a blind test.

    Attributes:
        colorflow: version that made it.
        date: of its making, ISO 8601.
        seed: of the choice of photos, their order, sides and samples.
        ways: the two coloring methods that are compared, as the user wrote them.
        weights: digests of their weights; None for a method without.
        pairs: in the order of their numbers.
    """

    colorflow: str
    date: str
    seed: int
    ways: tuple[str, str]
    weights: tuple[str | None, str | None]
    pairs: tuple[KeyPair, ...]

    @property
    def asks_for_truth(self) -> bool:
        """Whether judges are asked which side has the true colors, or which one looks better."""
        return TRUTH in self.ways


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
        EvaluationError: no photo can be shown, or the folder cannot be written.
        OptionError: the folder is not empty, or has a key.
        UnreadablePhotoError: there is no such folder of photos.
    """
    _check_free(directory)
    rng = np.random.default_rng(seed)
    names: dict[Path, str] = {}
    for folder in folders:
        for path in photos_of(folder):
            name = Path(folder.resolve().name) / path.relative_to(folder)
            names.setdefault(path.resolve(), name.as_posix())
    files = sorted(names, key=lambda path: names[path])
    photos: dict[str, Path] = {}
    left_out: list[LeftOut] = []
    for index in rng.permutation(len(files)):
        if len(photos) == pairs:
            break
        path = files[index]
        if one := _add(photos, path, names[path], methods):
            left_out.append(one)
            warn(f"{path}: left out ({one.reason})")
    if not photos:
        raise EvaluationError(f"none of the {len(files)} photos can be shown")
    first, second = methods
    key = AnswerKey(
        colorflow=__version__,
        date=datetime.date.today().isoformat(),
        seed=seed,
        ways=(first.text, second.text),
        weights=(first.weights, second.weights),
        pairs=_key_pairs(photos, names, balanced_sides(len(photos), rng), seed),
    )
    try:
        directory.absolute().parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(directory) as unfinished:
            _write_test(unfinished, key, photos, methods, say)
            write_whole(key_file(directory), key_to_json(key).encode(), None)
    except OSError as error:
        raise EvaluationError(f"{directory}: cannot be made ({error.strerror})") from error
    say(f"{len(photos)} pairs in {directory}; the key is {key_file(directory)}")
    if pairs is not None and pairs > len(photos):
        say(
            f"{pairs} were asked for, but only {len(photos)} photos can be shown, each once; "
            "more photos give more pairs"
        )
    return left_out


def key_file(directory: Path) -> Path:
    """The key of a test: beside its folder, so that the folder can be given to judges."""
    whole = directory.resolve()
    return whole.with_name(f"{whole.name}.key.json")


def key_to_json(key: AnswerKey) -> str:
    """The content of the key's file."""
    return json.dumps({"format": FORMAT, **asdict(key)}, indent=1) + "\n"


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
    words = _TRUTH if key.asks_for_truth else _PREFERENCE
    told = _INSTRUCTIONS.read_text(encoding="utf-8").format(*words)
    (folder / "instructions.txt").write_text(told, encoding="utf-8")
    lines = [pair.pair + "," * (len(COLUMNS) - 1) for pair in key.pairs]
    for number, own in enumerate((lines, lines[::-1]), start=1):
        sheet = "\n".join([",".join(COLUMNS), *own]) + "\n"
        (folder / f"answers-{number}.csv").write_text(sheet, encoding="utf-8")


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


def _check_free(directory: Path) -> None:
    """Raise an OptionError unless a test can be made there."""
    key = key_file(directory)
    if key.exists():
        raise OptionError(f"{key}: is the key of an earlier test; choose a new folder for this one")
    try:
        taken = directory.exists() and any(directory.iterdir())
    except OSError as error:
        raise OptionError(f"{directory}: cannot be read ({error.strerror})") from error
    if taken:
        raise OptionError(f"{directory}: is not empty; choose a new folder for the test")
