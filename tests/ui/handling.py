"""What a visitor does, as calls of the tab's handlers, and how to read what they give back."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from colorflow.ui.colourise import ColouriseTab, Updates
from colorflow.ui.session import Session

SUBJECT = "Ada, 1931"
IMAGE_DESCRIPTION = 0x010E
"""EXIF tag."""


def opened(tab: ColouriseTab, path: Path) -> Session:
    session: Session = tab.open_photo(str(path), None)[tab.session]
    assert session.photo is not None
    return session


def colourise(
    tab: ColouriseTab,
    session: Session | None,
    n: int = 2,
    temperature: float = 1.0,
    seed: int | None = 0,
    *,
    diverse: bool = False,
) -> Updates:
    return tab.colourise(session, n, temperature, seed, diverse)


def click(tab: ColouriseTab, session: Session | None, index: int) -> Updates:
    return tab.choose(session, SimpleNamespace(index=index))  # type: ignore[arg-type]


def download(tab: ColouriseTab, session: Session, index: int = 0) -> Path:
    """Click a colouring; its file in full size."""
    click(tab, session, index)
    return Path(value(tab.prepare_download(session), tab.download))


def value(updates: Updates, component: gr.components.Component) -> Any:
    """The new value of a component, whether alone or within other properties."""
    update = updates[component]
    return update["value"] if isinstance(update, dict) else update


def text(updates: Updates, component: gr.components.Component) -> str:
    """A status line as it is read."""
    return re.sub("<[^>]*>", "", value(updates, component))


def is_problem(updates: Updates, component: gr.components.Component) -> bool:
    return 'class="bad"' in value(updates, component)


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)
