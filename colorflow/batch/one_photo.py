"""One photo of a batch, from file to files: what there is already, what is made, what is told.

Existing results stay if they were made as they would be made now. A result says in itself how it
was made: from which photo, with which hints, weights, seed and temperature, which principal
coloring it is, and how it was enlarged. All of that has to agree. The first principal coloring is
the same however many there are; the others depend on their number. What restores an album lets a
result of the same scan stay that was made in another way, and says so.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from colorflow.batch.models import Models, prepare, results_of
from colorflow.batch.settings import BatchSettings, Digests
from colorflow.batch.task import ColoredFile, PhotoOutcome, PhotoTask
from colorflow.errors import ColorflowError, PhotoError, PhotoTooLargeError, WritePhotoError
from colorflow.files import check_replaceable, digest_of
from colorflow.photo import (
    COLORING,
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
    is_gray,
    is_own_picture,
    read_picture,
    read_statements,
    write_image,
)
from colorflow.scan import cut_out, find_frames, is_doubtful, overlaps

_NOTHING_MORE_FITS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of the output folder that every further photo would meet, too."""
_ROOM = 1_900_000_000
"""Bytes for a photo and its coloring, so that a worker and its reader stay under 2.5 GB."""
_SIXTEEN_BITS = (".png", ".tif", ".tiff")
"""Suffixes of formats that keep 16 bits, and are encoded strip by strip."""
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
    outcome = _reported(task, lambda _: _outcome(models, task, settings))
    return replace(outcome, seconds=time.perf_counter() - began)


def make_folder(folder: Path) -> None:
    """Creates a folder with those above it, or raises `WritePhotoError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RecursionError) as error:
        reason = getattr(error, "strerror", "it is in too many folders")
        raise WritePhotoError(folder, f"the folder cannot be made ({reason})") from error


def _reported(task: PhotoTask, work: Callable[[list[ColoredFile]], PhotoOutcome]) -> PhotoOutcome:
    """The outcome of some work, whose errors become one: the batch goes on.

    Args:
        task: the photo.
        work: gets a list for the results that are complete, should it fail later.
    """
    complete: list[ColoredFile] = []

    def failed(reason: str) -> PhotoOutcome:
        return task.outcome("failed", reason, colorings=tuple(complete))

    try:
        return work(complete)
    except ColorflowError as error:
        if isinstance(error, PhotoError) and error.source == str(task.path):
            return failed(error.reason)  # the photo's name stands before it
        # Every further photo would fail in the same way.
        ends = getattr(error.__cause__, "errno", None) in _NOTHING_MORE_FITS
        return replace(failed(str(error)), ends_the_run=ends)
    except MemoryError:
        return failed("not enough memory for a photo of this size; make it smaller")
    except Exception as error:
        detail = " ".join(str(error).split())
        return failed(f"the work on it failed ({type(error).__name__}: {detail})")


def _outcome(models: Models, task: PhotoTask, settings: BatchSettings) -> PhotoOutcome:
    """Works on a photo, or on each print that is cut out of it."""
    if outcome := _finished(models, task, settings):
        return outcome
    models.tell("reading")
    photo, digest = read_picture(task.path, isolated=True, page=task.page)
    assert digest  # it is a file
    if is_own_picture(photo, settings.kind):
        reason = "is a picture that colorflow made; it is not taken as a photo"
        return task.outcome("skipped", reason)
    frames, remarks = settings.frames_of(photo, task.path)
    tasks = [replace(task, prints=0 if settings.crop else None)]
    if frames:
        corners = (tuple(round(x, 1) for point in one.corners for x in point) for one in frames)
        tasks = [
            replace(task, number=number, frame=where, prints=len(frames))
            for number, where in enumerate(corners, 1)
        ]

    def of_print(one: PhotoTask, complete: list[ColoredFile]) -> PhotoOutcome:
        cut = cut_out(photo, frames[one.number - 1]) if frames else photo
        return _made_of(models, cut, digest, one, settings, complete)

    outcome = _of_all([_reported(one, partial(of_print, one)) for one in tasks])
    remarks = (*photo.remarks, *remarks, *outcome.remarks)
    for first, second in overlaps(frames):
        both = f"prints {first + 1} and {second + 1}"
        remarks += (f"the frames of {both} overlap; what lies in both is in both results",)
    # What restores cuts prints out unless it is told otherwise.
    may_be_cut = not (settings.crop or settings.kind is RESTORED or task.is_look)
    if outcome.status == "done" and may_be_cut and _has_border(photo):
        remarks += ("looks like a scan with a border; --crop auto cuts it off",)
    return replace(outcome, width=photo.width, height=photo.height, remarks=remarks)


def _has_border(photo: Photo) -> bool:
    frames = find_frames(photo)
    return bool(frames) and not is_doubtful(photo, frames)


def _made_of(
    models: Models,
    photo: Photo,
    digest: str,
    task: PhotoTask,
    settings: BatchSettings,
    complete: list[ColoredFile],
) -> PhotoOutcome:
    """Makes what is missing.

    Args:
        models: those that the settings use.
        photo: the photo, or a print that was cut out of it.
        digest: of the content that the photo was read from.
        task: says which print.
        settings: of the batch.
        complete: takes the results that exist, or are written.
    """
    has_colors = photo.kind is Kind.COLORED and not task.treat_as_gray
    if has_colors and settings.kind is COLORING:
        how = "--treat-as-gray with its name colors it from its lightness"
        return task.outcome("already-colored", f"already has colors; {how}")
    if task.is_look:
        assert models.colorizer
        return task.outcome("done", looks=models.colorizer.looks(photo))
    task = replace(task, keeps_colors=has_colors and settings.kind is RESTORED)
    expected, existing, others = _compared(task, digest, settings, models.digests)
    complete += [task.coloring(label, one) for label, one in existing.items()]
    if len(existing) == len(expected):
        return task.skipped(existing, others)
    missing = [label for label in expected if label not in existing]
    # Before the work, which takes long for large results.
    width, height = settings.scale * photo.width, settings.scale * photo.height
    check_format(task.target(missing[0]), width, height)
    if settings.coloring:
        _check_room(task, photo, task.target(missing[0]).suffix)
    make_folder(task.folder)
    said = next(iter(expected.values())).prepared
    if said:
        photo, said = prepare(models, photo, settings, replace(said, prints=task.prints))
        expected = {label: replace(one, prepared=said) for label, one in expected.items()}
    results = results_of(models, photo, task, settings, expected)
    gray = []
    for label in missing:
        models.tell(f"making {task.name(label)}")
        stated = results.statements[label]
        pixels, like = results.paint(label)
        if stated.colors and is_gray(pixels):
            gray.append(task.name(label))
        write_image(
            task.target(label),
            pixels,
            like,
            provenance=stated.colors,
            enlargement=stated.detail,
            preparation=stated.prepared,
            kind=settings.kind,
            quality=settings.quality,
        )
        del pixels  # of a large photo, two at once fill the memory
        complete.append(task.coloring(label, stated))
    colorings = [
        replace(task.coloring(label, one), bits_per_dim=results.bits_per_dim.get(label))
        for label, one in results.statements.items()
    ]
    remarks = _remarks(photo, task, settings, said, digest)
    if gray:
        names = ", ".join(gray)
        remarks.append(f"nearly gray, since black and white show no color: {names}")
    return task.outcome(
        "done", colorings=tuple(colorings), remarks=tuple(remarks), told_by=results.told_by
    )


def _check_room(task: PhotoTask, photo: Photo, suffix: str) -> None:
    """Raises `PhotoTooLargeError` if a photo, its coloring and its file need too much memory.

    Args:
        task: the photo.
        photo: the photo.
        suffix: of the result, which says what is in memory while it is encoded.
    """
    pixels, is_deep, has_alpha = (
        photo.width * photo.height,
        photo.bits == 16,
        photo.alpha is not None,
    )
    arrays = (photo.pixels, photo.pixels16, photo.alpha)
    each = sum(array.nbytes for array in arrays if array is not None) // pixels
    each += 6 if is_deep else 3  # of the coloring
    if is_deep and suffix in _SIXTEEN_BITS:
        each += 0 if suffix == ".png" else 6  # TIFF begins with the sizes of its strips
    else:
        each += 7 if is_deep or has_alpha else 4  # those of 8 bits, on white; and Pillow's
    if each * pixels > _ROOM:
        reason = f"such a photo is colored up to {_ROOM / each / 1e6:.0f} million pixels"
        fewer = " or save it with 8 bits" if is_deep else ""
        raise PhotoTooLargeError(str(task.path), f"{reason}; make it smaller{fewer}")


def _remarks(
    photo: Photo, task: PhotoTask, settings: BatchSettings, said: Preparation | None, digest: str
) -> list[str]:
    """What the user should know about the results of a photo or a print.

    Args:
        photo: prepared.
        task: the photo.
        settings: of the batch.
        said: what its results say of its preparation.
        digest: of its file.
    """
    is_restored = settings.kind is RESTORED
    coloring = settings.coloring
    remarks = {
        # Of an album, most prints are sound, and its sheet says so.
        "no damage found": said and said.share == 0 and not is_restored,
        "has colors, and was treated as gray": (
            coloring and task.treat_as_gray and photo.kind is Kind.COLORED
        ),
        "its hints keep the coloring they were given on; no reference was used": (
            task.start and coloring and coloring.references
        ),
        "has colors, which stay; --treat-as-gray with its name colors it": (
            coloring and task.keeps_colors
        ),
    }
    told = [remark for remark, is_true in remarks.items() if is_true]
    if is_restored and task.number == max(1, task.prints or 0):
        # A print that was cut out before and is not any more.
        further = replace(task, number=task.number + 1).target(settings.labels[0])
        with suppress(PhotoError):
            before = read_statements(further, isolated=True).prepared
            if before and before.photo == digest:
                told.append(f"{further.name} shows what is not cut out any more; remove it by hand")
    return told


def _finished(models: Models, task: PhotoTask, settings: BatchSettings) -> PhotoOutcome | None:
    """The outcome of a photo whose results all exist, before it is read; otherwise None.

    The results of its first print say how many there are.

    Raises:
        WritePhotoError: as `_compared`, unless other prints may still be worked on.
    """
    first = task.target(task.labels(settings.labels)[0])
    if task.is_look or not os.path.lexists(first):
        return None
    prints, outcomes = 1, list[PhotoOutcome]()
    try:
        digest = digest_of(task.path)
        while len(outcomes) < prints:
            one = replace(task, number=len(outcomes) + 1)
            expected, existing, others = _compared(one, digest, settings, models.digests)
            if len(existing) < len(expected):
                return None
            counts = [said.prepared.prints or 1 for said in existing.values() if said.prepared]
            prints = max(counts, default=1)
            outcomes.append(one.skipped(existing, others))
    except OSError:  # it fails by name when it is read
        return None
    except WritePhotoError:
        if settings.crop:
            return None
        raise
    return _of_all(outcomes)


def _compared(
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
    expected = settings.statements(digest, task, weights)
    existing: dict[str, Statements] = {}
    others: tuple[str, ...] = ()
    for label, wanted in expected.items():
        target = task.target(label)
        try:
            check_replaceable(target, settings.kind)
            exists = os.path.exists(target) and os.path.getsize(target) > 0
        except OSError as error:
            reason = f"the file cannot be written ({error.strerror})"
            raise WritePhotoError(target, reason) from error
        if not exists or settings.overwrite:
            continue
        found = read_statements(target, isolated=True)
        before = found.prepared if settings.kind is RESTORED else None
        if before and before.has_colors and not task.treat_as_gray:
            wanted = replace(wanted, colors=None)
        if difference := _difference(found, wanted, digest):
            said = f"is there already, but {difference}; --overwrite makes it anew"
            if not (before and before.photo == digest):
                raise WritePhotoError(target, said)
            others += (f"{target.name} {said}, and so does naming this scan alone",)
        existing[label] = found if wanted.prepared else replace(found, prepared=None)
    return expected, existing, others


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
    told = [one.told_by for one in outcomes if one.told_by is not None]
    return replace(
        first,
        told_by=frozenset[Path]().union(*told) if told else None,
        reason="; ".join(reasons) or first.reason,
        colorings=tuple(coloring for one in outcomes for coloring in one.colorings),
        remarks=tuple(remarks),
        ends_the_run=any(one.ends_the_run for one in outcomes),
    )


def _difference(found: Statements, expected: Statements, photo: str) -> str | None:
    """How a result was made, if not as expected from the photo with this digest."""
    parts = (
        ("colored", found.colors, expected.colors),
        ("enlarged", found.detail, expected.detail),
    )
    for done, said, wanted in parts:
        if wanted and said is None:
            return f"was not {done}"
        if wanted and (difference := _of_one(said, wanted)):
            return difference
        # A coloring of a photo that was enlarged before says so, too, but names another photo.
        if said and not wanted and said.photo == photo:
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
