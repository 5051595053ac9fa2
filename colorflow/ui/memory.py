"""Memory that the page's server gives back when its visitors have gone.

Malloc of glibc gives each thread an arena, up to eight for each core. Handlers run in many threads,
so each arena keeps the most that one of them ever needed, and `malloc_trim` leaves the free end of
all arenas but the first. With one arena for all threads it leaves nothing. Threads seldom wait for
it: few handlers compute at the same time, and small blocks come from caches of the threads.

Gradio keeps a copy of the page's components for each session, a quarter of a megabyte, also when it
has ended, until there are 10,000.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradio.state_holder import StateHolder

_M_ARENA_MAX = -8
"""Of mallopt(3)."""


def use_one_arena() -> None:
    """Let all threads that begin from now on share one arena; without glibc do nothing."""
    _of_libc("mallopt")(_M_ARENA_MAX, 1)


def trim() -> None:
    """Give all pages that are free to the system; without glibc do nothing."""
    _of_libc("malloc_trim")(0)


def forget_sessions(holder: StateHolder, seconds: float) -> None:
    """Let Gradio forget sessions; one that is used again begins anew.

    Args:
        holder: Gradio's sessions.
        seconds: since their last use.
    """
    before = datetime.now() - timedelta(seconds=seconds)
    for session, used in list(holder.time_last_used.items()):
        if used < before:
            holder.delete_state(session)  # calls what deletes a game's folder
            with holder.lock:
                holder.session_data.pop(session, None)
                holder.time_last_used.pop(session, None)


def _of_libc(name: str) -> Callable[..., object]:
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return lambda *_: None
