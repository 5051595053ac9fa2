"""One photo of a batch: the names of its results, what is to be done, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from colorflow.recipe import Statement

if TYPE_CHECKING:
    from colorflow.batch.hints import Hints, Start

MOST_REFERENCES = 16
"""Colorings of an album that its other photos take their colors from."""
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe"})
HINTED = "hints"
"""Label of the one result of a photo whose hints say on which coloring they were given."""
_NAMED = 5
"""Number of left-out files that a sentence names; the report and the page's sheet name all."""
Status = Literal["done", "skipped", "already-colored", "failed"]


def name_of(source: PurePath, label: str, ext: str, number: int = 1) -> str:
    """The name of a result, such as ``photo_a.jpg``.

    Args:
        source: the photo's name, with its page.
        label: distinguishes the results of a photo, see `BatchSettings.labels`.
        ext: one of `EXTENSIONS`; ``auto`` is jpg for inputs named like a JPEG, and png otherwise.
        number: of the print, counted from 1.
    """
    if ext == "auto":
        ext = "jpg" if source.suffix.lower() in _JPEG_SUFFIXES else "png"
    return f"{stem_of(source, number)}_{label}.{ext}"


def stem_of(source: PurePath, number: int) -> str:
    """What results of a print are named after; prints of a scan are counted from 1."""
    return source.stem if number == 1 else f"{source.stem}_print{number}"


class Reference(NamedTuple):
    """A photo that other photos take their colors from."""

    path: Path
    digest: str
    """Of the file; of a coloring of this run, of how it was made, see `alike.py`."""
    is_tinted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoTask:
    """One photo to work on.

    Attributes:
        path: the photo.
        folder: for its results.
        source: what results are named after: the photo's name, with its page.
        ext: of the results, as of `name_of`.
        hints: color hints.
        start: the coloring on which they were given, if they say so.
        treat_as_gray: whether it is colored from its lightness even if it has colors.
        page: of a TIFF file with several, counted from 1; None for other files.
        number: which print of the scan; each but the first has ``_print2`` and so on behind the
            photo's name.
        references: colorings of this run whose colors it takes.
        is_look: whether to say only what the photo looks like.
    """

    path: Path
    folder: Path
    source: PurePath
    ext: str = "auto"
    hints: Hints = ()
    start: Start | None = None
    treat_as_gray: bool = False
    page: int | None = None
    number: int = 1
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
        return name_of(self.source, label, self.ext, self.number)

    def target(self, label: str) -> Path:
        """The file for the result with this label."""
        return self.folder / self.name(label)

    def coloring(self, label: str, statement: Statement) -> ColoredFile:
        """The result with this label, once it exists."""
        crop = statement.recipe.crop
        return ColoredFile(
            path=self.target(label),
            label=label,
            seed=statement.recipe.seed,
            share=statement.share,
            print_number=self.number if (statement.prints or 0) > 1 else None,
            repaired=statement.repaired,
            frame=crop.frame if crop else None,
            marks=statement.marks,
        )

    def outcome(self, status: Status, reason: str | None = None, **more: Any) -> PhotoOutcome:
        """An outcome, with more of its fields."""
        return PhotoOutcome(path=self.path, page=self.page, status=status, reason=reason, **more)

    def failed(self, reason: str) -> PhotoOutcome:
        """The outcome if nothing can be made."""
        return self.outcome("failed", reason)

    def skipped(self, existing: Mapping[str, Statement], remarks: tuple[str, ...]) -> PhotoOutcome:
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
        bits_per_dim: its likelihood, from `Result.bits_per_dim`; None if it was not requested,
            or if the colors lie on the edge of the model's range.
        print_number: which of several prints in a scan; None if there are not several.
        repaired: share of the pixels that were repaired; None if nobody looked for damage.
        frame: where the print is in its scan, as in `colorflow.recipe.Crop`.
        marks: where it was repaired, see `colorflow.result.packed`; None if nowhere.
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
        told_by: the references that gave it colors; None if it was not compared with any.
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
    told_by: frozenset[Path] | None = None

    def __str__(self) -> str:
        return _with_page(self.path, self.page)


def share_text(share: float) -> str:
    """Share of the pixels as people read it, such as ``1.2 %``."""
    return f"{100 * share:.2g} %" if share >= 0.0001 else "under 0.01 %"


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
