"""The likely colors and the points, as lists of buttons in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from colorflow.ui.swatches import Swatch

if TYPE_CHECKING:
    from colorflow.colorizer import Hint

_LIKELY = "<h2>Likely colors of this point</h2>"


def swatch_list(swatches: Sequence[Swatch], *, sought: bool = False) -> str:
    """Likely colors as buttons; without any, a sentence while they are `sought`, or nothing."""
    if not swatches:
        return f"{_LIKELY}<p>Looking for them ...</p>" if sought else ""
    buttons = "".join(
        f'<button type="button" class="swatch" data-index="{index}" data-act="pick">'
        f"{_chip(one)}<span>{one.name}</span><small>{_share(one)}</small></button>"
        for index, one in enumerate(swatches)
    )
    return f'{_LIKELY}<div role="group" aria-label="Likely colors" class="swatches">{buttons}</div>'


def point_list(
    hints: Sequence[Hint], colors: Sequence[Swatch], current: int | None, *, held: bool
) -> str:
    """The points, each with a button that makes it the current one and one that deletes it.

    Args:
        hints: the points.
        colors: of each point, as it is shown.
        current: index of the point that gets the next color.
        held: whether the next click moves that point.
    """
    if not hints:
        return "<h2>Your points</h2><p>None yet.</p>"
    rows = "".join(
        _row(index, hint, color, current=index == current, held=held and index == current)
        for index, (hint, color) in enumerate(zip(hints, colors, strict=True))
    )
    return (
        "<h2>Your points</h2><p>Press one to move it or to change its color.</p>"
        f'<ul class="points">{rows}</ul>'
    )


def _row(index: int, hint: Hint, color: Swatch, *, current: bool, held: bool) -> str:
    return (
        f"<li{' class=current' if current else ''}>"
        f'<button type="button" class="point" data-index="{index}" data-act="hold" '
        f'aria-pressed="{str(held).lower()}" title="Move it, or change its color">'
        f"{_chip(color)}<span>{index + 1}. {color.name}</span>"
        f"<small>{hint.column:.0f} across, {hint.row:.0f} down</small></button>"
        f'<button type="button" class="delete" data-index="{index}" data-act="delete" '
        f'aria-label="Delete point {index + 1}" title="Delete">×</button></li>'
    )


def _chip(swatch: Swatch) -> str:
    return f'<span class="chip" style="background: {swatch.hex}"></span>'


def _share(swatch: Swatch) -> str:
    return f"{max(1, round(100 * swatch.share))} %"
