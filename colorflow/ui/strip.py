"""The visitor's photos as a strip of small pictures, one of which is looked at."""

from __future__ import annotations

import html
from collections.abc import Sequence

from colorflow.ui.colorings import Work
from colorflow.ui.gradio_patches import file_url


def strip_html(works: Sequence[Work], current: Work | None) -> str:
    """Buttons with the photos; nothing for a single one, which is shown anyway."""
    if len(works) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" data-index="{index}" data-act="look" '
        f'aria-pressed="{str(work is current).lower()}" title="{html.escape(work.upload.name)}">'
        f'<img src="{file_url(work.photo.thumbnail)}" alt="{html.escape(work.upload.name)}">'
        "</button>"
        for index, work in enumerate(works)
    )
    return f'<div role="group" aria-label="Your photos" class="strip">{buttons}</div>'
