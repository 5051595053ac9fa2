"""What a result says about how it was made: of its colors, its detail and its repair.

The statement is one line: words for people, then the dataclasses below as JSON, without the fields
that have their default. `metadata.with_statement` puts it into a file's metadata, and the functions
here read it again.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from colorflow.color.cie import check_saturation
from colorflow.errors import PhotoError
from colorflow.files import STATEMENT, FileKind
from colorflow.limits import check_range
from colorflow.photo.decode import read_header
from colorflow.photo.exif import DAMAGE
from colorflow.photo.photo import Photo

LETTERS = "abcdefghijklmnop"
"""Letters of a photo's principal colorings."""

_FAR = 1_000_000
"""Pixels, beyond any scan."""
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
    def generated(self) -> tuple[str, ...]:
        """Words for what of the picture was generated, rather than corrected."""
        filled = self.prepared and self.prepared.share
        parts = {"colors": self.colors, "detail": self.detail, "filled damage": filled}
        return tuple(part for part, is_generated in parts.items() if is_generated)

    @property
    def text(self) -> str:
        """The line that files contain; empty if nothing is stated."""
        every = {"colors": self.colors, "detail": self.detail, "prepared": self.prepared}
        said = {name: _without_defaults(one) for name, one in every.items() if one}
        if not said:
            return ""
        generated = " and ".join(self.generated)
        what = f"{generated} generated, not recorded" if generated else "a print, prepared"
        return f"{STATEMENT}{what}: {json.dumps(said)}"


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
    """Read the first statement in a text that nobody has broken."""
    for begun in re.finditer(rf"{STATEMENT}[^{{\n]*: (?={{)", text):
        with suppress(*DAMAGE):
            return _statements_of(json.JSONDecoder().raw_decode(text, begun.end())[0])
    return Statements()


def is_own_picture(picture: Photo | str | os.PathLike[str], kind: FileKind) -> bool:
    """Whether a picture states that it is of a kind.

    Args:
        picture: a photo, or a file, which is read in a process of its own, see `isolated`.
        kind: `COLORING`, `ENLARGED`, `REPAIRED` or `RESTORED`: what is of one kind may become one
            of another.
    """
    if isinstance(picture, Photo):
        said = statements_in(picture.metadata.stated)
    else:
        try:
            said = read_statements(picture, isolated=True)
        except PhotoError:
            return False
    return {
        COLORING: said.colors is not None,
        ENLARGED: said.detail is not None,
        REPAIRED: said.prepared is not None and said.prepared.repaired,
        RESTORED: said.prepared is not None,
    }[kind]


COLORING: FileKind = FileKind("coloring", lambda path: is_own_picture(path, COLORING))
ENLARGED: FileKind = FileKind("enlarged photo", lambda path: is_own_picture(path, ENLARGED))
REPAIRED: FileKind = FileKind("repaired photo", lambda path: is_own_picture(path, REPAIRED))
RESTORED: FileKind = FileKind("restored photo", lambda path: is_own_picture(path, RESTORED))


def _without_defaults(one: Provenance | Enlargement | Preparation) -> dict[str, Any]:
    defaults = {field.name: field.default for field in dataclasses.fields(one)}
    return {name: x for name, x in dataclasses.asdict(one).items() if x != defaults[name]}


def _statements_of(content: dict[str, dict[str, Any]]) -> Statements:
    """The statements in JSON.

    Raises:
        Exception: one of `DAMAGE`, if they make no sense.
    """
    for fields in content.values():
        for name in {"references", "frame"} & fields.keys():
            fields[name] = tuple(fields[name])
        if "principal" in fields:
            fields["principal"] = Principal(**fields["principal"])
    kinds = {"colors": Provenance, "detail": Enlargement, "prepared": Preparation}
    return Statements(**{name: kinds[name](**fields) for name, fields in content.items()})


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
