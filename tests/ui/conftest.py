"""A tab without a server, and photos to upload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.limits import UploadSpace
from tests.ui.fake_colorizer import FakeColorizer
from tests.ui.handling import IMAGE_DESCRIPTION, SUBJECT
from tests.ui.page_process import Page


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show with a failure what the pages of its fixtures have printed."""
    report = yield
    if report.failed:
        for page in getattr(item, "funcargs", {}).values():
            if isinstance(page, Page):
                report.sections.append((f"printed by the page at {page.address}", page.log))
    return report


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of tests that are marked anyio."""
    return "asyncio"


@pytest.fixture
def colorizer() -> FakeColorizer:
    return FakeColorizer()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the tab may make folders."""
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


@pytest.fixture
def tab(colorizer: FakeColorizer, root: Path) -> ColorizeTab:
    with gr.Blocks(analytics_enabled=False):
        return ColorizeTab(colorizer, UploadSpace(root))


@pytest.fixture
def gray(tmp_path: Path) -> Path:
    """A gray JPEG larger than its preview, with a description and a resolution."""
    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = SUBJECT
    path = tmp_path / "grandma (1931).jpg"
    image = Image.fromarray(np.tile(data.camera(), (2, 3)))
    image.save(path, quality=95, exif=exif, dpi=(300, 300))
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small gray PNG."""
    path = tmp_path / "small.png"
    Image.fromarray(data.camera()[::8, ::8]).save(path)
    return path
