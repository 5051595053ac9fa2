"""What is there of a photo's results already, and whether it was made as it would be made now.

A result says in itself how it was made: from which photo, with which hints, weights, seed and
temperature, and which principal coloring it is. Only one that says just that is left as it is. The
first principal coloring is the same however many there are; the others depend on that. All else is
a matter of how many results there are, not of what is in them.
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
    from colorflow.batch.plan import Task
    from colorflow.batch.settings import Settings
    from colorflow.batch.url import Place

_DIGITS = 16


def wanted_of(task: Task, settings: Settings, weights: str) -> dict[str, Provenance]:
    """What each result, by its label, will say of itself; shares are known once it is drawn.

    Args:
        task: whose photo is on this machine.
        settings: of all photos.
        weights: their digest.

    Raises:
        OSError: if the photo cannot be read.
    """
    assert isinstance(task.path, Path)
    given = json.dumps([astuple(hint) for hint in task.hints]).encode()
    first = Provenance(
        seed=settings.seed,
        temperature=settings.temperature,
        model=weights,
        photo=digest_of(task.path),
        hints=hashlib.sha256(given).hexdigest()[:_DIGITS] if task.hints else None,
    )
    if settings.samples:
        each = [replace(first, seed=seed) for seed in settings.seeds]
    else:
        each = [replace(first, principal=Principal(a, settings.n)) for a in LETTERS[: settings.n]]
    return dict(zip(settings.labels, each, strict=True))


def made_before(
    task: Task, wanted: Mapping[str, Provenance], *, overwrite: bool
) -> dict[str, Provenance]:
    """The results that are there and shall stay, by their labels, and what they say of themselves.

    Args:
        task: whose folder is on this machine.
        wanted: what results shall say of themselves, from `wanted_of`.
        overwrite: none shall stay.

    Raises:
        WritePhotoError: if a file is in the way of a result, or was made in another way and shall
            not be made anew.
    """
    found = {label: _found(task.target(label), one, overwrite) for label, one in wanted.items()}
    return {label: one for label, one in found.items() if one}


def _found(target: Place, wanted: Provenance, overwrite: bool) -> Provenance | None:
    """What a result says of itself that is there and shall stay."""
    assert isinstance(target, Path)
    try:
        check_replaceable(target, COLORING)
        there = os.path.exists(target) and os.path.getsize(target) > 0
    except OSError as error:
        raise WritePhotoError(target, f"the file cannot be written ({error.strerror})") from error
    if overwrite or not there:
        return None
    found = read_provenance(target)
    if difference := _difference(found, wanted):
        raise WritePhotoError(target, f"is there already, {difference}; --overwrite makes it anew")
    return found


def _difference(found: Provenance | None, wanted: Provenance) -> str | None:
    """How a result was made that was not made as wanted."""
    if found is None or found.photo is None:
        return "but does not say which photo it was made from"
    if found.photo != wanted.photo:
        return "but was made from a photo of other content"
    if found.model != wanted.model:
        return f"but was made with other weights ({found.model})"
    if found.temperature != wanted.temperature:
        return f"but was made with --temperature {found.temperature:g}"
    if found.hints != wanted.hints:
        return "but was made with other hints" if found.hints else "but was made without hints"
    if found.seed != wanted.seed:
        return f"but was made with --seed {found.seed}"
    return _other_kind(found.principal, wanted.principal)


def _other_kind(found: Principal | None, wanted: Principal | None) -> str | None:
    """How a result differs that is another sample or principal coloring than the wanted one."""
    if found is None or wanted is None:
        if found is wanted:
            return None
        return f"but was made {'without' if found else 'with'} --samples"
    if found.letter != wanted.letter:
        return f"but is principal coloring {found.letter}"
    if found.of != wanted.of and found.letter != LETTERS[0]:
        return f"but was made with -n {found.of}"
    return None
