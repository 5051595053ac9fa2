"""One photo of a batch: the names of its results, what is to be done, and what became of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from colorflow.limits import EXTENSIONS
from colorflow.photo import Statements

if TYPE_CHECKING:
    from colorflow.batch.hints import Hints, Start

DEFAULT_TEMPLATE = "{stem}_{label}.{ext}"
LONGEST_NAME = 255
"""Bytes of a file's name that the usual file systems take."""
MOST_REFERENCES = 16
"""Colorings of an album that its other photos take their colors from."""
_FIELD = re.compile(r"\{(stem|label|ext)\}")
_TEMPLATE = re.compile(r"[^.].*\.\{ext\}", re.DOTALL)
_FORBIDDEN = '{}/\\:*?"<>|'
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe"})
HINTED = "hints"
"""Label of the one result of a photo whose hints say on which coloring they were given."""
_NAMED = 5
"""Number of left-out files that a sentence names; the report and the page's sheet name all."""
Status = Literal["done", "skipped", "already-colored", "failed"]


@dataclass(frozen=True, slots=True)
class Naming:
    """The naming of results.

    Args:
        template: contains ``{stem}``, the input's name without its suffix, and ``{label}``, see
            `BatchSettings.labels`, which one result of each photo does not need; and ends in
            ``.{ext}``.
        ext: one of `EXTENSIONS`; ``auto`` is jpg for inputs named like a JPEG, and png otherwise.

    Raises:
        ValueError: if the template or the extension is wrong.
    """

    template: str = DEFAULT_TEMPLATE
    ext: str = "auto"

    def __post_init__(self) -> None:
        if self.ext not in EXTENSIONS:
            raise ValueError(f"ext: expected one of {', '.join(EXTENSIONS)}, got {self.ext!r}")
        literal = _FIELD.sub("", self.template)
        if (
            "{stem}" not in self.template
            or not _TEMPLATE.fullmatch(self.template)
            or any(letter in _FORBIDDEN or not letter.isprintable() for letter in literal)
        ):
            raise ValueError(
                f"name: expected a template such as {DEFAULT_TEMPLATE}, with {{stem}}, .{{ext}} at "
                f"the end, and no letter that file names should not have, got {self.template!r}"
            )

    def check_fits(self, n: int) -> None:
        """Raises `ValueError` unless the n results of a photo get distinct names."""
        if n > 1 and "{label}" not in self.template:
            raise ValueError(
                f"name: expected {{label}} in the template for {n} results of each photo, "
                f"got {self.template!r}"
            )

    def name(self, source: PurePath, label: str, number: int = 1) -> str:
        """The name of one result of a photo, or of a print, which are counted from 1."""
        ext = self.ext
        if ext == "auto":
            ext = "jpg" if source.suffix.lower() in _JPEG_SUFFIXES else "png"
        values = {"stem": stem_of(source, number), "label": label, "ext": ext}
        return _FIELD.sub(lambda field: values[field[1]], self.template)


def stem_of(source: PurePath, number: int) -> str:
    """What results of a print are named after; prints of a scan are counted from 1."""
    return source.stem if number == 1 else f"{source.stem}_print{number}"


def too_long(name: str) -> int | None:
    """The length of a name in bytes if file systems do not take it; None otherwise."""
    length = len(os.fsencode(name))
    return length if length > LONGEST_NAME else None


class Reference(NamedTuple):
    """A photo that other photos take their colors from."""

    path: Path
    digest: str
    """Of the file; of a coloring of this run, of how it was made, see `alike.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoTask:
    """One photo to work on.

    Attributes:
        path: the photo.
        folder: for its results.
        source: what results are named after: the photo's name, with its page.
        naming: of the results.
        hints: color hints.
        start: the coloring on which they were given, if they say so.
        treat_as_gray: whether it is colored from its lightness even if it has colors.
        page: of a TIFF file with several, counted from 1; None for other files.
        number: which print of the scan; each but the first has ``_print2`` and so on behind the
            photo's name.
        prints: how many were found in the scan; None if nobody looked for them.
        frame: where the print is in the scan, as in `Preparation.frame`.
        keeps_colors: whether the print has colors of its own, and is not to be colored.
        references: colorings of this run whose colors it takes.
        is_look: whether to say only what the photo looks like.
    """

    path: Path
    folder: Path
    source: PurePath
    naming: Naming = Naming()
    hints: Hints = ()
    start: Start | None = None
    treat_as_gray: bool = False
    page: int | None = None
    number: int = 1
    prints: int | None = None
    frame: tuple[float, ...] | None = None
    keeps_colors: bool = False
    references: tuple[Reference, ...] = ()
    is_look: bool = False

    def __str__(self) -> str:
        return _with_page(self.path, self.page)

    def labels(self, usual: list[str]) -> list[str]:
        """Those of its results: `HINTED` alone if its hints say on which coloring they were given.

        Args:
            usual: `BatchSettings.labels`.
        """
        return [HINTED] if self.start else usual

    def name(self, label: str) -> str:
        """The name of the result with this label, see `BatchSettings.labels`."""
        return self.naming.name(self.source, label, self.number)

    def target(self, label: str) -> Path:
        """The file for the result with this label."""
        return self.folder / self.name(label)

    def coloring(self, label: str, stated: Statements) -> ColoredFile:
        """The result with this label, once it exists."""
        principal = stated.colors.principal if stated.colors else None
        prepared = stated.prepared
        several = prepared is not None and (prepared.prints or 0) > 1
        return ColoredFile(
            path=self.target(label),
            label=label,
            seed=stated.seed,
            share=principal.share if principal else None,
            print_number=self.number if several else None,
            repaired=prepared.share if prepared else None,
            frame=prepared.frame if prepared else None,
            marks=prepared.marks if prepared else None,
        )

    def outcome(self, status: Status, reason: str | None = None, **more: Any) -> PhotoOutcome:
        """An outcome, with more of its fields."""
        return PhotoOutcome(path=self.path, page=self.page, status=status, reason=reason, **more)

    def failed(self, reason: str) -> PhotoOutcome:
        """The outcome if nothing can be made."""
        return self.outcome("failed", reason)

    def skipped(self, existing: Mapping[str, Statements], remarks: tuple[str, ...]) -> PhotoOutcome:
        """The outcome if all results exist, with what the user should know about them."""
        made = tuple(self.coloring(label, one) for label, one in existing.items())
        reason = "its results are there already"
        return self.outcome("skipped", reason, colorings=made, remarks=remarks)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColoredFile:
    """One coloring of a photo, in a file.

    Attributes:
        path: the file.
        label: distinguishes it from the photo's other colorings, see `BatchSettings.labels`.
        seed: of the sample, or of the first sample that a principal coloring represents.
        share: of the samples that a principal coloring is the mean of; None for a sample.
        bits_per_dim: its likelihood, from `Coloring.bits_per_dim`; None if it was not requested,
            or if the colors lie on the edge of the model's range.
        print_number: which of several prints in a scan; None if there are not several.
        repaired: share of the pixels that were repaired; None if nobody looked for damage.
        frame: where the print is in its scan, as in `Preparation.frame`.
        marks: where it was repaired, see `marks.py`; None if nowhere.
    """

    path: Path
    label: str
    seed: int
    share: float | None = None
    bits_per_dim: float | None = None
    print_number: int | None = None
    repaired: float | None = None
    frame: tuple[float, ...] | None = None
    marks: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoOutcome:
    """What happened to one input.

    Attributes:
        path: the input.
        page: of a TIFF file with several, counted from 1; None for other files.
        status: how it ended.
        reason: why it failed or was skipped, and the option that changes that, without the input's
            name; None if done.
        colorings: those that exist now.
        width: of the photo in pixels; None if it was not read.
        height: of the photo in pixels; None if it was not read.
        seconds: time spent on it.
        remarks: what the user should know about how the file was read, and about the results.
        ends_the_run: the output folder takes nothing more, so other photos would fail, too.
        looks: what the photo looks like, from `Colorizer.looks`; None if nobody asked.
    """

    path: Path
    page: int | None = None
    status: Status
    reason: str | None = None
    colorings: tuple[ColoredFile, ...] = ()
    width: int | None = None
    height: int | None = None
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()
    ends_the_run: bool = False
    looks: NDArray[np.float32] | None = None

    def __str__(self) -> str:
        return _with_page(self.path, self.page)


def share_text(share: float) -> str:
    """Share of the pixels as people read it, such as ``1.2 %``."""
    return f"{100 * share:.2g} %" if share >= 0.0001 else "under 0.01 %"


def numbers_text(numbers: Sequence[float]) -> str:
    """Numbers of a frame as the command takes them, to a tenth of a pixel."""
    return ",".join(f"{round(one, 1):g}" for one in numbers)


def left_out_text(files: Sequence[object]) -> str:
    """How many files were left out because they are not named like photos, and the first names."""
    count = len(files)
    named = ", ".join(map(str, files[:_NAMED]))
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    were = "1 file was" if count == 1 else f"{count} files were"
    return f"{were} left out, not named like photos: {named}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A remark about a file or folder that is not colored.

    Attributes:
        path: the file or folder.
        reason: what it is, and the option that changes that, without its name.
    """

    path: Path
    reason: str

    def __str__(self) -> str:
        return str(self.path)


def _with_page(path: Path, page: int | None) -> str:
    """A photo by its name; the first page stands for its file, as if there were no others."""
    return f"{path} (page {page})" if page and page > 1 else str(path)
