"""The colors to choose from and the points, as lists of buttons in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from colorflow.ui.materials import MATERIALS
from colorflow.ui.swatches import Swatch

if TYPE_CHECKING:
    from colorflow.colorizer import Hint

_LIKELY = "<h2>Likely colors of this point</h2>"
PICK, MATERIAL = "pick", "material"
"""What a button does: choose a likely color, or that of a material."""


def choice_list(likely: Sequence[Swatch], materials: Sequence[Swatch]) -> str:
    """The colors that a point may get, as buttons.

    Args:
        likely: likely colors; without any, a sentence says that they are being sought.
        materials: in the order of `MATERIALS`.
    """
    buttons = "".join(
        _button(index, PICK, one, f"<span>{one.name}</span><small>{_share(one)}</small>")
        for index, one in enumerate(likely)
    )
    others = "".join(
        _button(index, MATERIAL, one, f"<span>{name}</span>")
        for index, (name, one) in enumerate(zip(MATERIALS, materials, strict=True))
    )
    found = f'<div role="group" aria-label="Likely colors" class="swatches">{buttons}</div>'
    return (
        f"{_LIKELY}{found if likely else '<p>Looking for them ...</p>'}<h2>What it may be</h2>"
        f'<div role="group" aria-label="Materials" class="swatches materials">{others}</div>'
    )


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
