"""What a visitor does, as calls of handlers, and how to read what they give back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import gradio as gr
import numpy as np
from PIL import Image

from colorflow.ui.album import AlbumSession
from colorflow.ui.colorings import ColoredPhoto
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.controls import SAMPLES, SUMMARY
from colorflow.ui.panes import OWN_FORMAT, ComparePane
from colorflow.ui.runs import Run
from colorflow.ui.session import Session
from colorflow.ui.status import Updates

SUBJECT = "Ada, 1931"
IMAGE_DESCRIPTION = 0x010E
"""EXIF tag."""


def new(session: gr.State) -> Session[Any]:
    """What Gradio gives the handlers for a visitor who has just come."""
    return deepcopy(session.value)


def opened(tab: ColorizeTab, *paths: Path) -> Session[ColoredPhoto]:
    """Drop photos."""
    session = new(tab.session)
    drop(tab, paths, session)
    assert session.current is not None
    return session


def drop(
    tab: ColorizeTab, paths: Sequence[Path], session: Session[ColoredPhoto] | None = None
) -> Updates:
    """Let the field hold these photos, and wait until all are open."""
    session = session or new(tab.session)
    assert isinstance(session, AlbumSession)
    first = tab.open_photos([str(path) for path in paths], session)
    return everything(iter([first, *tab.open_others(session)]))


def colorize(
    tab: ColorizeTab,
    session: Session[ColoredPhoto],
    n: int = 2,
    temperature: float = 1.0,
    seed: int | None = 0,
    *,
    samples: bool = False,
) -> Updates:
    """Color the photo."""
    view = SAMPLES if samples else SUMMARY
    return everything(running(tab, tab.one, session, n, temperature, seed, view))


def running(
    tab: ColorizeTab, kind: Callable[..., Run], session: Session[ColoredPhoto], *values: Any
) -> Iterator[Updates]:
    """Begin a run; what is shown while it is worked on, or why it is refused."""
    assert isinstance(session, AlbumSession)
    begun = tab.runs.begin(kind, session, *values)
    return tab.runs.work(kind, session) if session.job else iter([begun])


def more(tab: ColorizeTab, session: Session[ColoredPhoto], n: int, *, alike: bool) -> Updates:
    """More like the chosen coloring, or something else."""
    return everything(running(tab, partial(tab.more, alike=alike), session, n))


def everything(handled: Iterator[Updates]) -> Updates:
    """How the components are after all that a handler gives."""
    now: Updates = {}
    for updates in handled:
        for component, update in updates.items():
            before = now.get(component)
            both = isinstance(update, dict) and isinstance(before, dict)
            now[component] = {**before, **update} if both else update
    return now


def click(tab: ColorizeTab, session: Session[ColoredPhoto], index: int) -> Updates:
    return tab.choose(session, SimpleNamespace(index=index))  # type: ignore[arg-type]


def look(tab: ColorizeTab, session: Session[ColoredPhoto], index: int) -> Updates:
    return tab.look_at(session, SimpleNamespace(index=index))  # type: ignore[arg-type]


def download(
    tab: ColorizeTab, session: Session[ColoredPhoto], index: int = 0, format_: str = OWN_FORMAT
) -> Path:
    """Click a coloring; its file in full size."""
    click(tab, session, index)
    return Path(value(tab.result.download.prepare(session, format_), tab.result.download.file))


def value(updates: Updates, component: gr.components.Component) -> Any:
    """The new value of a component, whether alone or within other properties."""
    update = updates[component]
    return update["value"] if isinstance(update, dict) else update


def compared(updates: Updates, pane: ComparePane) -> tuple[Path, Path]:
    """The pictures before and after."""
    after, before = re.findall('src="[^"]*file=([^"]*)"', value(updates, pane.compare))
    return Path(unquote(before)), Path(unquote(after))


def text(updates: Updates, component: gr.components.Component) -> str:
    """A status line as it is read."""
    return re.sub("<[^>]*>", "", value(updates, component))


def is_problem(updates: Updates, component: gr.components.Component) -> bool:
    return 'class="bad"' in value(updates, component)


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)
