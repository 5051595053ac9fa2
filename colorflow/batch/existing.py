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
    Provenance,
    Statements,
    read_statements,
)

if TYPE_CHECKING:
    from colorflow.batch.locations import Location
    from colorflow.batch.plan import PhotoTask
    from colorflow.batch.settings import BatchSettings, Digests

_NO_PHOTO = "does not say which photo it was made from"


def expected_statements(
    task: PhotoTask, settings: BatchSettings, weights: Digests
) -> dict[str, Statements]:
    """What each result will say of itself, by label; shares are known only after sampling.

    Args:
        task: its photo is on this machine.
        settings: the settings of the batch.
        weights: digests of the models.

    Raises:
        OSError: if the photo cannot be read.
    """
    assert isinstance(task.path, Path)
    return settings.statements(digest_of(task.path), digest_of_hints(task.hints), weights)


def existing_results(
    task: PhotoTask, expected: Mapping[str, Statements], settings: BatchSettings
) -> dict[str, Statements]:
    """The existing results that stay, by label, with what they say of themselves.

    Args:
        task: its output folder is on this machine.
        expected: from `expected_statements`.
        settings: the settings; no result stays if they overwrite.

    Raises:
        WritePhotoError: if another file is in the way of a result, or a result was made in another
            way and must not be replaced.
    """
    found = {label: _existing(task.target(label), one, settings) for label, one in expected.items()}
    return {label: one for label, one in found.items() if one}


def _existing(target: Location, expected: Statements, settings: BatchSettings) -> Statements | None:
    """What an existing result that stays says of itself; None if it is to be made."""
    assert isinstance(target, Path)
    try:
        check_replaceable(target, settings.kind)
        exists = os.path.exists(target) and os.path.getsize(target) > 0
    except OSError as error:
        raise WritePhotoError(target, f"the file cannot be written ({error.strerror})") from error
    if settings.overwrite or not exists:
        return None
    found = read_statements(target, isolated=True)
    if difference := _difference(found, expected):
        raise WritePhotoError(
            target, f"is there already, but {difference}; --overwrite makes it anew"
        )
    return found


def _difference(found: Statements, expected: Statements) -> str | None:
    """How a result was made, if not as expected."""
    colors, detail = found.colors, found.detail
    if expected.colors:
        if colors is None:
            return _NO_PHOTO
        difference = _of_origin(colors, expected.colors) or _of_colors(colors, expected.colors)
        if difference:
            return difference
    if expected.detail:
        if detail is None:
            return "was made without --scale" if expected.colors else _NO_PHOTO
        return _of_origin(detail, expected.detail) or _of_detail(detail, expected.detail)
    # A coloring of a photo that was enlarged before says so, too, but names another photo.
    if detail and expected.colors and detail.photo == expected.colors.photo:
        return f"was made with --scale {detail.scale}"
    return None


def _of_origin(found: Provenance | Enlargement, expected: Provenance | Enlargement) -> str | None:
    """The difference between what colors, or detail, were generated from."""
    if found.photo is None:
        return _NO_PHOTO
    if found.photo != expected.photo:
        return "was made from a photo of other content"
    if found.model != expected.model:
        return f"was made with other weights ({found.model})"
    if found.temperature != expected.temperature:
        return f"was made with --temperature {found.temperature:g}"
    if found.seed != expected.seed:
        return f"was made with --seed {found.seed}"
    return None


def _of_colors(found: Provenance, expected: Provenance) -> str | None:
    """The difference in hints, looks, or which sample or principal coloring it is."""
    if found.hints != expected.hints:
        return f"was made {'with other' if found.hints else 'without'} hints"
    if found.looks != expected.looks:
        return f"was made with --looks {found.looks}"
    one, other = found.principal, expected.principal
    if one is None or other is None:
        if one is other:
            return None
        return f"was made {'without' if one else 'with'} --samples"
    if one.letter != other.letter:
        return f"is principal coloring {one.letter}"
    if one.of != other.of and one.letter != LETTERS[0]:
        return f"was made with -n {one.of}"
    return None


def _of_detail(found: Enlargement, expected: Enlargement) -> str | None:
    """The difference in how far it was enlarged, and in whether it was restored."""
    if found.scale != expected.scale:
        return f"was made with --scale {found.scale}"
    if found.restored != expected.restored:
        return f"was made {'with' if found.restored else 'without'} --restore"
    return None
