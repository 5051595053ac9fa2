"""Start the page's server, and clean up after it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import warnings
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.errors import ColorflowError
from colorflow.files import ENLARGE_WEIGHTS, REPAIR_WEIGHTS, default_weights
from colorflow.photo import end_reader, photo_from_image, start_reader
from colorflow.ui.access import Hosts
from colorflow.ui.limits import WORKED_ON, Limits, MemoryBudget
from colorflow.ui.storage import KEEP_SECONDS, DiskQuota, page_folder, sweep

if TYPE_CHECKING:
    from fastapi import FastAPI

    from colorflow.colorizer import Colorizer

MAX_OPEN = 500
"""Connections at the same time; an open page has two or three."""
_SWEEPS_PER_KEEPING = 60


def serve(
    *,
    host: str,
    port: int,
    weights: Path | None,
    photos: Path | None,
    quiz_db: Path | None,
    accounts: Mapping[str, str] | None = None,
    allowed_hosts: Collection[str] = (),
    limits: Limits = Limits(),  # noqa: B008 (frozen)
) -> None:
    """Serve the page until Ctrl-C or SIGTERM. Call it in the main thread.

    Uploads and results are kept in a temporary folder that only this user may read: for an hour
    after their visitor's last action, and until the function returns. The folder of a killed
    program is deleted by the next start. Nothing is sent to other machines.

    Args:
        host: address to listen on; ``0.0.0.0`` for all networks of this machine.
        port: 1 to 65535.
        weights: weights file; None for the shipped one.
        photos: folder of the quiz's photos; None for the shipped ones.
        quiz_db: file of the quiz's answers; None for one in the user's data folder.
        accounts: password by user; None to let everybody in.
        allowed_hosts: names under which the page is served, beside this machine's own.
        limits: bounds of uploads and requests.

    Raises:
        ColorflowError: the weights or the quiz's files cannot be loaded, there is no space for
            uploads, or the address is not available.
    """
    if limits.stored_megabytes < limits.megabytes:
        raise ColorflowError(
            f"--max-stored is {limits.stored_megabytes} MB: less than one file of --max-file-size, "
            f"{limits.megabytes} MB"
        )
    with (
        _ended_by_signals(),
        suppress(KeyboardInterrupt),
        _listening(host, port) as listening,
        page_folder() as files,
    ):
        _prepare(files)
        import gradio as gr
        import uvicorn
        from fastapi import FastAPI

        from colorflow.colorizer import Colorizer
        from colorflow.enlarge.enlarger import Enlarger
        from colorflow.quiz.game import open_quiz
        from colorflow.repair.repairer import Repairer
        from colorflow.ui.api import ENDPOINTS
        from colorflow.ui.guard import Guard
        from colorflow.ui.page import SCRIPT, STYLE, build_page, theme

        quota = DiskQuota(files, limits.stored_megabytes * 2**20)
        budget = MemoryBudget(limits.pixels, quota)
        colorizer = Colorizer.load(weights)
        quiz = open_quiz(colorizer, photos, quiz_db)
        enlarger = Enlarger.load() if default_weights(ENLARGE_WEIGHTS).exists() else None
        repairer = Repairer.load() if default_weights(REPAIR_WEIGHTS).exists() else None
        page = build_page(
            colorizer, files, limits, budget, quiz, enlarger, repairer, has_accounts=bool(accounts)
        )
        page.queue(max_size=limits.waiting, default_concurrency_limit=WORKED_ON)
        app = FastAPI(lifespan=_lifespan(files, budget))
        hosts = Hosts(allowed_hosts, host)
        app.add_middleware(Guard, hosts=hosts, calls=ENDPOINTS, quota=quota, files=files)
        gr.mount_gradio_app(
            app,
            page,
            path="/",
            auth=list(accounts.items()) if accounts else None,
            max_file_size=f"{limits.megabytes}mb",
            theme=theme(),
            css_paths=STYLE,
            js=SCRIPT.read_text(encoding="utf-8"),
            footer_links=["api"],
            run_history=False,
            # Otherwise Gradio takes these from the environment.
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
        )
        _warm_up(colorizer)
        config = uvicorn.Config(
            app,
            log_level="warning",
            limit_concurrency=MAX_OPEN,
            timeout_graceful_shutdown=1,  # an open page has a stream that does not end
        )
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        name = "localhost" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host
        print(f"colorflow is at http://{name}:{port}/ (Ctrl-C ends it)", flush=True)
        uvicorn.Server(config).run(sockets=[listening])


def _is_news(record: logging.LogRecord) -> bool:
    """Whether uvicorn logs more than that it ends the streams of open pages."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, asyncio.CancelledError) or "graceful" in record.getMessage())


def _lifespan(
    files: Path, budget: MemoryBudget
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Delete old files as long as the server runs; at its end, let nobody wait."""

    async def keep_clean() -> None:  # Gradio deletes idle sessions
        while True:
            await asyncio.sleep(KEEP_SECONDS / _SWEEPS_PER_KEEPING)
            await asyncio.to_thread(sweep, files, KEEP_SECONDS)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(keep_clean())
        yield
        task.cancel()
        budget.close()
        end_reader()

    return lifespan


def _prepare(files: Path) -> None:
    """Set what Gradio and torch read from the environment."""
    os.environ["GRADIO_TEMP_DIR"] = str(files)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Enlarging would take all cores for one visitor; coloring takes one thread anyway.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # FastAPI silences this one by means that fail while another thread reads a photo.
    warnings.filterwarnings("ignore", message="The 'alias' attribute with value")


def _warm_up(colorizer: Colorizer) -> None:
    """Color a tiny photo, so that no visitor waits for what is imported and tabulated first."""
    start_reader()
    photo = photo_from_image(np.arange(256, dtype=np.uint8).reshape(16, 16))
    (made,) = colorizer.colorize(photo, 1, force=True)
    render(LightnessRows(photo.pixels), made.ab)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens.

    Raises:
        ColorflowError: the address is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=MAX_OPEN)
    except OSError as error:
        raise ColorflowError(
            f"cannot listen on {host}, port {port}: it is in use or not permitted; "
            "choose another with --port or --host"
        ) from error
    with listening:
        yield listening


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM is like Ctrl-C, which a shell makes its background jobs ignore."""
    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
