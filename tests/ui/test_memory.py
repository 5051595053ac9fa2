"""What the page's server gives back when its visitors have gone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import weakref
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from gradio.state_holder import StateHolder

from colorflow.ui import server
from colorflow.ui.limits import UploadSpace
from colorflow.ui.memory import forget_sessions

HOUR = 3600.0
_THREADS_THAT_FREE = """
import ctypes, threading
from pathlib import Path
from colorflow.ui.memory import trim, use_one_arena

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

def work():
    step.wait()
    blocks = [bytearray(b"x" * 100_000) for _ in range(200)]
    step.wait()
    step.wait()

use_one_arena()
bytearray(30 << 20)  # from now on malloc keeps up to 60 MB of free memory, in each arena
step = threading.Barrier(9)
before = resident()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
step.wait()
step.wait()
last = bytearray(1 << 20)  # lies behind what is freed
step.wait()
for thread in threads:
    thread.join()
trim()
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc, and malloc of glibc")
def test_what_threads_have_freed_goes_to_the_system() -> None:
    command = [sys.executable, "-c", _THREADS_THAT_FREE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 10, "megabytes, of 152 that were freed"


def _holder(closed: list[str]) -> StateHolder:
    """Gradio's sessions of a page with one state."""
    with gr.Blocks() as page:
        gr.State("", delete_callback=closed.append)
    holder = StateHolder()  # type: ignore[no-untyped-call]
    holder.set_blocks(page)
    return holder


def _begin(holder: StateHolder, session: str) -> None:
    (state,) = holder.blocks.blocks.values()
    holder[session][state._id] = session


def test_sessions_go_an_hour_after_their_last_use() -> None:
    closed: list[str] = []
    holder = _holder(closed)
    for session in ("gone", "here"):
        _begin(holder, session)
    gone = weakref.ref(holder["gone"])
    holder.time_last_used["gone"] -= timedelta(seconds=HOUR + 1)
    holder.time_last_used["here"] -= timedelta(seconds=HOUR - 60)
    forget_sessions(holder, HOUR)
    assert gone() is None
    assert "here" in holder
    assert set(holder.time_last_used) == {"here"}
    assert closed == ["gone"], "the game's folder is deleted"


def test_the_server_gives_back_as_long_as_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = _holder([])
    _begin(holder, "gone")
    monkeypatch.setattr(server, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(server, "end_reader", lambda: None)

    async def run() -> None:
        loop, trimmed = asyncio.get_running_loop(), asyncio.Event()
        monkeypatch.setattr(server, "trim", lambda: loop.call_soon_threadsafe(trimmed.set))
        desks: Any = SimpleNamespace(keep=lambda _: None)
        page: Any = SimpleNamespace(state_holder=holder)
        space = UploadSpace(tmp_path / "visitors")
        space.root.mkdir()
        async with server._lifespan(tmp_path, space, desks, page)(FastAPI()):
            await asyncio.wait_for(trimmed.wait(), 60)

    asyncio.run(run())
    assert "gone" not in holder
