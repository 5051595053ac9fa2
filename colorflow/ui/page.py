"""What every tab of the page shares."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from colorflow.ui.colourise import ColouriseTab
from colorflow.ui.session import PhotoColorizer

STYLE = Path(__file__).with_name("page.css")

_CLEAN_UP_SECONDS = (3600, 20 * 3600)
"""How often Gradio looks for old uploads, and from what age on it deletes them."""

_HEADING = """
<h1>colorflow</h1>
<p>Nobody knows any more which colours an old photo had. Here are several that it could have
had.</p>
"""
_PRIVACY = """
<p>Your photo goes to the computer that runs this page and nowhere else. It is deleted there within
a day of closing the page.</p>
"""
ALTERNATIVE_TEXTS = """
const texts = {
    "#preview img": ["Your photo"],
    "#compare .content img": ["Your photo in grey", "The chosen colouring"],
};
const describe = () => {
    for (const [selector, words] of Object.entries(texts))
        document.querySelectorAll(selector).forEach((image, i) => {
            if (!image.alt) image.alt = words[i] ?? "";
        });
};
new MutationObserver(describe).observe(document.body, { childList: true, subtree: true });
"""
"""Gradio gives these pictures none."""


def build_page(colorizer: PhotoColorizer, root: Path, max_megabytes: int) -> gr.Blocks:
    """Put the page together.

    Args:
        colorizer: colours the photos.
        root: Gradio's own folder for uploads; the visitors' folders are made in it.
        max_megabytes: size of the largest upload, to be stated.
    """
    with gr.Blocks(
        title="colorflow", analytics_enabled=False, delete_cache=_CLEAN_UP_SECONDS
    ) as page:
        gr.HTML(_HEADING, elem_id="heading")
        ColouriseTab(colorizer, root, max_megabytes)
        gr.HTML(_PRIVACY, elem_id="privacy")
    return page


def theme() -> gr.themes.Base:
    """Warm greys and the system's own fonts, which no server has to be asked for."""
    return gr.themes.Default(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
    )
