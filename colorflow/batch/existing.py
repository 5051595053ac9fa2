"""Decides which existing results stay: those that were made as they would be made now.

A result says in itself how it was made: from which photo, with which hints, weights, seed and
temperature, which principal coloring it is, and how it was enlarged. A result stays only if all of
that agrees. The first principal coloring is the same however many there are; the others depend on
their number.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.coloring import digest_of_hints
from colorflow.errors import WritePhotoError
from colorflow.files import check_replaceable, digest_of
from colorflow.photo import (
    LETTERS,
    Enlargement,
    Principal,
    Provenance,
    Statements,
    read_statements,
)

if TYPE_CHECKING:
    from colorflow.batch.locations import Location
    from colorflow.batch.plan import PhotoTask
    from colorflow.batch.work import Digests, Work

_NO_PHOTO = "but does not say which photo it was made from"
_OTHER_PHOTO = "but was made from a photo of other content"


def expected_statements(task: PhotoTask, work: Work, weights: Digests) -> dict[str, Statements]:
    """What each result will say of itself, by label; shares are known only after sampling.

    Args:
        task: its photo is on this machine.
        work: the settings of the batch.
        weights: digests of the models.

    Raises:
        OSError: if the photo cannot be read.
    """
    assert isinstance(task.path, Path)
    return work.statements(digest_of(task.path), digest_of_hints(task.hints), weights)


def existing_results(
    task: PhotoTask, expected: Mapping[str, Statements], work: Work
) -> dict[str, Statements]:
    """The existing results that stay, by label, with what they say of themselves.

    Args:
        task: its output folder is on this machine.
        expected: from `expected_statements`.
        work: the settings; no result stays if they overwrite.

    Raises:
        WritePhotoError: if another file is in the way of a result, or a result was made in another
            way and must not be replaced.
    """
    found = {label: _existing(task.target(label), one, work) for label, one in expected.items()}
    return {label: one for label, one in found.items() if one}


def _existing(target: Location, expected: Statements, work: Work) -> Statements | None:
    """What an existing result that stays says of itself; None if it is to be made."""
    assert isinstance(target, Path)
    try:
        check_replaceable(target, work.kind)
        exists = os.path.exists(target) and os.path.getsize(target) > 0
    except OSError as error:
        raise WritePhotoError(target, f"the file cannot be written ({error.strerror})") from error
    if work.overwrite or not exists:
        return None
    found = read_statements(target)
    difference = expected.colors and _difference(found.colors, expected.colors)
    if difference := difference or _difference_in_detail(found.detail, expected):
        raise WritePhotoError(target, f"is there already, {difference}; --overwrite makes it anew")
    return found


def _difference(found: Provenance | None, expected: Provenance) -> str | None:
    """How a result was colored, if not as expected."""
    if found is None or found.photo is None:
        return _NO_PHOTO
    if found.photo != expected.photo:
        return _OTHER_PHOTO
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


def _difference_in_detail(found: Enlargement | None, expected: Statements) -> str | None:
    """How a result was enlarged, if not as expected."""
    want = expected.detail
    if want is None:
        # A coloring of a photo that was enlarged before says so, too, but names another photo.
        if found and expected.colors and found.photo == expected.colors.photo:
            return f"but was made with --scale {found.scale}"
        return None
    if found is None or found.photo is None:
        return "but was made without --scale" if expected.colors else _NO_PHOTO
    if found.photo != want.photo:
        return _OTHER_PHOTO
    if found.scale != want.scale:
        return f"but was made with --scale {found.scale}"
    if found.model != want.model:
        return f"but was made with other weights ({found.model})"
    if found.temperature != want.temperature:
        return f"but was made with --temperature {found.temperature:g}"
    if found.restored != want.restored:
        return f"but was made {'with' if found.restored else 'without'} --restore"
    if found.seed != want.seed:
        return f"but was made with --seed {found.seed}"
    return None
