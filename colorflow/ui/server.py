"""Start the page, and clear up behind it."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from colorflow.errors import ColorflowError

if TYPE_CHECKING:
    import gradio as gr

MAX_UPLOAD_MEGABYTES = 200
"""Of one file; a lossless 60-megapixel scan fits."""


def serve(
    *,
    host: str,
    port: int,
    weights: Path | None,
    photos: Path | None,
    quiz_db: Path | None,
) -> None:
    """Serve the page until Ctrl-C or SIGTERM; to be called in the main thread.

    Uploads and results live in a temporary folder that only this user may read, and that is gone
    when the function returns. Nothing is sent to other machines.

    Args:
        host: address to listen on; ``0.0.0.0`` for every network that this machine is in.
        port: 1 to 65535.
        weights: weights file; None for the shipped one.
        photos: folder of the quiz's photos; None for those that the installed packages bring.
        quiz_db: file of the quiz's answers; None for one in the user's data folder.

    Raises:
        ColorflowError: the weights or the quiz's files cannot be loaded, or nobody may listen on
            that address.
    """
    with (
        _stopped_by_signals() as stop,
        # A handler may still be writing at the end, which is no error to tell.
        tempfile.TemporaryDirectory(prefix="colorflow-", ignore_cleanup_errors=True) as folder,
    ):
        _settle_gradio(folder)
        from colorflow.colorize import Colorizer
        from colorflow.quiz.game import open_quiz
        from colorflow.ui.page import build_page

        colorizer = Colorizer.load(weights)
        quiz = open_quiz(colorizer, photos, quiz_db)
        page = build_page(colorizer, Path(folder), MAX_UPLOAD_MEGABYTES, quiz)
        try:
            address = _launch(page, host, port)
            print(f"colorflow is at {address} (Ctrl-C ends it)", flush=True)
            stop.wait()
        finally:
            page.close(verbose=False)
            quiz.maker.close()


def _settle_gradio(folder: str) -> None:
    """Say through the environment what Gradio asks there, when it is imported and later."""
    os.environ["GRADIO_TEMP_DIR"] = folder
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Gradio calls its own server once; a proxy of this machine must not be asked for that.
    for name in ("NO_PROXY", "no_proxy"):
        known = os.environ.get(name)
        os.environ[name] = ",".join([*([known] if known else []), "localhost", "127.0.0.1", "::1"])


def _launch(page: gr.Blocks, host: str, port: int) -> str:
    """Start the server in a thread; its address."""
    from colorflow.ui.page import ALTERNATIVE_TEXTS, STYLE, theme

    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            theme=theme(),
            css_paths=STYLE,
            js=ALTERNATIVE_TEXTS,
            max_file_size=f"{MAX_UPLOAD_MEGABYTES}mb",
            footer_links=[],
            run_history=False,
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

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, end)
    try:
        yield stop
    finally:
        restore()
