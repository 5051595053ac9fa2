"""The states of a download button: it waits for the picture in full size, then offers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from colorflow.ui.opened import OpenPhoto


def preparing() -> dict[str, Any]:
    """The picture is being made."""
    return gr.update(value=None, label="Preparing the download ...", interactive=False)


def ready(path: Path, photo: OpenPhoto) -> dict[str, Any]:
    """The picture is there."""
    label = f"Download, {photo.width} × {photo.height} pixels"
    return gr.update(value=str(path), label=label, interactive=True)
