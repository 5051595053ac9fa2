"""What is there of a photo's results already, and whether it was made as it would be made now.

A result says in itself how it was made: from which photo, with which hints, weights, seed and
temperature. Only one that says just that is left as it is. All else is a matter of how many results
there are, not of what is in them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.errors import WritePhotoError
from colorflow.files import check_replaceable, digest_of
from colorflow.photo import COLORING, Provenance, read_provenance

if TYPE_CHECKING:
    from colorflow.batch.plan import Task
    from colorflow.batch.settings import Settings

_DIGITS = 16


def provenance_of(task: Task, settings: Settings, weights: str) -> Provenance:
    """What the result with the first seed will say of itself.

    Args:
        task: whose photo is on this machine.
        settings: of all photos.
        weights: their digest.

    Raises:
        OSError: if the photo cannot be read.
    """
    assert isinstance(task.path, Path)
    given = json.dumps([astuple(hint) for hint in task.hints]).encode()
    return Provenance(
        seed=settings.seed,
        temperature=settings.temperature,
        model=weights,
        photo=digest_of(task.path),
        hints=hashlib.sha256(given).hexdigest()[:_DIGITS] if task.hints else None,
    )


def seeds_to_make(
    task: Task, settings: Settings, first: Provenance, seeds: Iterable[int] | None = None
) -> list[int]:
    """The seeds whose results are not there, or shall be made anew.

    Args:
        task: whose folder is on this machine.
        settings: of all photos.
        first: from `provenance_of`.
        seeds: of the results; those of the settings, unless drawing tells them.

    Raises:
        WritePhotoError: if a file is in the way of a result, or was made in another way and shall
            not be made anew.
    """
    return [
        seed
        for seed in (settings.seeds if seeds is None else seeds)
        if _must_be_made(task, replace(first, seed=seed), overwrite=settings.overwrite)
    ]


def _must_be_made(task: Task, wanted: Provenance, *, overwrite: bool) -> bool:
    target = task.target(wanted.seed)
    assert isinstance(target, Path)
    try:
        check_replaceable(target, COLORING)
        there = os.path.exists(target) and os.path.getsize(target) > 0
    except OSError as error:
        raise WritePhotoError(target, f"the file cannot be written ({error.strerror})") from error
    if overwrite or not there:
        return True
    if difference := _difference(read_provenance(target), wanted):
        raise WritePhotoError(target, f"is there already, {difference}; --overwrite makes it anew")
    return False


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
    return None
