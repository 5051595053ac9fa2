"""Start the page's server, and clean up after it.

A killed program leaves its folder behind; the next one to start deletes it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from starlette.exceptions import HTTPException

from colorflow.color.compiling import stay_in_numpy
from colorflow.color.full_resolution import LightnessRows, render
from colorflow.errors import ColorflowError
from colorflow.files import ENLARGE_WEIGHTS, REPAIR_WEIGHTS, default_weights
from colorflow.photo import end_reader, photo_from_image, start_reader
from colorflow.ui.limits import (
    API_PREFIX,
    DESK_PREFIX,
    KEEP_SECONDS,
    VISITORS,
    WORKED_ON,
    DiskQuota,
    Limits,
    MemoryBudget,
    UploadSpace,
)
from colorflow.ui.memory import forget_sessions, trim, use_one_arena

try:
    import fcntl
except ImportError:  # Windows, where the folder of a killed program stays
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from fastapi import FastAPI
    from gradio import Blocks

    from colorflow.colorizer import Colorizer
    from colorflow.ui.colorize import Desks

MAX_OPEN = 500
"""Connections at the same time; an open page has two or three."""
_SWEEPS_PER_KEEPING = 60
_LONGEST_WAIT = 6
"""Times `KEEP_SECONDS` for which work that waits keeps its desk; the visitor may have gone."""
PREFIX, FILES, LOCK = "colorflow-page-", "files", "lock"
"""Names of the page's folder, of Gradio's in it, and of its lock."""
_LOCK_TEXT = "colorflow removes the folder of this file when its page ends, or another begins.\n"
"""Content of the lock, without which a folder of such a name is a person's own."""


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
        from colorflow.ui.guard import Guard, Hosts
        from colorflow.ui.page import HEAD, SCRIPT, STYLE, build_page, theme
        from colorflow.ui.uploads import take_files_alone
        from colorflow.ui.work import DeskWorker

        use_one_arena()
        stay_in_numpy()
        take_files_alone()
        quota = DiskQuota(files, limits.stored_megabytes * 2**20)
        budget = MemoryBudget(limits.pixels, quota)
        colorizer = Colorizer.load(weights)
        quiz = open_quiz(colorizer, photos, quiz_db)
        enlarger = Enlarger.load() if default_weights(ENLARGE_WEIGHTS).exists() else None
        repairer = Repairer.load() if default_weights(REPAIR_WEIGHTS).exists() else None
        space = UploadSpace(files / VISITORS, limits.megabytes, budget)
        worker = DeskWorker(colorizer, enlarger, repairer, space)
        page, desks = build_page(worker, quiz, has_accounts=bool(accounts))
        page.queue(max_size=limits.waiting, default_concurrency_limit=WORKED_ON)
        app = FastAPI(lifespan=_lifespan(files, space, desks, page))
        hosts = Hosts(allowed_hosts, host)
        app.add_middleware(
            Guard, hosts=hosts, calls=ENDPOINTS, quota=quota, owners=space.owners, page=page
        )
        gr.mount_gradio_app(
            app,
            page,
            path="/",
            auth=list(accounts.items()) if accounts else None,
            max_file_size=f"{limits.megabytes}mb",
            theme=theme(),
            css_paths=STYLE,
            js=SCRIPT.read_text(encoding="utf-8"),
            head=f"<script>{HEAD.read_text(encoding='utf-8')}</script>",
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
    """Whether uvicorn logs more than that streams of open pages end, or were asked for in vain."""
    error = record.exc_info[1] if record.exc_info else None
    is_refusal = error is not None and isinstance(error.__cause__, HTTPException)
    is_end = isinstance(error, asyncio.CancelledError) or "graceful" in record.getMessage()
    return not (is_refusal or is_end)


def _lifespan(
    files: Path, space: UploadSpace, desks: Desks, page: Blocks
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Give back what is old as long as the server runs; at its end, let nobody wait."""

    async def keep_clean() -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS / _SWEEPS_PER_KEEPING)
            await asyncio.to_thread(desks.keep, _LONGEST_WAIT * KEEP_SECONDS)
            await asyncio.to_thread(sweep, files, KEEP_SECONDS)
            await asyncio.to_thread(space.owners.forget)
            forget_sessions(page.state_holder, KEEP_SECONDS)  # in the loop, as Gradio uses them
            await asyncio.to_thread(trim)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(keep_clean())
        yield
        task.cancel()
        space.budget.close()
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


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens; as a context, it is closed at the end.

    Its connections send the parts of an answer at once. asyncio sees to that only where a socket
    names its protocol, which this one does not: each answer but a connection's first ones would
    wait 40 ms for the visitor's computer to confirm its head.

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
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
    return listening


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


# the page's folder


@contextmanager
def page_folder() -> Iterator[Path]:
    """Make the folder, and delete it at the end; first delete those of killed programs.

    Yields:
        Gradio's folder inside it, which holds the folder for visitors.

    Raises:
        ColorflowError: the folder cannot be made.
    """
    _remove_stale(Path(tempfile.gettempdir()))
    try:
        # A handler may still be writing at the end; that is no error to report.
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise ColorflowError(
            f"{tempfile.gettempdir()}: no folder for uploads can be made ({error.strerror}); "
            "set TMPDIR to a folder with free space"
        ) from error
    with folder as name, _locked(Path(name)):
        files = Path(name).resolve() / FILES
        (files / VISITORS).mkdir(parents=True)
        yield files


def sweep(files: Path, seconds: float) -> None:
    """Delete uploads, results of the API, and desks that have not changed for some time.

    Folders of games stay.

    Args:
        files: Gradio's folder, as `page_folder` yields it.
        seconds: age from which files are deleted.
    """
    now = time.time()
    visitors = files / VISITORS
    ours = (path for prefix in (API_PREFIX, DESK_PREFIX) for path in visitors.glob(f"{prefix}*"))
    for path in (*files.iterdir(), *ours):
        if path != visitors and _last_change(path) < now - seconds:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _last_change(path: Path) -> float:
    """Time of the last change in a file or folder; now, if it has just been deleted."""
    try:
        return max(one.stat().st_mtime for one in (path, *path.rglob("*")))
    except OSError:
        return time.time()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system releases when a program is killed."""
    with open(folder / LOCK, "x", encoding="ascii") as file:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX)
        file.write(_LOCK_TEXT)  # until it has this text, no other program takes the folder away
        file.flush()
        yield


def _remove_stale(parent: Path) -> None:
    """Delete our folders whose lock nobody holds."""
    if not fcntl:
        return
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError, ValueError):  # locked, without a lock, or gone; no ASCII
            if folder.lstat().st_uid != os.getuid():
                continue
            with open(folder / LOCK, "r+", encoding="ascii") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                ours = {path.name for path in folder.iterdir()} <= {LOCK, FILES}
                if ours and file.read(len(_LOCK_TEXT)) == _LOCK_TEXT:
                    shutil.rmtree(folder, ignore_errors=True)  # does not follow links
