"""What is done to a photo, as data: a `Recipe`; and what a file says of it, a list of `Statement`.

A recipe is frozen, can be compared and pickled, and is JSON both ways. `colorflow.run` carries it
out. A result says in its file which recipe it was made by, with the digests of the photo and of the
weights, so that a run goes on where the recipe in a file is the one that is asked for. A picture
that was made from one of ours keeps what that one said, and adds its own statement.

Nothing here imports torch.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from io import BytesIO
from typing import Any, Literal, TypeVar, cast, get_args

from colorflow.color.cie import SRGB_REACH, check_saturation
from colorflow.files import STATEMENT, digest_of_open
from colorflow.limits import (
    LARGEST_DETAIL_TEMPERATURE,
    LARGEST_SEED,
    LARGEST_TEMPERATURE,
    MOST_PRINCIPAL,
    SCALES,
    SENSITIVITIES,
    check_range,
    check_seed,
    check_whole,
)

LETTERS = "abcdefghijklmnop"
"""Letters of a photo's principal colorings: ``a`` for the mean, then by decreasing share."""
MOST_PLACES = 2000
"""That one hint adds and takes."""
LONGEST_STATEMENT = 8000
"""Characters of what a file says: with more statements, the first ones go."""
_FAR = 1_000_000
"""Pixels, beyond any scan."""
_DIGEST = re.compile(r"[0-9a-f]{16}")
_WEIGHTS = re.compile(r"[\w.:+-]{1,100}", re.ASCII)
_STRICT = {"extra": "forbid", "strict": True}
"""How pydantic reads what somebody may have edited."""
Data = TypeVar("Data")

Reach = Literal["thing", "larger", "around", "alike"]
"""What a hint colors: the thing that it lies on; the next larger one, such as a person for a coat;
its surroundings alone; or everything like the thing, wherever that is in the photo, and what the
model infers."""
ON_THINGS: tuple[Reach, ...] = ("thing", "larger")
"""Those that color a thing, which places may be added to or taken from."""
Place = tuple[float, float]
"""Row and column of a pixel of the upright photo at full resolution, from 0."""


@dataclass(frozen=True, slots=True)
class Hint:
    """The color of one point of a photo.

    Args:
        row: of a pixel of the upright photo at full resolution, from 0 at the top.
        column: from 0 on the left.
        a: CIELAB units.
        b: CIELAB units.
        reach: one of `Reach`.
        adds: places on the smallest regions of the photo that the hint colors besides its thing;
            at most `MOST_PLACES` with those that it takes.
        takes: places on those that it does not color, whatever it adds.

    Raises:
        ValueError: if a number is not finite, a position is below 0, sRGB has no such color, there
            is no such reach, or places are too many, or do not go with the reach.
    """

    __pydantic_config__ = _STRICT

    row: float
    column: float
    a: float
    b: float
    reach: Reach = "thing"
    adds: tuple[Place, ...] = ()
    takes: tuple[Place, ...] = ()

    def __post_init__(self) -> None:
        if self.reach not in get_args(Reach):
            known = ", ".join(get_args(Reach))
            raise ValueError(f"reach: expected one of {known}, got {self.reach!r}")
        for name in ("row", "column"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}: expected a pixel from 0, got {getattr(self, name)}")
        for name in ("a", "b"):
            if not abs(getattr(self, name)) <= SRGB_REACH:
                raise ValueError(
                    f"{name}: expected -{SRGB_REACH:g} to {SRGB_REACH:g} CIELAB units, "
                    f"got {getattr(self, name)}"
                )
        _make_floats(self, "row", "column", "a", "b")
        if self.adds or self.takes:
            self._check_places()

    def _check_places(self) -> None:
        if self.reach not in ON_THINGS:
            known = " and ".join(ON_THINGS)
            raise ValueError(f"adds and takes: go with the reaches {known}, got {self.reach!r}")
        for name in ("adds", "takes"):
            places = getattr(self, name)
            is_given = isinstance(places, tuple) and all(
                isinstance(place, tuple) and len(place) == 2 for place in places
            )
            if not is_given:
                raise ValueError(f"{name}: expected a tuple of (row, column), got {places!r:.80}")
            for place in places:
                if not all(0 <= position < math.inf for position in place):
                    raise ValueError(f"{name}: expected pixels from 0, got {place}")
        if (count := len(self.adds) + len(self.takes)) > MOST_PLACES:
            raise ValueError(f"adds and takes: expected at most {MOST_PLACES} places, got {count}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalSpec:
    """One of the k principal colorings of a photo.

    Args:
        number: 0 for the mean, then the clusters in order of decreasing share.
        of: k; 1 for the mean, which is the same among any number.
        seed: seed of the first sample.
    """

    __pydantic_config__ = _STRICT

    number: int
    of: int
    seed: int

    def __post_init__(self) -> None:
        _check_counted_seed(self.seed)
        check_whole("of", self.of, 1, MOST_PRINCIPAL)
        check_whole("number", self.number, 0, self.of - 1)
        if not self.number:
            object.__setattr__(self, "of", 1)

    @property
    def letter(self) -> str:
        """As people call it."""
        return LETTERS[self.number]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColoringSpec:
    """All that defines one coloring, given the photo, weights, hints, references and style.

    A plain sample has the same seed in all levels. Coarse levels decide the colors of objects and
    fine levels the details, so a new seed for some levels changes one and keeps the other.

    Args:
        seeds: one a level, coarse to fine; the latents of a level depend on its own seed and the
            photo only. None where a level is that of the principal coloring.
        principal: the principal coloring that supplies the levels without a seed.
        temperature: multiplies the shipped temperatures, 0 to `LARGEST_TEMPERATURE`.
        style_strengths: how far each level goes from its sampled latents (0) to the latents of the
            photo whose style is wanted (1); empty without one.
        skin: whether skin gets its own color, see `colorflow.model.skin`.
        strength: how far what looks alike in the references gets its colors there, 0 to 1; 0
            without references.

    Raises:
        ValueError: if a number is out of range, or the numbers of seeds and strengths differ.
    """

    __pydantic_config__ = _STRICT

    seeds: tuple[int | None, ...]
    principal: PrincipalSpec | None = None
    temperature: float = 1.0
    style_strengths: tuple[float, ...] = ()
    skin: bool = True
    strength: float = 0.0

    def __post_init__(self) -> None:
        for seed in self.seeds:
            if seed is not None:
                _check_counted_seed(seed)
            elif self.principal is None:
                raise ValueError(
                    "seeds: expected a number for every level, as there is no principal coloring"
                )
        seeds = (seed if seed is None else int(seed) for seed in self.seeds)
        object.__setattr__(self, "seeds", tuple(seeds))  # torch takes none of NumPy's
        check_range("temperature", self.temperature, 0, LARGEST_TEMPERATURE)
        check_range("strength", self.strength, 0, 1)
        _make_floats(self, "temperature", "strength")
        for strength in self.style_strengths:
            check_range("style_strength", strength, 0, 1)
        if len(self.style_strengths) not in (0, len(self.seeds)):
            raise ValueError(
                f"style_strengths: expected none or {len(self.seeds)}, as many as seeds, "
                f"got {len(self.style_strengths)}"
            )

    def __str__(self) -> str:
        which = self.principal
        kind = f"principal coloring {which.letter} of {which.of}" if which else "sample"
        return f"{kind}, seed {self.seed}"

    @property
    def seed(self) -> int:
        """Seed of the coarsest level, or of the samples of the principal coloring."""
        coarsest = self.seeds[0]
        if coarsest is not None:
            return coarsest
        assert self.principal is not None
        return self.principal.seed

    @property
    def filled(self) -> ColoringSpec:
        """The same with the first seed where a principal coloring supplies a level."""
        return replace(self, seeds=tuple(self.seed if s is None else s for s in self.seeds))

    @property
    def is_principal(self) -> bool:
        """Whether it is a principal coloring with no level sampled anew."""
        return self.principal is not None and not any(seed is not None for seed in self.seeds)

    def principal_spec(self, number: int, of: int) -> ColoringSpec:
        """One of the principal colorings of the samples from this one on."""
        principal = PrincipalSpec(number=number, of=of, seed=self.seed)
        return replace(self, seeds=(None,) * len(self.seeds), principal=principal)

    def sample_spec(self, seed: int) -> ColoringSpec:
        """The plain sample of a seed, with the same temperature and strengths."""
        return replace(self, seeds=(seed,) * len(self.seeds), principal=None)

    def resampled(self, levels: Collection[int], seed: int) -> ColoringSpec:
        """The same with another seed in some levels, given by their indices."""
        seeds = tuple(seed if i in levels else before for i, before in enumerate(self.seeds))
        return replace(self, seeds=seeds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """The part of a scan that is a print.

    Args:
        number: which of the scan's prints it is, from 1.
        frame: x and y of its corners in pixels of the upright scan, clockwise from the upper left;
            None for the scan as a whole.
        turns: quarter turns clockwise afterwards, 0 to 3.

    Raises:
        ValueError: if a number is out of range.
    """

    __pydantic_config__ = _STRICT

    number: int = 1
    frame: tuple[float, ...] | None = None
    turns: int = 0

    def __post_init__(self) -> None:
        check_whole("number", self.number, 1)
        check_whole("turns", self.turns, 0, 3)
        if self.frame and not (len(self.frame) == 8 and all(abs(x) < _FAR for x in self.frame)):
            raise ValueError(f"frame: expected eight numbers below {_FAR}, got {self.frame!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Damage is found, and filled.

    Args:
        sensitivity: from what is surely damage (-2) to all that may be (2).
        temperature: factor on what a sample adds to the mean.
        seed: of the sample, or of the grain.

    Raises:
        ValueError: if a number is out of range.
    """

    __pydantic_config__ = _STRICT

    sensitivity: int = 0
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("sensitivity", self.sensitivity, SENSITIVITIES[0], SENSITIVITIES[-1])
        check_range("temperature", self.temperature, 0, LARGEST_DETAIL_TEMPERATURE)
        check_seed(self.seed)
        _make_floats(self, "temperature")


@dataclass(frozen=True, slots=True, kw_only=True)
class Colors:
    """Colors are generated.

    Args:
        spec: which of the photo's colorings it is.
        hints: colors of points; their digest, in what a file says.
        references: digests of the photos that give their colors to what looks alike.
        style: digest of the photo whose latents are carried over; None without one.
        saturation: factor on the chroma afterwards, see `colorflow.color.cie`.
        pale: the same on that of pale colors.
        keeps: whether a photo that has colors of its own keeps them instead.

    Raises:
        ValueError: if a number is out of range, or a digest is none.
    """

    __pydantic_config__ = _STRICT

    spec: ColoringSpec
    hints: tuple[Hint, ...] | str = ()
    references: tuple[str, ...] = ()
    style: str | None = None
    saturation: float = 1.0
    pale: float = 1.0
    keeps: bool = False

    def __post_init__(self) -> None:
        check_saturation(self.saturation, self.pale)
        _make_floats(self, "saturation", "pale")
        hints = (self.hints,) if isinstance(self.hints, str) else ()
        _check_digests(*hints, *self.references, self.style)
        if bool(self.spec.strength) > bool(self.references):
            raise ValueError("references: expected the photos that the spec's colors come from")

    @property
    def stated(self) -> Colors:
        """As a file says it."""
        if isinstance(self.hints, str) or not self.hints:
            return self
        return replace(self, hints=digest_of_hints(self.hints))


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlargement:
    """Detail is generated.

    Args:
        scale: 2 or 4.
        restored: whether blur, noise and compression are taken out.
        temperature: factor on what a sample adds to the mean; 0 for the mean.
        seed: of the sample.

    Raises:
        ValueError: if a number is out of range.
    """

    __pydantic_config__ = _STRICT

    scale: int
    restored: bool = False
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"scale: expected 2 or 4, got {self.scale!r}")
        check_range("temperature", self.temperature, 0, LARGEST_DETAIL_TEMPERATURE)
        _check_counted_seed(self.seed)
        _make_floats(self, "temperature")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that is done to a photo, in this order; what is None is not done."""

    __pydantic_config__ = _STRICT

    crop: Crop | None = None
    repair: Repair | None = None
    unfaded: bool = False
    """Whether the tones of a faded print are brought back."""
    colors: Colors | None = None
    enlargement: Enlargement | None = None

    def __str__(self) -> str:
        """What is done, in words."""
        colors, detail = self.colors, self.enlargement
        steps = {
            "cut out": self.crop and self.crop.frame,
            "repaired": self.repair,
            "tones brought back": self.unfaded,
            str(colors and colors.spec): colors,
            f"enlarged {detail and detail.scale} times": detail,
        }
        return ", ".join(step for step, is_done in steps.items() if is_done) or "as it is"

    @property
    def prepared(self) -> Recipe:
        """What is done before colors and detail are generated."""
        return replace(self, colors=None, enlargement=None)

    @property
    def stated(self) -> Recipe:
        """As a file says it: hints by their digest."""
        return replace(self, colors=self.colors.stated) if self.colors else self

    @property
    def seed(self) -> int:
        """Of the colors where they are generated, otherwise of the detail, or of the repair."""
        if self.colors:
            return self.colors.spec.seed
        made = self.enlargement or self.repair
        return made.seed if made else 0

    @property
    def json(self) -> str:
        """What `from_json` takes."""
        return json_of(self)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe of such a text.

        Raises:
            ValueError: if it is none.
        """
        return data_of(cls, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Digests or names of weights, by what they add to a photo; None where they add nothing.

    Raises:
        ValueError: if one is not up to 100 letters, digits and ``_.:+-``.
    """

    __pydantic_config__ = _STRICT

    colors: str | None = None
    detail: str | None = None
    repair: str | None = None

    def __post_init__(self) -> None:
        for weights in (self.colors, self.detail, self.repair):
            if weights is not None and not _WEIGHTS.fullmatch(weights):
                raise ValueError(
                    f"weights: expected up to 100 letters, digits and _.:+-, got {weights!r}"
                )

    def used_by(self, recipe: Recipe, *, has_colors: bool = False) -> Weights:
        """Those that carry out a recipe, of a photo that keeps its colors or does not."""
        return Weights(
            colors=self.colors if recipe.colors and not has_colors else None,
            detail=self.detail if recipe.enlargement else None,
            repair=self.repair if recipe.repair else None,
        )


NO_WEIGHTS = Weights()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a file says of how it was made: by a recipe, from a photo; and what came out.

    Args:
        recipe: as of `Recipe.stated`.
        weights: those that it used.
        photo: digest of the photo's file, see `files.digest_of`; None where it is not recorded.
        share: of the samples, whose mean a principal coloring is.
        prints: that were found in the scan, 0 where it was taken as a whole; None where nobody
            looked for them.
        repaired: share of the pixels that the repair has replaced.
        marks: where it was repaired, see `colorflow.batch.sheet`; None if nowhere.
        has_colors: whether it was to be colored, and kept the colors that it has.

    Raises:
        ValueError: if a field is out of range or not of its format.
    """

    __pydantic_config__ = _STRICT

    recipe: Recipe
    weights: Weights = NO_WEIGHTS
    photo: str | None = None
    share: float | None = None
    prints: int | None = None
    repaired: float | None = None
    marks: str | None = None
    has_colors: bool = False

    def __post_init__(self) -> None:
        _check_digests(self.photo)
        check_range("share", self.share or 0, 0, 1)
        check_range("repaired", self.repaired or 0, 0, 1)
        check_whole("prints", self.prints or 0, 0)
        if self.prints and self.recipe.crop and self.recipe.crop.number > self.prints:
            raise ValueError(f"number: expected at most {self.prints}, as there are prints")

    @property
    def generated(self) -> tuple[str, ...]:
        """Words for what was generated, rather than corrected."""
        parts = {
            "colors": self.recipe.colors and not self.has_colors,
            "detail": self.recipe.enlargement,
            "filled damage": self.repaired,
        }
        return tuple(part for part, is_generated in parts.items() if is_generated)


def text_of(statements: Iterable[Statement]) -> str:
    """The line that a file contains: words for people, then JSON, as short as can be.

    Args:
        statements: of each step on the picture's way, the first one first; the last ones count if
            it would be too long.
    """
    made = list(statements)
    while made:
        parts = {part: None for one in made for part in one.generated}
        what = f"{' and '.join(parts)} generated, not recorded" if parts else "a print, prepared"
        text = f"{STATEMENT}{what}: [{', '.join(map(json_of, made))}]"
        if len(text) <= LONGEST_STATEMENT or len(made) == 1:
            return text
        made.pop(0)
    return ""


def statements_in(text: str) -> tuple[Statement, ...]:
    """The first statements in a text that nobody has broken, see `text_of`; none without any."""
    for begun in re.finditer(rf"{STATEMENT}[^\[\n]*: (?=\[)", text):
        with suppress(ValueError, OverflowError, RecursionError):
            _, end = json.JSONDecoder().raw_decode(text, begun.end())
            return data_of(tuple[Statement, ...], text[begun.end() : end])
    return ()


def json_of(data: Any) -> str:
    """JSON of a dataclass, without the fields that have their default."""
    return json.dumps(_brief(data))


def data_of(kind: type[Data], text: str) -> Data:
    """A value of a kind from JSON.

    Raises:
        ValueError: if it is not of that kind.
    """
    made: Data = _reader(cast(Hashable, kind)).validate_json(text)
    return made


def digest_of_hints(hints: tuple[Hint, ...]) -> str:
    """The digest that files state."""
    return digest_of_open(BytesIO(json.dumps([_brief(hint) for hint in hints]).encode()))


@cache
def _reader(kind: Any) -> Any:
    from pydantic import TypeAdapter  # 0.1 s, and only what was made before is read

    return TypeAdapter(kind)


def _brief(value: Any) -> Any:
    if is_dataclass(value):
        named = {field.name: getattr(value, field.name) for field in fields(value)}
        defaults = {field.name: field.default for field in fields(value)}
        return {name: _brief(x) for name, x in named.items() if x != defaults[name]}
    return [_brief(x) for x in value] if isinstance(value, tuple) else value


def _make_floats(data: object, *names: str) -> None:
    """Makes fields floats, as JSON tells 1 from 1.0."""
    for name in names:
        object.__setattr__(data, name, float(getattr(data, name)))


def _check_counted_seed(seed: int) -> None:
    """Raises `ValueError` for a seed that no sample has; counting leads above the largest seed."""
    check_whole("seed", seed, 0, 2 * LARGEST_SEED)


def _check_digests(*digests: str | None) -> None:
    for digest in digests:
        if digest is not None and not _DIGEST.fullmatch(digest):
            raise ValueError(f"digest: expected 16 hexadecimal digits, got {digest!r}")


NOTHING_DONE = Statement(recipe=Recipe())
"""Of a picture that is as it came."""
