"""What a result says about how it was made: of its colors, its detail and its repair, a line each.

A line begins with words for people, and goes on with the fields of the dataclass as JSON, those
that have their default left out. `metadata.with_statement` puts the lines into a file's metadata,
and the functions here find them there again, also as versions before 2026-12 wrote them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from colorflow.color.cie import check_saturation
from colorflow.errors import PhotoError
from colorflow.files import STATEMENT, FileKind
from colorflow.limits import check_range
from colorflow.photo.decode import read_header
from colorflow.photo.photo import Photo

LETTERS = "abcdefghijklmnop"
"""Letters of a photo's principal colorings."""

_FAR = 1_000_000
"""Pixels, beyond any scan."""
_RECORD = re.compile(r"[\w.:+, -]*", re.ASCII)
"""The fields in an old statement, as in ``seed 3, temperature 1.0, model abc``."""
_MODEL = re.compile(r"[\w.:+-]{1,100}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Identifies one of a photo's principal colorings.

    Raises:
        ValueError: if a field is out of range.
    """

    letter: str
    """``a`` for the mean, then the modes by decreasing share."""
    of: int
    """Number of principal colorings that the samples were divided into, at most 16."""
    share: float | None = None
    """Share of the samples whose mean it is; None where it is not recorded."""

    def __post_init__(self) -> None:
        check_range("of", self.of, 1, len(LETTERS))
        if self.letter not in tuple(LETTERS[: self.of]):
            raise ValueError(f"letter: expected one of {LETTERS[: self.of]}, got {self.letter!r}")
        check_range("share", self.share or 0, 0, 1)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the colors of a picture were generated from.

    Raises:
        ValueError: if a field is out of range or not of its format.
    """

    seed: int
    """Seed of the sample, from 0; of a principal coloring, seed of the first of its samples."""
    temperature: float
    """From 0; 1 is the shipped temperature."""
    model: str
    """Digest or name of the weights: letters, digits and ``_.:+-``, at most 100."""
    photo: str | None = None
    """Digest of the photo's file, see `files.digest_of`; None where it is not recorded."""
    hints: str | None = None
    """Digest of the color hints; None if there were none."""
    principal: Principal | None = None
    """The principal coloring; None for a sample."""
    skin: bool = False
    """Whether skin got its own color; earlier versions gave it none."""
    saturation: float = 1.0
    """Factor on the chroma afterwards, see `colorflow.color.cie`."""
    pale: float = 1.0
    """The same on that of pale colors."""
    references: tuple[str, ...] = ()
    """Digests of the photos that gave their colors to what looks alike; empty where there were
    none, or where they are not recorded."""
    strength: float | None = None
    """How far what looks alike got the colors of the references, in [0, 1]; None without any."""
    style: str | None = None
    """Digest of the photo whose latents were carried over; None where there was none, or where it
    is not recorded. Earlier versions called it the reference."""
    style_strength: float | None = None
    """How far the latents went towards those of the style, in [0, 1]; None without one."""

    def __post_init__(self) -> None:
        digests = (self.photo, self.hints, *self.references, self.style)
        _check_origin(self.seed, self.temperature, self.model, *digests)
        check_saturation(self.saturation, self.pale)
        for name, of in (("strength", self.references), ("style_strength", self.style)):
            strength = getattr(self, name)
            if (strength is None) == bool(of):
                what = "references" if name == "strength" else "a style"
                raise ValueError(f"{name}: expected a number with {what}, and none without")
            check_range(name, strength or 0, 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlargement:
    """What the detail of a picture was generated from.

    Raises:
        ValueError: if a field is out of range or not of its format.
    """

    scale: int
    """2 or 4."""
    seed: int
    """Of the sample, from 0."""
    temperature: float
    """Factor on what a sample adds to the mean, from 0."""
    model: str
    """Digest or name of the weights: letters, digits and ``_.:+-``, at most 100."""
    photo: str | None = None
    """Digest of the photo's file, see `files.digest_of`; None where it is not recorded."""
    restored: bool = False
    """Whether blur, noise and compression were taken out."""

    def __post_init__(self) -> None:
        if self.scale not in (2, 4):
            raise ValueError(f"scale: expected 2 or 4, got {self.scale}")
        _check_origin(self.seed, self.temperature, self.model, self.photo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What was done with the scan of a print, before it was colored or enlarged or instead of that.

    Raises:
        ValueError: if a field is out of range or not of its format.
    """

    prints: int | None = None
    """Number of prints that were found in the scan and cut out, 0 where it was taken as a whole;
    None where nobody looked for them."""
    number: int = 1
    """Which of them it is."""
    unfaded: bool = False
    """Whether the tones were brought back."""
    model: str | None = None
    """Digest or name of the weights that repaired it; None if it was not repaired."""
    sensitivity: int = 0
    """From what is surely damage (-2) to all that may be (2)."""
    seed: int = 0
    """Of the sample, from 0."""
    temperature: float = 0.0
    """Factor on what a sample adds to the mean, from 0."""
    share: float | None = None
    """Of the pixels, how many the repair has replaced, 0 to 1; None where that is not known."""
    photo: str | None = None
    """Digest of the photo's file, see `files.digest_of`; None where it is not recorded."""
    has_colors: bool = False
    """Whether the print has colors of its own, which stayed."""
    frame: tuple[float, ...] | None = None
    """x and y of its corners in pixels of the upright scan, clockwise from the upper left; None if
    it was not cut out, or where that is not recorded."""
    marks: str | None = None
    """Where it was repaired, see `colorflow.batch.sheet`; None if nowhere, or not recorded."""

    def __post_init__(self) -> None:
        check_range("number", self.number, 1, max(1, self.prints or 0))
        if self.frame and not (len(self.frame) == 8 and all(abs(x) < _FAR for x in self.frame)):
            raise ValueError(f"frame: expected eight numbers below {_FAR}, got {self.frame!r}")
        if not isinstance(self.marks, str | None):
            raise ValueError(f"marks: expected text, got {self.marks!r}")
        check_range("share", self.share or 0, 0, 1)
        _check_origin(self.seed, self.temperature, self.model or "none", self.photo)

    @property
    def cut(self) -> bool:
        """Whether prints were looked for."""
        return self.prints is not None

    @property
    def repaired(self) -> bool:
        """Whether damage was looked for, and filled where there was any."""
        return self.model is not None


@dataclass(frozen=True, slots=True)
class Statements:
    """What a picture says of how colorflow made it."""

    colors: Provenance | None = None
    """What its colors were generated from; None if they were not."""
    detail: Enlargement | None = None
    """What its detail was generated from; None if it was not enlarged."""
    prepared: Preparation | None = None
    """What was done with its scan; None if nothing was."""

    @property
    def seed(self) -> int:
        """Of the colors where they were generated, otherwise of the detail, or of the repair."""
        one = self.colors or self.detail or self.prepared
        if one is None:
            raise ValueError("statements: expected one, got none")
        return one.seed

    @property
    def is_generated(self) -> bool:
        """Whether any of the picture was generated, rather than corrected."""
        return bool(self.colors or self.detail or (self.prepared and self.prepared.share))

    @property
    def text(self) -> str:
        """One statement a line, or nothing."""
        every = self.colors, self.detail, self.prepared
        return "\n".join(_stated(one) for one in every if one)


def read_statements(path: str | os.PathLike[str], *, isolated: bool = False) -> Statements:
    """Read what a picture file says of how colorflow made it.

    Args:
        path: a picture file.
        isolated: as of `decode.read_photo`.

    Raises:
        PhotoError: the file cannot be read.
    """
    return statements_in(read_header(path, isolated=isolated).stated)


def read_provenance(path: str | os.PathLike[str], *, isolated: bool = False) -> Provenance | None:
    """Read what the colors of a file were generated from.

    Args:
        path: a picture file.
        isolated: as of `decode.read_photo`.

    Returns:
        None where the file does not state it.

    Raises:
        PhotoError: the file cannot be read.
    """
    return read_statements(path, isolated=isolated).colors


def statements_in(text: str) -> Statements:
    """Read the statements anywhere in a text; of several of a kind, the first counts."""
    return Statements(*(_first_in(text, kind) for kind in _OPENINGS))


def _stated(one: Provenance | Enlargement | Preparation) -> str:
    """The line that files contain."""
    defaults = {field.name: field.default for field in dataclasses.fields(one)}
    said = {name: x for name, x in dataclasses.asdict(one).items() if x != defaults[name]}
    generated = ", not recorded"
    if isinstance(one, Preparation):
        generated = ", in part not recorded" if one.share else ""
    return f"{_OPENINGS[type(one)]}{generated}: {json.dumps(said)}"


def _first_in(text: str, kind: type) -> Any:
    """The first statement of a kind, read from its JSON or as an old one; None without any."""
    for begun in re.finditer(rf"{_OPENINGS[kind]}(?:,(?: in part)? not recorded)?: ", text):
        said = text[begun.end() :]
        try:
            fields = json.JSONDecoder().raw_decode(said)[0] if said[:1] == "{" else _old_in(said)
            for name in {"references", "frame"} & fields.keys():
                fields[name] = tuple(fields[name])
            if "principal" in fields:
                fields["principal"] = Principal(**fields["principal"])
            return kind(**fields)
        except (TypeError, ValueError, RecursionError):  # someone edited it
            continue
    return None


def _old_in(said: str) -> dict[str, Any]:
    """The fields in a statement that versions before 2026-12 wrote; unknown ones are left out.

    Raises:
        ValueError: one of them makes no sense.
    """
    record = _RECORD.match(said)
    parts = (part.partition(" ") for part in (record[0] if record else "").split(", "))
    by_name = {name: value for name, _, value in parts}
    found: dict[str, Any] = {}
    for name, value in by_name.items():
        match name:
            case "seed" | "prints" | "sensitivity":
                found[name] = int(value)
            case "temperature" | "saturation" | "pale":
                found[name] = float(value)
            case "model" | "photo" | "hints":
                found[name] = value
            case "restored" | "unfaded":
                found[name] = True
            case "skin":
                found[name] = value == "natural"
            case "print":
                found["number"] = int(value)
            case "enlarged":
                found["scale"] = int(value.removesuffix(" times"))
            case "repaired" if value:
                found["share"] = float(value)
            case "references":
                digests, _, strength = value.rpartition(" at ")
                found |= {"references": digests.split(), "strength": float(strength)}
            case "style":
                digest, _, strength = value.rpartition(" at ")
                found |= {"style": digest, "style_strength": float(strength)}
            case "reference":  # as a style was called
                found |= {"style": value, "style_strength": float(by_name.get("strength", ""))}
            case "principal":
                letter, _, of = value.removeprefix("coloring ").partition(" of ")
                share = float(by_name["share"]) if "share" in by_name else None
                found["principal"] = {"letter": letter, "of": int(of), "share": share}
    return found


def is_own_picture(picture: Photo | str | os.PathLike[str], kind: FileKind) -> bool:
    """Whether a picture states that it is of a kind, or that colorflow made it from nothing.

    Args:
        picture: a photo, or a file, which is read in a process of its own, see `isolated`.
        kind: `COLORING`, `ENLARGED`, `REPAIRED` or `RESTORED`: what is of one kind may become one
            of another.
    """
    stated = _stated_in(picture)
    return _is_stated(kind, stated) or STATEMENT in stated


def _stated_in(picture: Photo | str | os.PathLike[str]) -> str:
    if isinstance(picture, Photo):
        return picture.metadata.stated
    try:
        return read_header(picture, isolated=True).stated
    except PhotoError:
        return ""


def _is_stated(kind: FileKind, stated: str) -> bool:
    found = statements_in(stated)
    of_kind = {
        COLORING: found.colors,
        ENLARGED: found.detail,
        REPAIRED: found.prepared and found.prepared.model,
        RESTORED: found.prepared,
    }
    return of_kind[kind] is not None


_OPENINGS: Mapping[type, str] = {
    Provenance: "Colors generated by colorflow",
    Enlargement: "Detail generated by colorflow",
    Preparation: "Print prepared by colorflow",
}
"""What the line of each begins with, in the order of the fields of `Statements`."""

COLORING: FileKind = FileKind("coloring", lambda path: _is_stated(COLORING, _stated_in(path)))
ENLARGED: FileKind = FileKind("enlarged photo", lambda path: _is_stated(ENLARGED, _stated_in(path)))
REPAIRED: FileKind = FileKind("repaired photo", lambda path: _is_stated(REPAIRED, _stated_in(path)))
RESTORED: FileKind = FileKind("restored photo", lambda path: _is_stated(RESTORED, _stated_in(path)))


def _check_origin(seed: int, temperature: float, model: str, *digests: str | None) -> None:
    """Raises `ValueError` unless a statement can name this seed, temperature, model and digests."""
    if not 0 <= seed < 10**20:
        raise ValueError(f"seed: expected 0 or more, got {seed}")
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ValueError(f"temperature: expected 0 or more, got {temperature}")
    if not _MODEL.fullmatch(model):
        raise ValueError(f"model: expected up to 100 letters, digits and _.:+-, got {model!r}")
    for digest in digests:
        if digest is not None and not _DIGEST.fullmatch(digest):
            raise ValueError(f"digest: expected 16 hexadecimal digits, got {digest!r}")
