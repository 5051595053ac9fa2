"""One photo of a batch: reads it, has it worked on, writes the results, reports what happened.

Existing results stay if they were made as they would be made now. A result says in itself how it
was made: from which photo, with which hints, weights, seed and temperature, which principal
coloring it is, and how it was enlarged. All of that has to agree. The first principal coloring is
the same however many there are; the others depend on their number. What restores an album lets a
result of the same scan stay that was made in another way, and says so.
"""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from colorflow.batch.settings import BatchSettings, Digests, Models
from colorflow.batch.task import ColoredFile, PhotoOutcome, PhotoTask
from colorflow.errors import ColorflowError, PhotoError, WritePhotoError
from colorflow.files import check_replaceable, digest_of
from colorflow.photo import (
    LETTERS,
    RESTORED,
    Enlargement,
    Kind,
    Photo,
    Preparation,
    Principal,
    Provenance,
    Statements,
    check_format,
    is_own_picture,
    read_photo,
    read_statements,
    write_image,
)
from colorflow.scan import Frame, cut_out, find_frames

_NOTHING_MORE_FITS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of the output folder that every further photo would meet, too."""
_COMPARED = (
    *("photo", "cut", "repaired", "model", "temperature", "seed", "hints", "skin", "saturation"),
    *("pale", "references", "strength", "style", "scale", "restored", "number", "sensitivity"),
    "unfaded",
)
"""Fields of what a result says of itself; the first one that differs is told."""
_CALLED = {
    "cut": "crop",
    "repaired": "repair",
    "model": "weights",
    "restored": "restore",
    "number": "print",
    "unfaded": "fading",
}
"""As people know them."""


def work_on(models: Models, task: PhotoTask, settings: BatchSettings) -> PhotoOutcome:
    """Works on one photo and writes its results; errors are in the outcome.

    Args:
        models: those that the settings use.
        task: the photo.
        settings: the settings of the batch.
    """
    began = time.perf_counter()
    work = _Work(models, task, settings)
    outcome = work.outcome()
    if photo := work.photo:
        remarks = (*photo.remarks, *outcome.remarks)
        outcome = replace(outcome, width=photo.width, height=photo.height, remarks=remarks)
    return replace(outcome, seconds=time.perf_counter() - began)


def compared_results(
    task: PhotoTask, digest: str, settings: BatchSettings, weights: Digests
) -> tuple[dict[str, Statements], dict[str, Statements], tuple[str, ...]]:
    """Compares the results that exist with what is to be made.

    Args:
        task: says the names of the results, and which hints the photo has.
        digest: of the photo's file.
        settings: of the batch; no result stays if they overwrite.
        weights: digests of the models.

    Returns:
        What each result will say of itself, by label, but for shares, which are known only after
        sampling; what each existing result that stays says; and which of them was made in another
        way.

    Raises:
        WritePhotoError: if a result was made in another way and must not be replaced, or another
            file is in the way of one.
    """
    prepared = settings.preparation(digest, task, weights)
    own = settings.statements(digest, task, weights)
    expected = {label: replace(one, prepared=prepared) for label, one in own.items()}
    existing: dict[str, Statements] = {}
    others: tuple[str, ...] = ()
    for label, statements in expected.items():
        target = task.target(label)
        try:
            check_replaceable(target, settings.kind)
            exists = os.path.exists(target) and os.path.getsize(target) > 0
        except OSError as error:
            reason = f"the file cannot be written ({error.strerror})"
            raise WritePhotoError(target, reason) from error
        if exists and not settings.overwrite:
            found = read_statements(target, isolated=True)
            before = found.prepared if settings.kind is RESTORED else None
            if before and before.has_colors and not task.treat_as_gray:
                statements = replace(statements, colors=None)
            if difference := _difference(found, statements, digest):
                said = f"is there already, but {difference}; --overwrite makes it anew"
                if not (before and before.photo == digest):
                    raise WritePhotoError(target, said)
                others += (f"{target.name} {said}, and so does naming this scan alone",)
            existing[label] = found if prepared else replace(found, prepared=None)
    return expected, existing, others


def finished(
    task: PhotoTask, digest: str, settings: BatchSettings, weights: Digests
) -> PhotoOutcome | None:
    """The outcome of a photo whose results all exist, otherwise None.

    The results of its first print say how many there are. Takes and raises what
    `compared_results` does.
    """
    prints, outcomes = 1, list[PhotoOutcome]()
    while len(outcomes) < prints:
        one = replace(task, number=len(outcomes) + 1)
        expected, existing, others = compared_results(one, digest, settings, weights)
        if len(existing) < len(expected):
            return None
        counts = [said.prepared.prints or 1 for said in existing.values() if said.prepared]
        prints = max(counts, default=1)
        outcomes.append(one.skipped(existing, others))
    return _of_all(outcomes)


def make_folder(folder: Path) -> None:
    """Creates a folder with those above it, or raises `WritePhotoError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WritePhotoError(folder, f"the folder cannot be made ({error.strerror})") from error


class _Work:
    """The work on one photo.

    Attributes:
        photo: once it was read.
    """

    def __init__(self, models: Models, task: PhotoTask, settings: BatchSettings) -> None:
        self.photo: Photo | None = None
        self._models, self._task, self._settings = models, task, settings
        self._complete: list[ColoredFile] = []

    def outcome(self) -> PhotoOutcome:
        """Does the work; whatever one photo causes, the batch goes on."""
        return self._reported(self._results)

    def _reported(self, work: Callable[[], PhotoOutcome]) -> PhotoOutcome:
        """The outcome of some work, whose errors become one."""
        try:
            return work()
        except ColorflowError as error:
            if isinstance(error, PhotoError) and error.source == str(self._task.path):
                return self._failed(error.reason)  # the photo's name stands before it
            # Every further photo would fail in the same way.
            ends = getattr(error.__cause__, "errno", None) in _NOTHING_MORE_FITS
            return replace(self._failed(str(error)), ends_the_run=ends)
        except MemoryError:
            return self._failed("not enough memory for a photo of this size; make it smaller")
        except Exception as error:
            detail = " ".join(str(error).split())
            return self._failed(f"the work on it failed ({type(error).__name__}: {detail})")

    def _failed(self, reason: str) -> PhotoOutcome:
        return self._task.outcome("failed", reason, colorings=tuple(self._complete))

    def _results(self) -> PhotoOutcome:
        """Works on the photo, or on each print that is cut out of it."""
        task, settings = self._task, self._settings
        photo = self.photo = read_photo(task.path, isolated=True, page=task.page)
        if is_own_picture(photo, settings.kind):
            reason = "is a picture that colorflow made; it is not taken as a photo"
            return task.outcome("skipped", reason)
        if task.is_look:
            return self._look(photo)
        if not settings.crop:
            outcome = self._made_of(photo, task, None)
            is_asked = settings.kind is not RESTORED  # which cuts prints out unless told otherwise
            if outcome.status == "done" and is_asked and find_frames(photo):
                said = "looks like a scan with a border; --crop auto cuts it off"
                outcome = replace(outcome, remarks=(*outcome.remarks, said))
            return outcome
        frames = settings.frames_of(photo, task)

        def made_of(number: int, frame: Frame) -> PhotoOutcome:
            self._complete = []
            corners = tuple(round(x, 1) for corner in frame.corners for x in corner)
            one = replace(task, number=number, frame=corners)
            return self._made_of(cut_out(photo, frame), one, len(frames))

        if not frames:
            return self._made_of(photo, task, 0)
        each = enumerate(frames, 1)
        return _of_all([self._reported(partial(made_of, *one)) for one in each])

    def _look(self, photo: Photo) -> PhotoOutcome:
        """What a photo looks like that may get colors; nothing is written."""
        task, colorizer = self._task, self._models.colorizer
        assert colorizer
        if self._settings.leaves(photo, task):
            return task.outcome("already-colored")
        return task.outcome("done", looks=colorizer.looks(photo))

    def _made_of(self, photo: Photo, task: PhotoTask, prints: int | None) -> PhotoOutcome:
        """Makes what is missing; results that exist, or are written, are complete.

        Args:
            photo: the photo, or a print that was cut out of it.
            task: says which print.
            prints: how many were found; None if nobody looked for them.
        """
        settings = self._settings
        if settings.leaves(photo, task):
            how = "--treat-as-gray with its name colors it from its lightness"
            return task.outcome("already-colored", f"already has colors; {how}")
        if settings.kind is RESTORED and not task.treat_as_gray:
            task = replace(task, keeps_colors=photo.kind is Kind.COLORED)
        digests = self._models.digests
        digest = digest_of(task.path)
        expected, existing, others = compared_results(task, digest, settings, digests)
        self._complete += [task.coloring(label, one) for label, one in existing.items()]
        if len(existing) == len(expected):
            return task.skipped(existing, others)
        missing = [label for label in expected if label not in existing]
        # Before the work, which takes long for large results.
        width, height = settings.scale * photo.width, settings.scale * photo.height
        check_format(task.target(missing[0]), width, height)
        make_folder(task.folder)
        photo, expected, remarks = self._prepared(photo, expected, prints)
        results = settings.results(self._models, photo, task, expected)
        gray = []
        for label in missing:
            said = results.statements[label]
            pixels, like = results.paint(label)
            if said.colors and _is_gray(pixels):
                gray.append(task.name(label))
            write_image(
                task.target(label),
                pixels,
                like,
                provenance=said.colors,
                enlargement=said.detail,
                preparation=said.prepared,
                kind=settings.kind,
                quality=settings.quality,
            )
            self._complete.append(task.coloring(label, said))
        remarks += results.remarks
        if settings.kind is RESTORED and task.number == max(1, prints or 0):
            remarks += self._left_of(task, digest)
        if gray:
            names = ", ".join(gray)
            remarks += (f"nearly gray, since black and white show no color: {names}",)
        colorings = [task.coloring(label, one) for label, one in results.statements.items()]
        if results.bits_per_dim:
            colorings = [
                replace(one, bits_per_dim=value if math.isfinite(value) else None)
                for one, value in zip(colorings, results.bits_per_dim, strict=True)
            ]
        return task.outcome("done", colorings=tuple(colorings), remarks=remarks)

    def _left_of(self, last: PhotoTask, digest: str) -> tuple[str, ...]:
        """Names the result of a print that was cut out before and is not any more.

        Args:
            last: the last print of the scan.
            digest: of the scan's file.
        """
        further = replace(last, number=last.number + 1).name(self._settings.labels[0])
        with suppress(PhotoError):
            said = read_statements(last.folder / further, isolated=True).prepared
            if said and said.photo == digest:
                return (f"{further} shows what is not cut out any more; remove it by hand",)
        return ()

    def _prepared(
        self, photo: Photo, expected: dict[str, Statements], prints: int | None
    ) -> tuple[Photo, dict[str, Statements], tuple[str, ...]]:
        """The photo repaired, what each result will say of itself, and what the user should know.

        Takes what `_made_of` and `compared_results` say.
        """
        said = next(iter(expected.values())).prepared
        if said is None:
            return photo, expected, ()
        said = replace(said, prints=prints)
        photo, said = self._settings.prepared(self._models, photo, said)
        expected = {label: replace(one, prepared=said) for label, one in expected.items()}
        # Of an album, most prints are sound, and its sheet says so.
        is_told = said.share == 0 and self._settings.kind is not RESTORED
        return photo, expected, ("no damage found",) if is_told else ()


def _of_all(outcomes: Sequence[PhotoOutcome]) -> PhotoOutcome:
    """The outcome of a scan from those of its prints, of which each that can be is worked on."""
    if len(outcomes) == 1:
        return outcomes[0]
    rank = ("failed", "done", "skipped", "already-colored")
    first = min(outcomes, key=lambda one: rank.index(one.status))
    remarks, reasons = [], []
    for number, one in enumerate(outcomes, 1):
        is_left = one.status == "already-colored" and first.status == "done"
        said = (*one.remarks, *((one.reason,) if is_left else ()))
        remarks += [f"print {number}: {remark}" for remark in said]
        reasons += [f"print {number}: {one.reason}"] if one.status == "failed" else []
    return replace(
        first,
        reason="; ".join(reasons) or first.reason,
        colorings=tuple(coloring for one in outcomes for coloring in one.colorings),
        remarks=tuple(remarks),
        ends_the_run=any(one.ends_the_run for one in outcomes),
    )


def _is_gray(pixels: np.ndarray) -> bool:
    """Whether a coloring (H, W, 3), of 8 or 16 bits, shows hardly any color."""
    eight = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    return Photo(pixels=eight).kind is Kind.GRAY


def _difference(found: Statements, expected: Statements, photo: str) -> str | None:
    """How a result was made, if not as expected from the photo with this digest."""
    for done in ("colored", "enlarged"):
        said, wanted = (
            one.colors if done == "colored" else one.detail for one in (found, expected)
        )
        if wanted:
            if said is None:
                return f"was not {done}"
            if difference := _of_one(said, wanted):
                return difference
        # A coloring of a photo that was enlarged before says so, too, but names another photo.
        elif said and said.photo == photo:
            times = f" {said.scale} times" if isinstance(said, Enlargement) else ""
            return f"was {done}{times}"
    if not (expected.colors or expected.detail):
        assert expected.prepared
        return _of_one(found.prepared, expected.prepared)
    unprepared = Preparation(photo=photo)
    # What was done before with the file that the photo comes from names another photo, too.
    own = found.prepared if found.prepared and found.prepared.photo == photo else unprepared
    return _of_one(own, expected.prepared or unprepared)


def _of_one(
    found: Provenance | Enlargement | Preparation | None,
    expected: Provenance | Enlargement | Preparation,
) -> str | None:
    """The first difference in what colors or detail were generated from, or a print prepared."""
    if found is None or found.photo is None:
        return "does not say which photo it was made from"
    for name in _COMPARED:
        value = getattr(found, name, None)
        if value != getattr(expected, name, None):
            is_told = isinstance(value, str | int | float) and not isinstance(value, bool)
            own = f" ({value})" if is_told else ""
            return f"differs in its {_CALLED.get(name, name)}{own}"
    if isinstance(found, Provenance) and isinstance(expected, Provenance):
        which, wanted = _which(found.principal), _which(expected.principal)
        return None if which == wanted else f"is {which}"
    return None


def _which(principal: Principal | None) -> str:
    """Which coloring it is; the mean is the same however many there are."""
    if principal is None:
        return "a sample"
    of = "" if principal.letter == LETTERS[0] else f" of {principal.of}"
    return f"principal coloring {principal.letter}{of}"
