"""What became of one photo of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from colorflow.batch.url import Place

Status = Literal["done", "skipped", "already-colored", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coloring:
    """One coloring of a photo.

    Attributes:
        path: the file that holds it.
        label: what tells it from the photo's other colorings, see `Settings.labels`.
        seed: of the sample, or of the first sample that a principal coloring stands for.
        share: of the samples, that a principal coloring is the mean of; None for a sample.
        bits_per_dim: its likelihood, as `Colorizer.bits_per_dim` says; None where it was not asked
            for, or where the colors lie on the edge of what the model can say.
    """

    path: Place
    label: str
    seed: int
    share: float | None = None
    bits_per_dim: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What became of one input.

    Attributes:
        path: the input.
        status: how it ended.
        reason: why it failed or was left alone, without the input's name; None if done.
        colorings: those that are on the disk now.
        width: of the photo in pixels; None where it was not read.
        height: likewise.
        seconds: time spent on it.
        remarks: what a person should know of how the file was read.
        ends_the_run: the place for the results takes nothing more, so other photos would fail too.
    """

    path: Place
    status: Status
    reason: str | None = None
    colorings: tuple[Coloring, ...] = ()
    width: int | None = None
    height: int | None = None
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()
    ends_the_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something about a path that is not, or not alone, an input.

    Attributes:
        path: the file or folder.
        reason: what it is, without its name.
    """

    path: Place
    reason: str
