"""What a blind test's pairs are made of: a file beside its folder, which judges do not see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from colorflow.errors import EvaluationError
from colorflow.quiz.pictures import SIDES, Side
from colorflow.quiz.ways import TRUTH

FORMAT = "colorflow-blind-2"

Form = Literal["preference", "truth"]
"""What judges are asked: which side looks better, or which one has the true colors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedPair:
    """One pair of a blind test.

    Attributes:
        pair: its name, such as 001.
        photo: the file that both pictures come from, below its folder.
        digest: of the photo's pixels.
        first: where the picture of the first way stands.
        seed: of what is random; `colorflow colorize --seed` gives the colors of a sample again.
    """

    pair: str
    photo: str
    digest: str
    first: Side
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedWay:
    """One way of coloring: as it was written, and the digest of its weights, if it has some."""

    text: str
    weights: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """All that decides the pictures of a blind test.

    Attributes:
        colorflow: version that made it.
        seed: of the choice of photos, of their order, of sides and samples.
        ways: the two that are compared.
        pairs: in their order.
    """

    colorflow: str
    seed: int
    ways: tuple[KeyedWay, KeyedWay]
    pairs: tuple[KeyedPair, ...]

    @property
    def form(self) -> Form:
        """What judges are asked."""
        return "truth" if any(way.text == TRUTH for way in self.ways) else "preference"


def key_file(directory: Path) -> Path:
    """The key of the test in a folder: beside it, so that the folder can be given to judges."""
    whole = directory.resolve()
    return whole.with_name(f"{whole.name}.key.json")


def key_to_json(key: Key, about: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for JSON; `about` holds what does not decide the pictures, such as the date."""
    return {"format": FORMAT, **about, **asdict(key)}


def read_key(directory: Path) -> Key:
    """Reads the key of the blind test in a folder.

    Raises:
        EvaluationError: if there is none, or it is damaged.
    """
    path = key_file(directory)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise EvaluationError(
            f"{directory}: is no blind test, for there is no {path.name} beside it; "
            "make one with `colorflow blind compare`"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise EvaluationError(f"{path}: cannot be read ({reason})") from error
    try:
        return _key_of(json.loads(text))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise EvaluationError(
            f"{path}: is not the key of a blind test, or it is damaged; make the test again"
        ) from error


def _key_of(values: dict[str, Any]) -> Key:
    """Raises one of ValueError, TypeError and LookupError unless the values are a key's."""
    if values["format"] != FORMAT:
        raise ValueError(f"format: expected {FORMAT}, got {values['format']}")
    first, second = (KeyedWay(**way) for way in values["ways"])
    pairs = tuple(KeyedPair(**pair) for pair in values["pairs"])
    if not pairs or any(pair.first not in SIDES for pair in pairs):
        raise ValueError("pairs: expected at least one, each with the side of the first way")
    if [int(pair.pair) for pair in pairs] != list(range(1, len(pairs) + 1)):
        raise ValueError("pairs: expected numbers from 1 on")
    return Key(
        colorflow=values["colorflow"], seed=values["seed"], ways=(first, second), pairs=pairs
    )
