"""What a blind test's pairs are made of: key.json, which judges do not see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from colorflow.errors import EvaluationError
from colorflow.quiz.pictures import SIDES, Side

KEY_FILE = "key.json"
FORMAT = "colorflow-blind-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedPair:
    """One pair of a blind test.

    Attributes:
        pair: its name, such as 001.
        photo: the file that both pictures come from, below its folder.
        digest: of the photo's pixels.
        truth: where the true picture stands.
        seed: of the draw; `colorflow colorize --seed` gives its colours again.
    """

    pair: str
    photo: str
    digest: str
    truth: Side
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """All that decides the pictures of a blind test.

    Attributes:
        colorflow: version that made it.
        weights: digest of the model.
        temperatures: shipped std of the latents of each level, at which was drawn.
        seed: of the choice of photos, of their order, of sides and draws.
        size: longer side of each picture at most, in pixels.
        pairs: in their order.
    """

    colorflow: str
    weights: str
    temperatures: tuple[float, ...]
    seed: int
    size: int
    pairs: tuple[KeyedPair, ...]

    def differences(self, other: Key) -> list[str]:
        """What this key has otherwise than another one, for people; nothing for the same test."""
        names = {
            "weights": "the weights",
            "temperatures": "the temperatures",
            "seed": "the seed",
            "size": "the size",
            "pairs": "the photos",
            "colorflow": "the version",
        }
        return [text for name, text in names.items() if getattr(self, name) != getattr(other, name)]


def key_to_json(key: Key, about: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for JSON; `about` holds what does not decide the pictures, such as the date."""
    return {"format": FORMAT, **about, **asdict(key)}


def read_key(folder: Path) -> Key:
    """Reads the key of a blind test.

    Raises:
        EvaluationError: if there is none, or it is damaged.
    """
    path = folder / KEY_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise EvaluationError(
            f"{folder}: is no blind test, for it has no {KEY_FILE}; "
            "make one with `colorflow blind make`"
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
    pairs = tuple(KeyedPair(**pair) for pair in values["pairs"])
    if not pairs or any(pair.truth not in SIDES for pair in pairs):
        raise ValueError("pairs: expected at least one, each with the side of the truth")
    if [int(pair.pair) for pair in pairs] != list(range(1, len(pairs) + 1)):
        raise ValueError("pairs: expected numbers from 1 on")
    return Key(
        colorflow=values["colorflow"],
        weights=values["weights"],
        temperatures=tuple(values["temperatures"]),
        seed=values["seed"],
        size=values["size"],
        pairs=pairs,
    )
