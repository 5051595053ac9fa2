"""Color hints for many photos, from one JSON file.

{"album/1950/beach.jpg": [{"row": 120, "column": 80, "a": 10, "b": -30}], "portrait.png": [...]}

A hint may also have a "reach", and lists of [row, column], "adds" and "takes"; see `Hint`.

In the place of a list of hints, {"hints": [...], "coloring": {...}} also says on which coloring of
the photo they were given: the fields of its `ColoringSpec`, the digest of the weights, and the
factors on its chroma.
"""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from colorflow.color.cie import check_saturation
from colorflow.errors import BatchError
from colorflow.recipe import ColoringSpec, Hint, Place, PrincipalSpec

Hints = tuple[Hint, ...]

LARGEST_FILE = 2**20
"""Bytes of a file of hints, some 15,000 hints; in memory it takes forty times as many."""
_HINT = {"row": float, "column": float, "a": float, "b": float}
_MAY_HAVE = {"reach": str, "adds": list, "takes": list}
_COLORING = {
    "seeds": list,
    "principal": dict,
    "temperature": float,
    "skin": bool,
    "weights": str,
    "saturation": float,
    "pale": float,
}
_PRINCIPAL = {"number": int, "of": int, "seed": int}
_PHOTO = {"coloring": dict, "hints": list}
"""Fields of each object in a file, and what they are; "principal" may be null."""
_SAID = {
    float: "a number",
    int: "a whole number",
    str: "a text",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


@dataclass(frozen=True, slots=True)
class Start:
    """The coloring of a photo on which its hints were given."""

    spec: ColoringSpec
    """What it is made from, without a reference."""
    weights: str
    """Digest of the weights."""
    saturation: float = 1.0
    """Factor on the chroma afterwards, see `colorflow.color.cie`."""
    pale: float = 1.0
    """The same on that of pale colors."""

    def __post_init__(self) -> None:
        check_saturation(self.saturation, self.pale)


@dataclass(frozen=True, slots=True)
class PhotoHints:
    """What a file of hints says of one photo."""

    hints: Hints = ()
    start: Start | None = None
    """None for the coloring that the settings of a batch say."""

    def as_json(self) -> Any:
        """The same as `photo_hints_of` takes it."""
        hints = [
            {name: value for name, value in asdict(hint).items() if value != ()}
            for hint in self.hints
        ]
        if self.start is None:
            return hints
        fields = asdict(self.start)
        fields |= fields["spec"]
        coloring = {name: fields[name] for name in _COLORING}
        return {"coloring": coloring, "hints": hints}


def read_hints(path: Path) -> dict[str, PhotoHints]:
    """Reads a file of hints.

    Args:
        path: a JSON object that maps a photo's name, or its path relative to the folder that it is
            found in, to what `photo_hints_of` takes.

    Raises:
        BatchError: if the file cannot be read, has more than `LARGEST_FILE` bytes, or is not such
            an object.
    """
    try:
        content = json.loads(_text_of(path), object_pairs_hook=_without_repeats)
    except OSError as error:
        raise BatchError(f"{path}: the hints cannot be read ({error.strerror})") from error
    except RecursionError as error:
        raise BatchError(f"{path}: is nested too deeply for a file of hints") from error
    except ValueError as error:  # of JSON, of UTF-8, or a name that occurs twice
        raise BatchError(f"{path}: is not a JSON file of hints ({error})") from error
    if not isinstance(content, dict):
        raise BatchError(f'{path}: expected {{"photo.jpg": [hints]}}, got {_kind(content)}')
    return {name: photo_hints_of(given, f"{path}: {name!r}") for name, given in content.items()}


def photo_hints_of(given: Any, source: str) -> PhotoHints:
    """Parses what a file says of one photo.

    Args:
        given: a list of hints; or an object of such a list and of the ``coloring`` that they were
            given on.
        source: name of the source, for messages.

    Raises:
        BatchError: if it is neither.
    """
    if not isinstance(given, dict):
        return PhotoHints(hints_of(given, source))
    _check(given, _PHOTO, source)
    start = _start_of(given["coloring"], f"{source}: coloring")
    return PhotoHints(hints_of(given["hints"], source), start)


def hints_of(given: Any, source: str) -> Hints:
    """Parses the hints of one photo.

    Args:
        given: a list of hints. A hint has ``row`` and ``column``, in pixels of the upright photo,
            and ``a`` and ``b``, in CIELAB units, and may have a ``reach``, as `Hint` takes it, and
            lists of [row, column], ``adds`` and ``takes``.
        source: name of the source, for messages.

    Raises:
        BatchError: if it is not a list of hints.
    """
    if not isinstance(given, list):
        raise BatchError(f"{source}: expected a list of hints, got {_kind(given)}")
    hints = []
    for number, one in enumerate(given, 1):
        where = f"{source}: hint {number}"
        _check(one, _HINT, where, _MAY_HAVE)
        adds, takes = (
            _places_of(one.get(name, []), f"{where}: {name}") for name in ("adds", "takes")
        )
        try:
            row, column, a, b = (float(one[field]) for field in _HINT)
            hints.append(Hint(row, column, a, b, one.get("reach", "thing"), adds, takes))
        except (ValueError, OverflowError) as error:
            raise BatchError(f"{where}: {error}") from error
    return tuple(hints)


def hints_by_photo(
    hints: Mapping[str, PhotoHints], photos: Iterable[PurePath]
) -> dict[PurePath, PhotoHints]:
    """Assigns hints to photos.

    Args:
        hints: from `read_hints`.
        photos: relative paths of all photos.

    Raises:
        BatchError: if a name fits no photo, or several.
    """
    by_name: dict[str, list[PurePath]] = {}
    by_path: dict[str, list[PurePath]] = {}
    for photo in photos:
        by_name.setdefault(photo.name, []).append(photo)
        by_path.setdefault(photo.as_posix(), []).append(photo)
    found: dict[PurePath, PhotoHints] = {}
    for name, given in hints.items():
        fits = by_path.get(name) or by_name.get(name, [])
        if not fits:
            raise BatchError(f"there are hints for {name!r}, which is none of the photos")
        if len(fits) > 1:
            paths = " and ".join(repr(photo.as_posix()) for photo in fits[:2])
            raise BatchError(
                f"there are hints for {name!r}, but it may be one of several photos, {paths}; "
                "write the path below the folder, or color them one by one"
            )
        if fits[0] in found:
            raise BatchError(f"the hints name {fits[0].as_posix()!r} twice, by name and by path")
        found[fits[0]] = given
    return found


def _places_of(given: list[Any], source: str) -> tuple[Place, ...]:
    """Parses places on what a hint adds or takes."""
    places = []
    for place in given:
        if not isinstance(place, list) or len(place) != 2:
            raise BatchError(f"{source}: expected [row, column] for each, got {_kind(place)}")
        for position in place:
            _check_value(position, float, source)
        try:
            places.append((float(place[0]), float(place[1])))
        except OverflowError as error:  # of a whole number that no float has
            raise BatchError(f"{source}: {error}") from error
    return tuple(places)


def _start_of(given: Any, source: str) -> Start:
    """Parses the coloring on which hints were given."""
    _check(given, _COLORING, source)
    principal = given["principal"]
    if principal is not None:
        _check(principal, _PRINCIPAL, f"{source}: principal")
    if not given["seeds"]:
        raise BatchError(f"{source}: seeds: expected one for each level, got none")
    for seed in given["seeds"]:
        if seed is not None:
            _check_value(seed, int, f"{source}: seeds")
    try:
        spec = ColoringSpec(
            seeds=tuple(given["seeds"]),
            principal=principal and PrincipalSpec(**principal),
            temperature=float(given["temperature"]),
            skin=given["skin"],
        )
        factors = float(given["saturation"]), float(given["pale"])
        return Start(spec, given["weights"], *factors)
    except (ValueError, OverflowError) as error:
        raise BatchError(f"{source}: {error}") from error


def _check(
    given: Any, fields: Mapping[str, type], source: str, optional: Mapping[str, type] | None = None
) -> None:
    """Refuses what is not an object with just these fields, each of its type."""
    further = optional or {}
    if not isinstance(given, dict) or set(given) - set(further) != set(fields):
        *most, last = fields
        raise BatchError(f"{source}: expected {', '.join(most)} and {last}, got {_kind(given)}")
    for name, kind in {**fields, **further}.items():
        if name in given and not (name == "principal" and given[name] is None):
            _check_value(given[name], kind, f"{source}: {name}")


def _check_value(value: Any, kind: type, source: str) -> None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not (is_number if kind is int else isinstance(value, kind) or (kind is float and is_number)):
        raise BatchError(f"{source}: expected {_SAID[kind]}, got {_kind(value)}")


def _text_of(path: Path) -> str:
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():  # others may have no end
        raise BatchError(f"{path}: the hints cannot be read (it is not a regular file)")
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise BatchError(f"{path}: has more than {LARGEST_FILE // 2**20} MB; make several files")
    return content.decode()


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{name!r} occurs twice")
    return found


def _kind(value: Any) -> str:
    """Describes a JSON value for messages."""
    if isinstance(value, dict):
        return "an object with " + (", ".join(map(repr, value)) or "nothing")
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return json.dumps(value)
