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

from colorflow.batch.settings import BatchSettings, Digests
from colorflow.batch.task import PhotoTask
from colorflow.coloring import digest_of_hints
from colorflow.errors import WritePhotoError
from colorflow.files import check_replaceable, digest_of
from colorflow.photo import LETTERS, Enlargement, Provenance, Statements, read_statements


class MadeOtherwiseError(WritePhotoError):
    """A result of colorflow is there already, but was made in another way.

    Args:
        target: the result.
        how: how it was made.
    """

    def __init__(self, target: Path, how: str) -> None:
        super().__init__(target, f"is there already, but {how}")
        self.how = how


def expected_statements(
    task: PhotoTask, photo: Path, settings: BatchSettings, weights: Digests
) -> dict[str, Statements]:
    """What each result will say of itself, by label; shares are known only after sampling.

    Args:
        task: says which hints the photo has.
        photo: its photo on this machine.
        settings: the settings of the batch.
        weights: digests of the models.

    Raises:
        OSError: if the photo cannot be read.
    """
    return settings.statements(digest_of(photo), digest_of_hints(task.hints), weights)


def existing_results(
    task: PhotoTask, folder: Path, expected: Mapping[str, Statements], settings: BatchSettings
) -> dict[str, Statements]:
    """The existing results that stay, by label, with what they say of themselves.

    Args:
        task: says the names of the results.
        folder: its results on this machine.
        expected: from `expected_statements`.
        settings: the settings; no result stays if they overwrite.

    Raises:
        MadeOtherwiseError: if a result was made in another way and must not be replaced.
        WritePhotoError: if another file is in the way of a result.
    """
    existing = {}
    for label, statements in expected.items():
        target = folder / task.name(label)
        try:
            check_replaceable(target, settings.kind)
            exists = os.path.exists(target) and os.path.getsize(target) > 0
        except OSError as error:
            reason = f"the file cannot be written ({error.strerror})"
            raise WritePhotoError(target, reason) from error
        if exists and not settings.overwrite:
            existing[label] = read_statements(target, isolated=True)
            if difference := _difference(existing[label], statements):
                raise MadeOtherwiseError(target, difference)
    return existing


def _difference(found: Statements, expected: Statements) -> str | None:
    """How a result was made, if not as expected."""
    colors, detail = found.colors, found.detail
    if expected.colors and (difference := _of_one(colors, expected.colors)):
        return difference
    if expected.detail:
        if expected.colors and detail is None:
            return "was not enlarged"
        return _of_one(detail, expected.detail)
    # A coloring of a photo that was enlarged before says so, too, but names another photo.
    if detail and expected.colors and detail.photo == expected.colors.photo:
        return f"was enlarged {detail.scale} times"
    return None


def _of_one(
    found: Provenance | Enlargement | None, expected: Provenance | Enlargement
) -> str | None:
    """The first difference in what colors, or detail, were generated from."""
    if found is None or found.photo is None:
        return "does not say which photo it was made from"
    if found.photo != expected.photo:
        return "was made from a photo of other content"
    if found.model != expected.model:
        return f"was made with other weights ({found.model})"
    if found.temperature != expected.temperature:
        return f"was made with temperature {found.temperature:g}"
    if found.seed != expected.seed:
        return f"was made with seed {found.seed}"
    if isinstance(found, Provenance):
        assert isinstance(expected, Provenance)
        return _of_colors(found, expected)
    assert isinstance(expected, Enlargement)
    if found.scale != expected.scale:
        return f"was enlarged {found.scale} times"
    if found.restored != expected.restored:
        return f"was {'restored' if found.restored else 'not restored'}"
    return None


def _of_colors(found: Provenance, expected: Provenance) -> str | None:
    """The difference in hints, looks, or which sample or principal coloring it is."""
    if found.hints != expected.hints:
        return f"was made {'with other' if found.hints else 'without'} hints"
    if found.looks != expected.looks:
        return f"was made with {found.looks} looks"
    one, other = found.principal, expected.principal
    if one is None or other is None:
        return None if one is other else f"is a {'principal coloring' if one else 'sample'}"
    if one.letter != other.letter:
        return f"is principal coloring {one.letter}"
    if one.of != other.of and one.letter != LETTERS[0]:
        return f"is one of {one.of} principal colorings"
    return None
