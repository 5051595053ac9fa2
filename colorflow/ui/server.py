"""Start the page's server, and clean up after it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.errors import ColorflowError
from colorflow.files import ENLARGE_WEIGHTS, REPAIR_WEIGHTS, default_weights
from colorflow.photo import end_reader, photo_from_image, start_reader
from colorflow.ui.access import Hosts, OpenRoutes
from colorflow.ui.limits import (
    MAX_SESSIONS,
    THREADS,
    WORKED_ON,
    Limits,
    MemoryBudget,
    SessionBounds,
    raise_descriptors,
)
from colorflow.ui.storage import KEEP_SECONDS, DiskQuota, page_folder, sweep

if TYPE_CHECKING:
    import gradio as gr
    from starlette.applications import Starlette
    from starlette.middleware import Middleware

    from colorflow.colorizer import Colorizer

_SWEEPS_PER_KEEPING = 60
_WORKER = "AnyIO worker thread"
"""Name of the threads in which Gradio runs handlers."""
_PATIENCE_SECONDS = 3.0
"""How long the end of the server waits for them; a step of most takes less."""


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
) -> bool:
    """Serve the page until Ctrl-C or SIGTERM. Call it in the main thread.

    Uploads and results are kept in a temporary folder that only this user may read: for an hour
    after their visitor's last action, and until the function returns. The folder of a killed
    program is deleted by the next start. Nothing is sent to other machines.

    Args:
        host: address to listen on; ``0.0.0.0`` for all networks of this machine.
        port: 1 to 65535.
        weights: weights file; None for the shipped one.
        photos: folder of the quiz's photos; None for those of the installed packages.
        quiz_db: file of the quiz's answers; None for one in the user's data folder.
        accounts: password by user; None to let everybody in.
        allowed_hosts: names under which the page is served, beside this machine's own.
        limits: bounds of uploads and requests.

    Returns:
        Whether a handler is still at work after some seconds, or somebody connected. If Python
        ended amid PyTorch's code, the process would abort: leave it by `os._exit`.

    Raises:
        ColorflowError: the weights or the quiz's files cannot be loaded, there is no space for
            uploads, or the address is not available.
    """
    if limits.stored_megabytes < 2 * limits.megabytes:
        raise ColorflowError(
            f"--max-stored is {limits.stored_megabytes} MB, and one visitor may take half of it: "
            f"less than one file of --max-file-size, {limits.megabytes} MB"
        )
    is_at_work = False
    with _ended_by_signals(), suppress(KeyboardInterrupt), page_folder() as files:
        _prepare(files)
        from starlette.middleware import Middleware

        from colorflow.colorizer import Colorizer
        from colorflow.enlarge.enlarger import Enlarger
        from colorflow.quiz.game import open_quiz
        from colorflow.repair.repairer import Repairer
        from colorflow.ui.api import ENDPOINTS
        from colorflow.ui.guard import WRONG_REQUESTS, Guard, wrong_request
        from colorflow.ui.page import (
            build_page,
            forget_session,
            look_for_work_rarely,
            send_whole_updates,
            visitor_at_work,
        )

        send_whole_updates()

        colorizer = Colorizer.load(weights)
        enlarger = Enlarger.load() if default_weights(ENLARGE_WEIGHTS).exists() else None
        repairer = Repairer.load() if default_weights(REPAIR_WEIGHTS).exists() else None
        quiz = open_quiz(colorizer, photos, quiz_db)
        stored = limits.stored_megabytes * 2**20
        quota = DiskQuota(files, stored, KEEP_SECONDS, visitor_at_work)
        budget = MemoryBudget(limits.pixels, quota)
        page, api = build_page(
            colorizer, files, limits, budget, quiz, enlarger, repairer, has_accounts=bool(accounts)
        )
        page.queue(max_size=limits.waiting - limits.aside, default_concurrency_limit=WORKED_ON)
        look_for_work_rarely(page)
        sessions, forget = SessionBounds(), partial(forget_session, page)
        guard = Middleware(
            Guard,
            hosts=Hosts(allowed_hosts, host),
            routes=OpenRoutes(files, ENDPOINTS, _handlers_of(page)),
            quota=quota,
            sessions=sessions,
            files=files,
            in_flight=limits.in_flight,
            descriptors=raise_descriptors(),
            has_accounts=bool(accounts),
            forget=forget,
        )

        def clean_up() -> None:
            for session in sessions.idle(KEEP_SECONDS):
                forget(session)
            api.forget_idle(KEEP_SECONDS)
            sweep(files, KEEP_SECONDS)

        app: dict[str, Any] = {
            "lifespan": _lifespan(guard, clean_up),
            "exception_handlers": dict.fromkeys(WRONG_REQUESTS, wrong_request),
        }
        _warm_up(colorizer)
        try:
            address = _launch(page, host, port, accounts, limits.megabytes, app)
            print(f"colorflow is at {address} (Ctrl-C ends it)", flush=True)
            threading.Event().wait()
        finally:
            is_at_work = _end(page, budget)
    return is_at_work


def _prepare(files: Path) -> None:
    """Set what Gradio and torch read from the environment."""
    os.environ["GRADIO_TEMP_DIR"] = str(files)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Enlarging would take all cores for one visitor; coloring takes one thread anyway.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Gradio requests its own server once, which must not go through a proxy.
    for name in ("NO_PROXY", "no_proxy"):
        known = os.environ.get(name)
        os.environ[name] = ",".join([*([known] if known else []), "localhost", "127.0.0.1", "::1"])
    # FastAPI silences this one by means that fail while another thread reads a photo.
    warnings.filterwarnings("ignore", message="The 'alias' attribute with value")


def _handlers_of(page: gr.Blocks) -> list[int]:
    """Numbers of the handlers that run in Python."""
    return [one["id"] for one in page.config["dependencies"] if one["backend_fn"]]


def _warm_up(colorizer: Colorizer) -> None:
    """Color a tiny photo, so that no visitor waits for what is imported and tabulated first."""
    start_reader()
    photo = photo_from_image(np.arange(256, dtype=np.uint8).reshape(16, 16))
    (made,) = colorizer.colorize(photo, 1, force=True)
    render(LightnessRows(photo.pixels), made.ab)


def _launch(
    page: gr.Blocks,
    host: str,
    port: int,
    accounts: Mapping[str, str] | None,
    megabytes: int,
    app: dict[str, Any],
) -> str:
    """Start the server in a thread and return its address; `app` holds options of Starlette's."""
    from colorflow.ui.page import SCRIPT, STYLE, theme

    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            auth=list(accounts.items()) if accounts else None,
            theme=theme(),
            css_paths=STYLE,
            js=SCRIPT.read_text(encoding="utf-8"),
            max_file_size=f"{megabytes}mb",
            footer_links=["api"],
            run_history=False,
            state_session_capacity=2 * MAX_SESSIONS,
            max_threads=THREADS,
            app_kwargs=app,
            # Otherwise Gradio takes these from the environment.
            share=False,
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
            prevent_thread_lock=True,
            quiet=True,
        )
    except OSError as error:
        raise ColorflowError(
            f"cannot listen on {host}, port {port}: it is in use or not permitted; "
            "choose another with --port or --host"
        ) from error
    except ValueError:
        # Gradio gives up where its own page takes more than 3 s to come, as on a busy machine. The
        # server runs by then, and has answered.
        if not page.is_running:
            raise
        address = str(page.local_url)
    return address


def _lifespan(
    guard: Middleware, clean_up: Callable[[], None]
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """The lifespan of the server's app: before the first request, the guard is put in front.

    Gradio puts middleware of its own in front of all that it is given. Meanwhile `clean_up` deletes
    idle sessions and old files.
    """

    async def keep_clean() -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS / _SWEEPS_PER_KEEPING)
            await asyncio.to_thread(clean_up)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.user_middleware.insert(0, guard)
        app.middleware_stack = app.build_middleware_stack()
        task = asyncio.create_task(keep_clean())
        yield
        task.cancel()

    return lifespan


def _end(page: gr.Blocks, budget: MemoryBudget) -> bool:
    """End the server and the children that read, and wait for handlers, but not for long.

    Returns:
        Whether a handler is still at work, or somebody still connected.
    """
    budget.close()
    end_reader()
    closing = threading.Thread(target=page.close, kwargs={"verbose": False}, daemon=True)
    closing.start()
    return _wait_for([closing, *(one for one in threading.enumerate() if one.name == _WORKER)])


def _wait_for(threads: Sequence[threading.Thread]) -> bool:
    """Wait for the end of threads, but not for long; whether one of them goes on."""
    until = time.monotonic() + _PATIENCE_SECONDS
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return any(thread.is_alive() for thread in threads)


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
