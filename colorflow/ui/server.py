"""Start the page, and clear up behind it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import warnings
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from colorflow.errors import ColorflowError
from colorflow.ui.limits import AT_ONCE, Limits
from colorflow.ui.room import Room
from colorflow.ui.storage import forget_idle, page_folder, sweep

if TYPE_CHECKING:
    import gradio as gr
    from starlette.middleware import Middleware

    from colorflow.ui.api import Api

KEEP_SECONDS = 3600.0
"""What a visitor sent and got is kept after the visitor's last doing."""
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
    """Serve the page until Ctrl-C or SIGTERM; to be called in the main thread.

    Uploads and results live in a temporary folder that only this user may read. They go an hour
    after their visitor's last doing, and the folder when the function returns; should the program
    be killed, when it is started again. Nothing is sent to other machines.

    Args:
        host: address to listen on; ``0.0.0.0`` for every network that this machine is in.
        port: 1 to 65535.
        weights: weights file; None for the shipped one.
        photos: folder of the quiz's photos; None for those that the installed packages bring.
        quiz_db: file of the quiz's answers; None for one in the user's data folder.
        accounts: password by user, one of which a visitor has to give; None for everybody.
        allowed_hosts: names under which the page is served, beside this machine's own.
        limits: what is taken at most.

    Raises:
        ColorflowError: the weights or the quiz's files cannot be loaded, there is no room for
            uploads, or nobody may listen on that address.
    """
    with _stopped_by_signals() as stop, page_folder() as files:
        _settle(files)
        from colorflow.colorizer import Colorizer
        from colorflow.quiz.game import open_quiz
        from colorflow.ui.page import build_page

        colorizer = Colorizer.load(weights)
        quiz = open_quiz(colorizer, photos, quiz_db)
        room = Room(limits.pixels, files, limits.stored_megabytes * 2**20)
        page, api = build_page(colorizer, files, limits, room, quiz)
        page.queue(max_size=limits.waiting, default_concurrency_limit=AT_ONCE)
        guard = _guard(room, [host, *allowed_hosts], limits)
        try:
            address = _launch(page, api, files, host, port, accounts, limits, guard)
            print(f"colorflow is at {address} (Ctrl-C ends it)", flush=True)
            stop.wait()
        finally:
            page.close(verbose=False)
            quiz.maker.close()


def _guard(room: Room, names: Sequence[str], limits: Limits) -> Middleware:
    """What stands before the server."""
    from starlette.middleware import Middleware

    from colorflow.ui.guard import Guard
    from colorflow.ui.hosts import Hosts
    from colorflow.ui.logins import Logins
    from colorflow.ui.uploads import Uploads
    from colorflow.ui.visitors import SHARE

    share = max(limits.stored_megabytes // SHARE, limits.megabytes) * 2**20
    uploads = Uploads(room, share, KEEP_SECONDS)
    return Middleware(Guard, hosts=Hosts(names), uploads=uploads, logins=Logins())


def _settle(files: Path) -> None:
    """Say to Gradio and torch what they ask of the environment; keep Gradio from other machines."""
    os.environ["GRADIO_TEMP_DIR"] = str(files)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # The model makes many small calls, which one thread does faster than several.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Gradio calls its own server once; a proxy of this machine must not be asked for that.
    for name in ("NO_PROXY", "no_proxy"):
        known = os.environ.get(name)
        os.environ[name] = ",".join([*([known] if known else []), "localhost", "127.0.0.1", "::1"])
    # FastAPI keeps this one quiet by means that fail while another thread reads a photo.
    warnings.filterwarnings("ignore", message="The 'alias' attribute with value")
    from colorflow.ui.gradio_patches import patch_gradio

    patch_gradio()


def _launch(
    page: gr.Blocks,
    api: Api,
    files: Path,
    host: str,
    port: int,
    accounts: Mapping[str, str] | None,
    limits: Limits,
    guard: Middleware,
) -> str:
    """Start the server in a thread; its address."""
    from colorflow.ui.gradio_patches import CALL_ERRORS, told_to_programs
    from colorflow.ui.page import ALTERNATIVE_TEXTS, STYLE, theme

    @asynccontextmanager
    async def clearing_up(_: object) -> AsyncIterator[None]:
        task = asyncio.create_task(_clear_up(page, api, files))
        yield
        task.cancel()

    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            auth=list(accounts.items()) if accounts else None,
            theme=theme(),
            css_paths=STYLE,
            js=ALTERNATIVE_TEXTS,
            max_file_size=f"{limits.megabytes}mb",
            footer_links=["api"],
            run_history=False,
            app_kwargs={
                "lifespan": clearing_up,
                "middleware": [guard],
                "exception_handlers": dict.fromkeys(CALL_ERRORS, told_to_programs),
            },
            # Set here, because Gradio would otherwise take these from the environment.
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
    return address


async def _clear_up(page: gr.Blocks, api: Api, files: Path) -> None:
    """Again and again remove what was not used for too long."""
    while True:
        await asyncio.sleep(KEEP_SECONDS / _SWEEPS_PER_KEEPING)
        await forget_idle(page, KEEP_SECONDS)
        await asyncio.to_thread(api.forget_idle, KEEP_SECONDS)
        await asyncio.to_thread(sweep, files, KEEP_SECONDS)


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C interrupts as usual."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before: dict[int, Any] = {
        number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
    }
    for number in before:
        signal.signal(number, end)
    try:
        yield stop
    finally:
        restore()
