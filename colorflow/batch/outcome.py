"""The outcome of one input of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from colorflow.batch.locations import Location

Status = Literal["done", "skipped", "already-colored", "failed"]


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
    """

    path: Location
    label: str
    seed: int
    share: float | None = None
    bits_per_dim: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoOutcome:
    """What happened to one input.

    Attributes:
        path: the input.
        status: how it ended.
        reason: why it failed or was skipped, without the input's name; None if done.
        colorings: those that exist now.
        width: of the photo in pixels; None if it was not read.
        height: of the photo in pixels; None if it was not read.
        seconds: time spent on it.
        remarks: what the user should know about how the file was read, and about the results.
        ends_the_run: the output folder takes nothing more, so other photos would fail, too.
    """

    path: Location
    status: Status
    reason: str | None = None
    colorings: tuple[ColoredFile, ...] = ()
    width: int | None = None
    height: int | None = None
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()
    ends_the_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A remark about a file or folder that is not colored.

    Attributes:
        path: the file or folder.
        reason: what it is, without its name.
    """

    path: Location
    reason: str
