"""The colors to choose from and the points, as lists of buttons in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from colorflow.ui.swatches import MATERIALS, Swatch

if TYPE_CHECKING:
    from colorflow.colorizer import Hint

PICK, MATERIAL = "pick", "material"
"""What a button does: choose a likely color, or that of a material."""


def likely_list(likely: Sequence[Swatch]) -> str:
    """Likely colors as buttons; without any, a sentence says that they are being sought."""
    buttons = "".join(
        _button(index, PICK, one, f"<span>{one.name}</span><small>{_share(one)}</small>")
        for index, one in enumerate(likely)
    )
    found = f'<div role="group" aria-label="Likely colors" class="swatches">{buttons}</div>'
    found = found if likely else "<p>Looking for them ...</p>"
    return f"<h2>Likely colors of this point</h2>{found}"


def material_list(materials: Sequence[Swatch]) -> str:
    """Colors of materials, in the order of `MATERIALS`, as buttons; nothing without any.

    Apart from the likely colors, so that a button keeps the focus when these come.
    """
    if not materials:
        return ""
    buttons = "".join(
        _button(index, MATERIAL, one, f"<span>{name}</span>")
        for index, (name, one) in enumerate(zip(MATERIALS, materials, strict=True))
    )
    group = '<div role="group" aria-label="Materials" class="swatches materials">'
    return f"<h2>What it may be</h2>{group}{buttons}</div>"


def _button(index: int, act: str, swatch: Swatch, content: str) -> str:
    return (
        f'<button type="button" class="swatch" data-index="{index}" data-act="{act}">'
        f"{_chip(swatch)}{content}</button>"
    )


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
