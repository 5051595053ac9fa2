"""Names of results, from a template that is checked before anything is colored."""

from __future__ import annotations

import os
import string
from dataclasses import dataclass
from pathlib import PurePath

from colorflow.batch.settings import BatchSettings
from colorflow.limits import EXTENSIONS

DEFAULT_TEMPLATE = "{stem}_{label}.{ext}"
LONGEST_NAME = 255
"""Bytes of a file's name that the usual file systems take."""

_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe"})


@dataclass(frozen=True, slots=True)
class Naming:
    """The naming of results.

    Args:
        template: contains ``{stem}``, the input's name without its suffix; ``{label}``, see
            `BatchSettings.labels`, or ``{seed}``, which only samples have (neither is needed for
            one result of each photo); and ends in ``.{ext}``.
        ext: one of `EXTENSIONS`; ``auto`` is jpg for inputs named like a JPEG, and png otherwise.

    Raises:
        ValueError: if the template or the extension is wrong.
    """

    template: str = DEFAULT_TEMPLATE
    ext: str = "auto"

    def __post_init__(self) -> None:
        if self.ext not in EXTENSIONS:
            raise ValueError(f"ext: expected one of {', '.join(EXTENSIONS)}, got {self.ext!r}")
        if problem := _problem(self.template):
            raise ValueError(
                f"name: expected a template such as {DEFAULT_TEMPLATE}, "
                f"got {self.template!r}, {problem}"
            )

    def check_fits(self, settings: BatchSettings) -> None:
        """Raises `ValueError` unless the results of a photo get distinct names."""
        fields = _fields(self.template)
        if "seed" in fields and not settings.has_seeds:
            raise ValueError(
                f"name: {{seed}} in {self.template!r} is for samples alone; write {{label}}, or "
                "ask for samples"
            )
        if settings.n > 1 and not fields & {"label", "seed"}:
            raise ValueError(
                f"name: expected {{label}} in the template for {settings.n} results of each "
                f"photo, got {self.template!r}"
            )

    def names_of(self, source: PurePath) -> str:
        """The template for the results of one input, for `str.format`.

        What is left in it are ``{label}``, ``{seed}``, and ``{print}`` behind each stem.
        """
        ext = self.ext
        if ext == "auto":
            ext = "jpg" if source.suffix.lower() in _JPEG_SUFFIXES else "png"
        stem = _verbatim(source.stem) + "{print}"
        values = {"stem": stem, "ext": ext, "label": "{label}", "seed": "{seed}"}
        return "".join(
            _verbatim(literal) + ("" if field is None else values[field])
            for literal, field, _, _ in string.Formatter().parse(self.template)
        )


def too_long(name: str) -> int | None:
    """The length of a name in bytes if file systems do not take it; None otherwise."""
    length = len(os.fsencode(name))
    return length if length > LONGEST_NAME else None


def _problem(template: str) -> str | None:
    """What is wrong with a template, or None."""
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        return f"whose braces do not fit ({error})"
    for literal, field, spec, conversion in parsed:
        if field is not None and field not in ("stem", "label", "seed", "ext"):
            return f"whose {{{field}}} is none of {{stem}}, {{label}}, {{seed}}, {{ext}}"
        if spec or conversion:
            return f"whose {{{field}}} has a format"
        if any(not c.isprintable() or c in '/\\:*?"<>|' for c in literal):
            return "with a character that file names should not have"
    if "stem" not in _fields(template):
        return "without {stem}, so that all photos would have one name"
    if not template.endswith(".{ext}"):
        return "which does not end in .{ext}"
    if template.startswith("."):
        return "which would hide the results"
    return None


def _verbatim(text: str) -> str:
    """Escapes a text for `str.format`."""
    return text.replace("{", "{{").replace("}", "}}")


def _fields(template: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
