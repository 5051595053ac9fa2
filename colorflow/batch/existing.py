"""Decides which existing results stay: those that were made as they would be made now.

A result says in itself how it was made: from which photo, with which hints, weights, seed and
temperature, and which principal coloring it is. A result stays only if all of that agrees. The
first principal coloring is the same however many there are; the others depend on their number.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.errors import WritePhotoError
from colorflow.files import check_replaceable, digest_of
from colorflow.photo import COLORING, LETTERS, Principal, Provenance, read_provenance

if TYPE_CHECKING:
    from colorflow.batch.locations import Location
    from colorflow.batch.plan import PhotoTask
    from colorflow.batch.settings import Settings

_DIGITS = 16


def expected_provenance(task: PhotoTask, settings: Settings, weights: str) -> dict[str, Provenance]:
    """What each result will say of itself, by label; shares are known only after sampling.

    Args:
        task: its photo is on this machine.
        settings: of the batch.
        weights: their digest.

    Raises:
        OSError: if the photo cannot be read.
    """
    assert isinstance(task.path, Path)
    hints = json.dumps([astuple(hint) for hint in task.hints]).encode()
    first = Provenance(
        seed=settings.seed,
        temperature=settings.temperature,
        model=weights,
        photo=digest_of(task.path),
        hints=hashlib.sha256(hints).hexdigest()[:_DIGITS] if task.hints else None,
    )
    if settings.samples:
        each = [replace(first, seed=seed) for seed in settings.seeds]
    else:
        each = [replace(first, principal=Principal(a, settings.n)) for a in LETTERS[: settings.n]]
    return dict(zip(settings.labels, each, strict=True))


def existing_results(
    task: PhotoTask, expected: Mapping[str, Provenance], *, overwrite: bool
) -> dict[str, Provenance]:
    """The existing results that stay, by label, with what they say of themselves.

    Args:
        task: its output folder is on this machine.
        expected: from `expected_provenance`.
        overwrite: whether no result stays.

    Raises:
        WritePhotoError: if another file is in the way of a result, or a result was made in another
            way and must not be replaced.
    """
    found = {
        label: _existing(task.target(label), one, overwrite) for label, one in expected.items()
    }
    return {label: one for label, one in found.items() if one}


def _existing(target: Location, expected: Provenance, overwrite: bool) -> Provenance | None:
    """What an existing result that stays says of itself; None if it is to be made."""
    assert isinstance(target, Path)
    try:
        check_replaceable(target, COLORING)
        exists = os.path.exists(target) and os.path.getsize(target) > 0
    except OSError as error:
        raise WritePhotoError(target, f"the file cannot be written ({error.strerror})") from error
    if overwrite or not exists:
        return None
    found = read_provenance(target)
    if difference := _difference(found, expected):
        raise WritePhotoError(target, f"is there already, {difference}; --overwrite makes it anew")
    return found


def _difference(found: Provenance | None, expected: Provenance) -> str | None:
    """How a result was made, if not as expected."""
    if found is None or found.photo is None:
        return "but does not say which photo it was made from"
    if found.photo != expected.photo:
        return "but was made from a photo of other content"
    if found.model != expected.model:
        return f"but was made with other weights ({found.model})"
    if found.temperature != expected.temperature:
        return f"but was made with --temperature {found.temperature:g}"
    if found.hints != expected.hints:
        return "but was made with other hints" if found.hints else "but was made without hints"
    if found.seed != expected.seed:
        return f"but was made with --seed {found.seed}"
    return _difference_in_kind(found.principal, expected.principal)


def _difference_in_kind(found: Principal | None, expected: Principal | None) -> str | None:
    """How a result differs that is another sample or principal coloring than expected."""
    if found is None or expected is None:
        if found is expected:
            return None
        return f"but was made {'without' if found else 'with'} --samples"
    if found.letter != expected.letter:
        return f"but is principal coloring {found.letter}"
    if found.of != expected.of and found.letter != LETTERS[0]:
        return f"but was made with -n {found.of}"
    return None
