"""What tests share: to work on a desk's wishes, and to read files and updates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from colorflow.ui.desk import Desk
from colorflow.ui.render import Updates
from colorflow.ui.work import run

SUBJECT = "Ada, 1931"
IMAGE_DESCRIPTION = 0x010E
"""EXIF tag."""


def fulfil(desk: Desk) -> None:
    """Work on all wishes of a desk."""
    while desk.wishes:
        for _ in run(desk, next(iter(desk.wishes))):
            pass


def file_of(desk: Desk) -> Path:
    """The last file that was made for the visitor."""
    assert desk.files, desk.said
    return desk.files[-1]


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def value(updates: Updates, component: gr.components.Component) -> Any:
    """The new value of a component, whether alone or within other properties."""
    update = updates[component]
    return update["value"] if isinstance(update, dict) else update


def text(updates: Updates, component: gr.components.Component) -> str:
    """A status line as it is read."""
    return re.sub("<[^>]*>", "", value(updates, component))


def is_problem(updates: Updates, component: gr.components.Component) -> bool:
    return 'class="bad"' in value(updates, component)
