"""A contact sheet as a page: small pictures inside it, each a link to the result."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from colorflow.batch.locations import link_to
from colorflow.batch.sheet_row import SheetPicture, SheetRow
from colorflow.errors import printable
from colorflow.files import STATEMENT, text_kind
from colorflow.photo.encode import write_file

_NAME = "contact sheet of a batch"
_OPENING = f"<!DOCTYPE html>\n<!-- {STATEMENT}{_NAME} -->\n"
HTML_SHEET = text_kind(_NAME, _OPENING)

_JPEG_QUALITY = 80
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 0 1rem 2rem; font-family: system-ui, sans-serif; }
section { border-top: 1px solid #8886; }
h2 { font-size: 1.1rem; overflow-wrap: anywhere; }
.row { display: flex; flex-wrap: wrap; gap: 0.75rem; }
figure { margin: 0; max-width: 100%; }
img { display: block; max-width: 100%; height: auto; }
figcaption { padding: 0.25rem 0; }
li { overflow-wrap: anywhere; }
"""


def html_row(row: SheetRow, folder: Path) -> str:
    """A photo's part of the page.

    Args:
        row: the photo.
        folder: of the page; links to results of this machine are relative to it.
    """
    figures = "".join(_figure(row.name, picture, folder) for picture in row.pictures)
    return (
        f'<section>\n<h2>{html.escape(row.title)}</h2>\n<div class="row">{figures}</div>\n'
        "</section>\n"
    )


def write_html_sheet(path: Path, rows: Sequence[str], notes: Iterable[str]) -> None:
    """Writes the page.

    Args:
        path: the file.
        rows: from `html_row`.
        notes: what the page does not show.

    Raises:
        WritePhotoError: if the file cannot be written.
    """
    items = "".join(f"<li>{html.escape(printable(note))}</li>\n" for note in notes)
    page = (
        f'{_OPENING}<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Contact sheet</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>Contact sheet</h1>\n{f'<ul>{items}</ul>' if items else ''}\n"
        f"{''.join(rows)}</main>\n</body>\n</html>\n"
    )
    write_file(path, page.encode(), HTML_SHEET)


def _figure(name: str, picture: SheetPicture, folder: Path) -> str:
    width, height = picture.image.size
    alt = html.escape(printable(f"{name}: {picture.caption}"))
    image = f'<img src="{_data(picture.image)}" width="{width}" height="{height}" alt="{alt}">'
    caption = html.escape(picture.caption)
    if picture.result is not None:
        address = html.escape(link_to(picture.result, folder))
        return f'<figure><a href="{address}">{image}</a><figcaption>{caption}</figcaption></figure>'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _data(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
