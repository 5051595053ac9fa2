"""One photo of a batch, from file to files."""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.batch.made import made_before, wanted_of
from colorflow.batch.plan import Task, skipped
from colorflow.batch.record import Coloring, Record
from colorflow.batch.settings import Settings, sample_label
from colorflow.errors import ColorflowError, PhotoError, WritePhotoError
from colorflow.photo import Kind, Photo, Provenance, is_own_picture, read_photo, write_image

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer, Predictions

_NOTHING_MORE_FITS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Faults of the place for the results that every further photo would meet."""


def color(colorizer: Colorizer, task: Task, settings: Settings) -> Record:
    """Colors one photo and writes its results; whatever happens is in the record.

    All colorings are drawn even if some are there already, so that each is the same whichever
    others are missing.

    Args:
        colorizer: with which.
        task: whose photo and folder are on this machine.
        settings: of all photos.
    """
    assert isinstance(task.path, Path)
    began = time.perf_counter()
    photo = None
    there: list[Coloring] = []
    ends_the_run = False
    try:
        photo = read_photo(task.path, max_pixels=settings.max_pixels)
        record = _color(colorizer, task, settings, photo, there)
    except ColorflowError as error:
        ends_the_run = getattr(error.__cause__, "errno", None) in _NOTHING_MORE_FITS
        record = Record(path=task.path, status="failed", reason=_reason(error, task.path))
    except MemoryError:
        reason = "not enough memory for a photo of this size; make it smaller"
        record = Record(path=task.path, status="failed", reason=reason)
    except Exception as error:  # whatever one photo does to us, the others go on
        detail = " ".join(str(error).split())
        reason = f"it cannot be colored ({type(error).__name__}: {detail})"
        record = Record(path=task.path, status="failed", reason=reason)
    if record.status == "failed":
        there.sort(key=lambda one: (one.seed, one.label))
        record = replace(record, colorings=tuple(there), ends_the_run=ends_the_run)
    return _measured(record, photo, time.perf_counter() - began)


def _color(
    colorizer: Colorizer, task: Task, settings: Settings, photo: Photo, there: list[Coloring]
) -> Record:
    """As `color`; what is on the disk is added to `there` even if an error ends it."""
    assert isinstance(task.path, Path)
    assert isinstance(task.folder, Path)
    if is_own_picture(task.path):
        reason = "is a picture that colorflow made; it is not taken as a photo"
        return Record(path=task.path, status="skipped", reason=reason)
    if photo.kind is Kind.COLORED and not settings.force:
        reason = "already has colors; --force colors it again"
        return Record(path=task.path, status="already-colored", reason=reason)
    wanted = wanted_of(task, settings, colorizer.digest)
    if settings.labels_are_known:
        before = made_before(task, wanted, overwrite=settings.overwrite)
        if len(before) == len(wanted):
            return skipped(task, before)
    draws = _draw(colorizer, photo, task, settings)
    drawn = _drawn(wanted, draws)
    before = made_before(task, drawn, overwrite=settings.overwrite)
    there += [task.coloring(label, one) for label, one in before.items()]
    missing = [label for label in drawn if label not in before]
    if missing:
        _make_folder(task.folder)
    places = [list(drawn).index(label) for label in missing]
    painted = colorizer.render(photo, draws.ab[places], bits=photo.bits)
    for label, pixels in zip(missing, painted, strict=True):
        write_image(task.folder / task.name(label), pixels, photo, provenance=drawn[label])
        there.append(task.coloring(label, drawn[label]))
    bits = _bits(colorizer, photo, task, draws) if settings.likelihood else [None] * len(draws.ab)
    record = skipped(task, drawn)
    return replace(
        record,
        status="done" if missing else "skipped",
        reason=None if missing else record.reason,
        colorings=tuple(
            replace(one, bits_per_dim=value)
            for one, value in zip(record.colorings, bits, strict=True)
        ),
    )


def _draw(colorizer: Colorizer, photo: Photo, task: Task, settings: Settings) -> Predictions:
    try:
        return colorizer.predict(
            photo,
            settings.n,
            settings.temperature,
            settings.seed,
            samples=settings.samples,
            diverse=settings.diverse,
            hints=task.hints,
        )
    except ValueError as error:  # settings were checked before, so it is a hint outside the photo
        if not task.hints:
            raise
        raise PhotoError(str(task.path), str(error)) from error


def _drawn(wanted: Mapping[str, Provenance], draws: Predictions) -> dict[str, Provenance]:
    """Those that were drawn, with their shares."""
    if not draws.shares:
        return {label: wanted[label] for label in map(sample_label, draws.seeds)}
    drawn = {}
    for (label, one), share in zip(wanted.items(), draws.shares, strict=True):
        assert one.principal
        drawn[label] = replace(one, principal=replace(one.principal, share=share))
    return drawn


def _bits(colorizer: Colorizer, photo: Photo, task: Task, draws: Predictions) -> list[float | None]:
    try:
        values = colorizer.bits_per_dim(photo, draws.ab, hints=task.hints).tolist()
    except ValueError:  # a color at the very edge of what the model can say has no density
        return [None for _ in draws.ab]
    return [value if math.isfinite(value) else None for value in values]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WritePhotoError(folder, f"the folder cannot be made ({error.strerror})") from error


def _reason(error: ColorflowError, path: Path) -> str:
    """What went wrong, without the photo's own name, which stands before it."""
    if isinstance(error, PhotoError) and error.source == str(path):
        return error.reason
    return str(error)


def _measured(record: Record, photo: Photo | None, seconds: float) -> Record:
    if photo is None:
        return replace(record, seconds=seconds)
    return replace(
        record,
        width=photo.width,
        height=photo.height,
        remarks=photo.remarks,
        seconds=seconds,
    )
