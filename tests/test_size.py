"""Lines of code are counted without docstrings, comments and blank lines."""

from __future__ import annotations

from tests.size import lines_of_code

SOURCE = '''"""What this
module does."""

import os  # a comment beside code

# a comment of its own
TEXT = """two
lines"""
"""What it is."""


def path() -> str:
    """One line."""
    return os.path.join(
        "a",
        "b",
    )
'''


def test_docstrings_comments_and_blank_lines_do_not_count() -> None:
    assert lines_of_code(SOURCE) == 1 + 2 + 1 + 1 + 4  # a docstring of a variable is code to Python
