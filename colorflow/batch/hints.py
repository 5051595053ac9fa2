"""Color hints for many photos, from one JSON file.

{"album/1950/beach.jpg": [{"row": 120, "column": 80, "a": 10, "b": -30}], "portrait.png": [...]}
"""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from colorflow.errors import BatchError

if TYPE_CHECKING:
    from colorflow.colorizer import Hint

    Hints = tuple[Hint, ...]

LARGEST_FILE = 2**20
"""Bytes of a file of hints, some 15,000 hints; in memory it takes forty times as many."""
_FIELDS = ("row", "column", "a", "b")


def read_hints(path: Path) -> dict[str, Hints]:
    """Reads a file of hints.

    Args:
        path: a JSON object that maps a photo's name, or its path relative to the folder that it is
            found in, to a list of hints. A hint has ``row`` and ``column``, in pixels of the
            upright photo, and ``a`` and ``b``, in CIELAB units.

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
    return {name: hints_of(given, f"{path}: {name!r}") for name, given in content.items()}


def hints_of(given: Any, source: str) -> Hints:
    """Parses the hints of one photo.

    Args:
        given: a list of hints as in a file.
        source: name of the source, for messages.

    Raises:
        BatchError: if it is not a list of hints.
    """
    from colorflow.colorizer import Hint

    if not isinstance(given, list):
        raise BatchError(f"{source}: expected a list of hints, got {_kind(given)}")
    hints = []
    for number, one in enumerate(given, 1):
        where = f"{source}: hint {number}"
        if not isinstance(one, dict) or set(one) != set(_FIELDS):
            raise BatchError(f"{where}: expected row, column, a and b, got {_kind(one)}")
        for field in _FIELDS:
            if isinstance(one[field], bool) or not isinstance(one[field], int | float):
                raise BatchError(f"{where}: {field}: expected a number, got {_kind(one[field])}")
        try:
            hints.append(Hint(*(float(one[field]) for field in _FIELDS)))
        except (ValueError, OverflowError) as error:
            raise BatchError(f"{where}: {error}") from error
    return tuple(hints)


def hints_by_photo(
    hints: Mapping[str, Hints], photos: Iterable[PurePath], source: str
) -> dict[PurePath, Hints]:
    """Assigns hints to photos.

    Args:
        hints: from `read_hints`.
        photos: relative paths of all photos.
        source: the file's name, for messages.

    Raises:
        BatchError: if a name fits no photo, or several.
    """
    by_name: dict[str, list[PurePath]] = {}
    for photo in photos:
        by_name.setdefault(photo.as_posix(), []).append(photo)
        if len(photo.parts) > 1:
            by_name.setdefault(photo.name, []).append(photo)
    found: dict[PurePath, Hints] = {}
    for name, given in hints.items():
        fits = by_name.get(name, [])
        fits = [photo for photo in fits if photo.as_posix() == name] or fits
        if not fits:
            raise BatchError(f"{source}: has hints for {name!r}, which is none of the photos")
        if len(fits) > 1:
            paths = " and ".join(repr(photo.as_posix()) for photo in fits[:2])
            raise BatchError(
                f"{source}: has hints for {name!r}, but there are several, {paths}; "
                "write the path below the folder, or color them one by one"
            )
        if fits[0] in found:
            raise BatchError(f"{source}: names {fits[0].as_posix()!r} twice, by name and by path")
        found[fits[0]] = given
    return found


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
