"""What picture files say of how colorflow made them, and the kinds of files that this tells.

`metadata.with_statement` puts the line of `colorflow.recipe.text_of` into a file's metadata.
"""

from __future__ import annotations

import os

from colorflow.errors import PhotoError
from colorflow.files import FileKind
from colorflow.photo.decode import read_header
from colorflow.photo.photo import Photo
from colorflow.recipe import Statement, statements_in


def read_statements(
    path: str | os.PathLike[str], *, isolated: bool = False
) -> tuple[Statement, ...]:
    """Read what a picture file says of how colorflow made it, step by step, the last one last.

    Args:
        path: a picture file.
        isolated: as of `decode.read_photo`.

    Returns:
        Empty where the file states nothing.

    Raises:
        PhotoError: the file cannot be read.
    """
    return statements_in(read_header(path, isolated=isolated).stated)


def is_own_picture(picture: Photo | str | os.PathLike[str], kind: FileKind) -> bool:
    """Whether a picture states that it is of a kind.

    Args:
        picture: a photo, or a file, which is read in a process of its own, see `isolated`.
        kind: `COLORING`, `ENLARGED`, `REPAIRED` or `RESTORED`: what is of one kind may become one
            of another.
    """
    if isinstance(picture, Photo):
        statements = statements_in(picture.metadata.stated)
    else:
        try:
            statements = read_statements(picture, isolated=True)
        except PhotoError:
            return False
    return any(kind in _kinds_of(statement) for statement in statements)


def kind_of_made(statement: Statement) -> FileKind | None:
    """What a new file that says this is, unless its maker says more; None if nothing was done."""
    return next(iter(_kinds_of(statement)), None)


def _kinds_of(statement: Statement) -> list[FileKind]:
    recipe = statement.recipe
    kinds = {
        COLORING: recipe.colors and not statement.has_colors,
        ENLARGED: recipe.enlargement,
        REPAIRED: recipe.repair,
        RESTORED: recipe.crop or recipe.repair or recipe.unfaded,
    }
    return [kind for kind, is_one in kinds.items() if is_one]


COLORING: FileKind = FileKind("coloring", lambda path: is_own_picture(path, COLORING))
ENLARGED: FileKind = FileKind("enlarged photo", lambda path: is_own_picture(path, ENLARGED))
REPAIRED: FileKind = FileKind("repaired photo", lambda path: is_own_picture(path, REPAIRED))
RESTORED: FileKind = FileKind("restored photo", lambda path: is_own_picture(path, RESTORED))
