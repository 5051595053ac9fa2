"""The answer key of a blind test: a file beside its folder, which judges do not see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from colorflow.errors import EvaluationError
from colorflow.quiz.methods import TRUTH
from colorflow.quiz.pictures import SIDES, Side

FORMAT = "colorflow-blind-2"

Form = Literal["preference", "truth"]
"""What judges are asked: which side looks better, or which side has the true colors."""


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
class KeyMethod:
    """A coloring method as the user wrote it, and the digest of its weights, if it has any."""

    text: str
    weights: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKey:
    """All that decides the pictures of a blind test.

    Attributes:
        colorflow: version that made it.
        seed: of the choice of photos, their order, sides and samples.
        ways: the two coloring methods that are compared.
        pairs: in the order of their numbers.
    """

    colorflow: str
    seed: int
    ways: tuple[KeyMethod, KeyMethod]
    pairs: tuple[KeyPair, ...]

    @property
    def form(self) -> Form:
        """What judges are asked."""
        return "truth" if any(method.text == TRUTH for method in self.ways) else "preference"


def key_file(directory: Path) -> Path:
    """The key of a test: beside its folder, so that the folder can be given to judges."""
    whole = directory.resolve()
    return whole.with_name(f"{whole.name}.key.json")


def key_to_json(key: AnswerKey, about: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for JSON; `about` holds what does not decide the pictures, such as the date."""
    return {"format": FORMAT, **about, **asdict(key)}


def read_key(directory: Path) -> AnswerKey:
    """Read the key of the blind test in a folder.

    Raises:
        EvaluationError: there is none, or it is damaged.
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


def _key_of(values: dict[str, Any]) -> AnswerKey:
    """Raises ValueError, TypeError or LookupError unless the values are a key's."""
    if values["format"] != FORMAT:
        raise ValueError(f"format: expected {FORMAT}, got {values['format']}")
    first, second = (KeyMethod(**method) for method in values["ways"])
    pairs = tuple(KeyPair(**pair) for pair in values["pairs"])
    if not pairs or any(pair.first not in SIDES for pair in pairs):
        raise ValueError("pairs: expected at least one, each with the side of the first method")
    if [int(pair.pair) for pair in pairs] != list(range(1, len(pairs) + 1)):
        raise ValueError("pairs: expected numbers from 1 on")
    return AnswerKey(
        colorflow=values["colorflow"], seed=values["seed"], ways=(first, second), pairs=pairs
    )
