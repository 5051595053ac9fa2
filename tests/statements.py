"""What the tests read in files that colorflow made."""

from __future__ import annotations

from pathlib import Path

from colorflow.photo import read_statements
from colorflow.recipe import Colors, Statement


def statement_of(path: Path) -> Statement:
    """The last statement of a file, which has one."""
    return read_statements(path)[-1]


def colors_of(path: Path) -> Colors:
    """How its colors were made."""
    colors = statement_of(path).recipe.colors
    assert colors
    return colors
