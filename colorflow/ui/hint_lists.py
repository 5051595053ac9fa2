"""The colors to choose from and the points, as lists of buttons in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from colorflow.ui.swatches import Swatch

if TYPE_CHECKING:
    from colorflow.ui.points import Points


def color_list(heading: str, swatches: Sequence[Swatch], first: int = 0) -> str:
    """Colors as buttons below a heading.

    Args:
        heading: what they are.
        swatches: the colors; without any, a sentence says that they are being sought.
        first: index that the button of the first one sends.
    """
    buttons = "".join(
        f'<button type="button" class="swatch" data-index="{index}" data-act="pick">{_chip(one)}'
        f"<span>{one.material or one.name}</span>{_share(one)}</button>"
        for index, one in enumerate(swatches, first)
    )
    group = f'<div role="group" aria-label="{heading}" class="swatches">{buttons}</div>'
    return f"<h2>{heading}</h2>{group if swatches else '<p>Looking for them ...</p>'}"


def point_list(points: Points, colors: Sequence[Swatch]) -> str:
    """The points, each with a button that makes it the current one and one that deletes it.

    Args:
        points: the points.
        colors: of each point, as it is shown.
    """
    if not points.hints:
        return "<h2>Your points</h2><p>None yet.</p>"
    rows = []
    for index, (hint, color) in enumerate(zip(points.hints, colors, strict=True)):
        current = index == points.current
        held = str(current and points.held).lower()
        rows.append(
            f"<li{' class=current' if current else ''}>"
            f'<button type="button" class="point" data-index="{index}" data-act="hold" '
            f'aria-pressed="{held}" title="Move it, or change its color">'
            f"{_chip(color)}<span>{index + 1}. {color.name}</span>"
            f"<small>{hint.column:.0f} across, {hint.row:.0f} down</small></button>"
            f'<button type="button" class="delete" data-index="{index}" data-act="delete" '
            f'aria-label="Delete point {index + 1}" title="Delete">×</button></li>'
        )
    return (
        "<h2>Your points</h2><p>Press one to move it or to change its color.</p>"
        f'<ul class="points">{"".join(rows)}</ul>'
    )


def _chip(swatch: Swatch) -> str:
    return f'<span class="chip" style="background: {swatch.hex}"></span>'


def _share(swatch: Swatch) -> str:
    return "" if swatch.share is None else f"<small>{max(1, round(100 * swatch.share))} %</small>"
