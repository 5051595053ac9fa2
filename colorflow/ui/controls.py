"""Controls that several tabs have."""

from __future__ import annotations

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.limits import LARGEST_SEED
from colorflow.ui.colorings import ColoringOptions

MOST_VIVID = 1.5
"""The largest factor on the shipped temperatures."""
SUMMARY, SAMPLES = "Summary", "Single samples"
"""What the switch of views says: principal colorings, or samples."""


def factor(elem_id: str, label: str, info: str, most: float, value: float = 1.0) -> gr.Slider:
    """Make a slider from 0 to `most`, in steps of 0.05."""
    return gr.Slider(0, most, value=value, step=0.05, label=label, info=info, elem_id=elem_id)


def whole_number(elem_id: str, label: str, info: str, value: int | None = 0) -> gr.Number:
    """Make a field for a whole number."""
    return gr.Number(value=value, precision=0, label=label, info=info, elem_id=elem_id)


def place_in_numbers(
    prefix: str, label: str, action: str
) -> tuple[gr.Number, gr.Number, gr.Button]:
    """Make the part, closed at first, that takes a place of the photo without a pointer.

    Args:
        prefix: of the elem_ids.
        label: of the part.
        action: of its button.

    Returns:
        The fields for the place across and down, and the button.
    """
    with gr.Accordion(label, open=False, elem_id=f"{prefix}place"):
        about = "Pixels from the photo's left edge."
        across = whole_number(f"{prefix}across", "Across", about, None)
        down = whole_number(f"{prefix}down", "Down", "Pixels from its upper edge.", None)
        return across, down, gr.Button(action, elem_id=f"{prefix}put")


def seed_number(
    elem_id: str, info: str = "Another number gives other colors, the same number the same."
) -> gr.Number:
    """Make the field of the seed."""
    return whole_number(elem_id, "Seed", info)


def checked_seed(seed: int | None, label: str = "Seed") -> int:
    """The seed that a visitor has typed.

    Args:
        seed: None for an empty field.
        label: of the field.

    Raises:
        ColorflowError: it is not a seed.
    """
    if seed is None or not 0 <= seed <= LARGEST_SEED:
        raise ColorflowError(f"{label}: a whole number from 0 to {LARGEST_SEED}.")
    return int(seed)


def options_of(
    n: int, temperature: float, seed: int | None, view: str, skin: bool = True
) -> ColoringOptions:
    """What the visitor wants, from the values of the controls.

    Args:
        n: number of colorings.
        temperature: multiplies the shipped temperatures.
        seed: of the first sample.
        view: `SUMMARY` for principal colorings, `SAMPLES` for samples.
        skin: whether skin gets its own color.

    Raises:
        ColorflowError: the seed is none.
    """
    return ColoringOptions(
        n=int(n),
        temperature=temperature,
        seed=checked_seed(seed),
        samples=view == SAMPLES,
        skin=skin,
    )
