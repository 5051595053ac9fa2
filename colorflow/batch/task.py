"""One photo of a batch: what is to be done with it, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from colorflow.batch.locations import Location
from colorflow.photo import Statements

if TYPE_CHECKING:
    from colorflow.batch.hints import Hints, Start

HINTED = "hints"
"""Label of the one result of a photo whose hints say on which coloring they were given."""
_NAMED = 5
"""Number of left-out files that a sentence names; the report and the page's sheet name all."""
Status = Literal["done", "skipped", "already-colored", "failed"]


class Remedy(Enum):
    """What a user can ask for instead; the command and the page say how to ask for it."""

    OVERWRITE = "make existing results anew"
    TREAT_AS_GRAY = "color a photo that has colors from its lightness"
    RECURSE = "take the photos in the folders inside a folder"


BORDER = "looks like a scan with a border"
"""Remark on a scan that was taken as a whole; cutting prints out is what can be asked for."""


class AlbumReference(NamedTuple):
    """A coloring of this run that other photos of the album take their colors from."""

    path: Path
    """The file with the result."""
    digest: str
    """Of what the file says about how it was made, see `alike.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoTask:
    """One photo to work on.

    Attributes:
        path: the photo.
        folder: for its results.
        names: template of the results' names, from `Naming.names_of`.
        hints: color hints.
        start: the coloring on which they were given, if they say so.
        treat_as_gray: whether it is colored from its lightness even if it has colors.
        page: of a TIFF file with several, counted from 1; None for other files.
        number: which print of the scan; each but the first has its number behind the photo's name.
        most_prints: the largest number for which no other file has these names.
        references: colorings of this run whose colors it takes.
        is_look: whether to say only what the photo looks like.
    """

    path: Location
    folder: Location
    names: str
    hints: Hints = ()
    start: Start | None = None
    treat_as_gray: bool = False
    page: int | None = None
    number: int = 1
    most_prints: int = 1
    references: tuple[AlbumReference, ...] = ()
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
        number = f"_{self.number}" if self.number > 1 else ""
        seed = self.start.spec.seed if self.start else label.rpartition("s")[2]
        return self.names.format(label=label, seed=seed, print=number)

    def target(self, label: str) -> Location:
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
        )

    def outcome(
        self, status: Status, reason: str | None = None, remedy: Remedy | None = None, **more: Any
    ) -> PhotoOutcome:
        """An outcome, with more of its fields."""
        return PhotoOutcome(
            path=self.path, page=self.page, status=status, reason=reason, remedy=remedy, **more
        )

    def failed(self, reason: str, remedy: Remedy | None = None) -> PhotoOutcome:
        """The outcome if nothing can be made."""
        return self.outcome("failed", reason, remedy)

    def skipped(self, existing: Mapping[str, Statements]) -> PhotoOutcome:
        """The outcome if all results exist."""
        made = tuple(self.coloring(label, one) for label, one in existing.items())
        reason = "its results are there already"
        return self.outcome("skipped", reason, Remedy.OVERWRITE, colorings=made)


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
    """

    path: Location
    label: str
    seed: int
    share: float | None = None
    bits_per_dim: float | None = None
    print_number: int | None = None
    repaired: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoOutcome:
    """What happened to one input.

    Attributes:
        path: the input.
        page: of a TIFF file with several, counted from 1; None for other files.
        status: how it ended.
        reason: why it failed or was skipped, without the input's name; None if done.
        remedy: what would change that; None if there is nothing to ask for.
        colorings: those that exist now.
        width: of the photo in pixels; None if it was not read.
        height: of the photo in pixels; None if it was not read.
        seconds: time spent on it.
        remarks: what the user should know about how the file was read, and about the results.
        ends_the_run: the output folder takes nothing more, so other photos would fail, too.
        looks: what the photo looks like, from `Colorizer.looks`; None if nobody asked.
    """

    path: Location
    page: int | None = None
    status: Status
    reason: str | None = None
    remedy: Remedy | None = None
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
        reason: what it is, without its name.
        remedy: what would change that; None if there is nothing to ask for.
    """

    path: Location
    reason: str
    remedy: Remedy | None = None

    def __str__(self) -> str:
        return str(self.path)


def _with_page(path: Location, page: int | None) -> str:
    """A photo by its name; the first page stands for its file, as if there were no others."""
    return f"{path} (page {page})" if page and page > 1 else str(path)
