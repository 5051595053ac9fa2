"""A tab without a server, servers and a browser to look at them, and photos to upload."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser
from playwright.sync_api import Error as PlaywrightError
from skimage import data

from benchmarks.page_pictures import chromium
from colorflow.quiz.game import TRIALS
from colorflow.ui.limits import MemoryBudget, UploadSpace
from colorflow.ui.work import DeskWorker
from tests.quiz.album import save_album
from tests.small_weights import save_small_weights
from tests.ui.fake_colorizer import FakeColorizer, SmallEnlarger, SmallRepairer
from tests.ui.handling import IMAGE_DESCRIPTION, SUBJECT, WorkedDesk
from tests.ui.page_process import Page, running_page
from tests.ui.visitor import Visitor


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show with a failure what the pages of its fixtures have printed, and what browsers show."""
    report = yield
    if report.failed:
        for visitor in Visitor.present if "browser" in getattr(item, "funcargs", {}) else ():
            with suppress(PlaywrightError):  # its window or the browser has gone
                report.sections.append(("shown to a visitor, and asked", visitor.told()))
        for page in getattr(item, "funcargs", {}).values():
            if isinstance(page, Page):
                report.sections.append((f"printed by the page at {page.address}", page.log))
    return report


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; for a module, since its event loop must not run when other tests begin theirs."""
    if shutil.which("chromium") is None:
        reason = "no chromium on this machine (Debian's package of that name)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page with a FakeColorizer and no options; modules that need some have their own."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "temporary").mkdir()
    with running_page(folder / "temporary", "--quiz-db", folder / "quiz.sqlite") as page:
        yield page


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """As many photos as the strict test needs."""
    return save_album(tmp_path_factory.mktemp("album"), TRIALS + 10)


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory, album: list[Path]) -> Iterator[Page]:
    """The page with small weights that take hints, and a quiz."""
    folder = tmp_path_factory.mktemp("app")
    weights = save_small_weights(folder / "w.safetensors", extra_planes=3)
    (folder / "temporary").mkdir()
    options = ("--weights", weights, "--photos", album[0].parent)
    options += ("--quiz-db", folder / "quiz.sqlite")
    with running_page(folder / "temporary", *options) as page:
        yield page


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of tests that are marked anyio."""
    return "asyncio"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a tab may make folders."""
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


@pytest.fixture
def colorizer() -> FakeColorizer:
    """A Colorizer that remembers its calls."""
    return FakeColorizer()


@pytest.fixture
def worker(colorizer: FakeColorizer, tmp_path: Path) -> DeskWorker:
    """What works on desks, with small weights."""
    space = UploadSpace(tmp_path / "root", budget=MemoryBudget(10**9))
    return DeskWorker(colorizer, SmallEnlarger.load(), SmallRepairer.load(), space)  # type: ignore[arg-type]


@pytest.fixture
def desk(tmp_path: Path, worker: DeskWorker) -> WorkedDesk:
    """An empty desk."""
    folder = tmp_path / "root" / "desk"
    folder.mkdir(parents=True)
    desk = WorkedDesk(folder)
    desk.worker = worker
    return desk


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


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's folder."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path
