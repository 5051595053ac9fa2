"""Controls that stand on several tabs, and mean the same on each."""

from __future__ import annotations

import gradio as gr

MOST_VIVID = 1.5
"""The largest factor on the shipped temperatures."""


def vividness_slider(elem_id: str) -> gr.Slider:
    """Make the control of what the shipped temperatures are multiplied with."""
    return gr.Slider(
        0,
        MOST_VIVID,
        value=1.0,
        step=0.05,
        label="Vividness",
        info="0 is calm and the same each time, 1 natural, more is bold.",
        elem_id=elem_id,
    )


def seed_number(
    elem_id: str, info: str = "Another number gives other colors, the same number the same."
) -> gr.Number:
    """Make the control of the seed."""
    return gr.Number(value=0, precision=0, label="Seed", info=info, elem_id=elem_id)
