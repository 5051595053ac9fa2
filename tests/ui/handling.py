"""What tests share: to work on a desk's wishes, and to read files and updates."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from colorflow.ui.coloring import Options
from colorflow.ui.desk import Desk
from colorflow.ui.owners import COOKIE
from colorflow.ui.render import Updates
from colorflow.ui.work import DeskWorker, run

SUBJECT = "Ada, 1931"
IMAGE_DESCRIPTION = 0x010E
"""EXIF tag."""


class WorkedDesk(Desk):
    """A desk whose wishes are fulfilled as soon as they are made."""

    worker: DeskWorker

    def do(self, wish: str, *values: object) -> None:
        """Make a wish by a method of the worker."""
        getattr(self.worker, wish)(self, *values)
        fulfil(self)

    def act(self, act: str, *values: object, **named: object) -> None:
        """Do something to the desk, and what that asks for."""
        self.worker.change(self, lambda _: getattr(self, act)(*values, **named))
        fulfil(self)

    def put(self, *paths: Path) -> None:
        """Put photos on the desk."""
        self.do("open", paths)

    def prepare(self) -> None:
        """Make of the photos what they are to be."""
        self.do("prepare")

    def color(self, **options: Any) -> None:
        """Color the photo."""
        self.do("color", Options(**options))

    def recolor(self) -> None:
        """Color the photo by its points."""
        self.do("recolor")

    def finish(self, scale: int, format_: str) -> Path:
        """The file in full size, or larger."""
        self.do("finish", scale, False, format_)
        return file_of(self)

    def zip(self, folder: Path, *, every: bool = False) -> list[str]:
        """Unpack the zip of the album in PNG; the names of the pictures."""
        self.do("zip", "PNG", every)
        with zipfile.ZipFile(file_of(self)) as archive:
            archive.extractall(folder)
            return sorted(name for name in archive.namelist() if name.endswith(".png"))


def zipped(path: Path, files: Mapping[str, Path | bytes]) -> Path:
    """Write a zip of files, by their names in it."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content if isinstance(content, bytes) else content.read_bytes())
    return path


def asks(session: str, visitor: str = "", username: str | None = None) -> Any:
    """A request of a session."""
    cookies = {COOKIE: visitor}
    return SimpleNamespace(session_hash=session, cookies=cookies, username=username)


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
