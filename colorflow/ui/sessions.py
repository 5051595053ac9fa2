"""How many sessions wait for answers, and how long answers wait for somebody to read them.

Gradio 6.31 keeps the messages of 2,000 sessions, whether somebody reads them or not. Where it
forgets a session that still waits, its queue stops for everybody.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from gradio import Blocks

STREAM = "/gradio_api/queue/data"
"""Where the messages of a session are read."""
MOST_SESSIONS = 1000
"""Of which Gradio keeps messages at the same time."""
MOST_UNREAD = 64
"""Events of a session whose answers nobody reads."""
READ_SECONDS = 60.0
"""For which answers wait for somebody to begin to read them, and then to take the next piece."""
_COMPLETED = b'"process_completed"'
"""Is in the last message of an event, and in no text of a message, where quotes are escaped."""
_CLOSE = 'data: {"msg":"close_stream","event_id":null}\n\n'
"""By which a stream ends, as Gradio says it."""
_MANY_SESSIONS = "Too many visitors wait at the moment; try again later."
_MANY_UNREAD = "Too many answers wait for you; read them, or reload the page."


class _Session:
    """A session that asked for something.

    Args:
        name: that it gave itself; that of its event if it gave none.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.events: set[str] = set()
        self.unread = 0  # events whose last message nobody has got
        self.streams: set[asyncio.Future[None]] = set()
        self.asked = time.monotonic()


class Sessions:
    """The sessions of which Gradio keeps messages. For one event loop.

    Args:
        app: Gradio's.
        page: whose queue keeps the messages.
    """

    def __init__(self, app: ASGIApp, page: Blocks) -> None:
        self._app, self._page = app, page
        self._sessions: dict[str, _Session] = {}
        self._names: dict[str, str] = {}  # of sessions, by their events that nobody has read
        self._leaving: dict[str, asyncio.Task[None]] = {}

    async def join(self, name: str | None) -> None:
        """Make room for a session before Gradio gets its event; for a new one if it has no name.

        Raises:
            HTTPException: too many sessions wait, or too many answers for this one.
        """
        if name in self._leaving:
            await self._leaving[name]
        if session := self._sessions.get(name or ""):
            session.asked = time.monotonic()
            if session.unread >= MOST_UNREAD:
                await self._forget(session.name)
                raise HTTPException(429, _MANY_UNREAD)
        elif len(self._sessions) >= MOST_SESSIONS:  # those beside this one are few: Gradio has room
            await self._forget(self._idle())

    def joined(self, name: str, event: str) -> None:
        """Remember an event that Gradio has taken; somebody must begin to read in time."""
        if name not in self._sessions:
            self._sessions[name] = _Session(name)
        session = self._sessions[name]
        session.unread += 1
        session.events.add(event)
        self._names[event] = name
        asyncio.get_running_loop().call_later(READ_SECONDS, self._look_after, name, event)

    def of(self, event: str) -> str:
        """The session of an event that nobody has read; an empty name if there is none."""
        return self._names.get(event, "")

    async def stream(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answers of a session: all of them, or Gradio itself forgets it."""
        session = self._sessions.get(name)
        if session is None:
            await self._app(scope, receive, send)
            return
        if (scope["method"], scope["path"]) == ("GET", STREAM) and self._has_nothing(name):
            await Response(_CLOSE, media_type="text/event-stream")(scope, receive, send)
            return

        is_read = False

        async def count(message: Message) -> None:
            nonlocal is_read
            is_read |= message.get("status") == 200  # Gradio may refuse, and keep the answers
            try:
                await asyncio.wait_for(send(message), READ_SECONDS)
            except TimeoutError:
                self._forget(name)
            completed = message.get("body", b"").count(_COMPLETED)
            session.unread = max(0, session.unread - completed)

        stream = asyncio.ensure_future(self._app(scope, receive, count))
        session.streams.add(stream)
        try:
            await stream
        finally:
            session.streams.remove(stream)
            if is_read:
                self._release(session)

    def _has_nothing(self, name: str) -> bool:
        """Whether a session waits for no event, as where all answers came by the stream before.

        Gradio would keep the stream open until the next event, and its script may ask for one: when
        an event was answered before the script was told that it has been taken.
        """
        return not self._page._queue.pending_event_ids_session.get(name)

    def _release(self, session: _Session) -> None:
        for event in session.events:
            self._names.pop(event, None)
        session.events.clear()
        session.unread = 0

    def _look_after(self, name: str, event: str) -> None:
        """Forget a session if nobody reads."""
        session = self._sessions.get(name)
        if session and event in session.events and not session.streams:
            self._forget(name)

    def _idle(self) -> str:
        """The session that asked longest ago, of those that wait for nothing.

        Raises:
            HTTPException: there is none.
        """
        idle = [
            (session.asked, name)
            for name, session in self._sessions.items()
            if not session.streams and not session.events
        ]
        if not idle:
            raise HTTPException(503, _MANY_SESSIONS)
        return min(idle)[1]

    def _forget(self, name: str) -> asyncio.Task[None]:
        """Drop a session's answers, its events, and the streams that read them."""
        session = self._sessions.pop(name)
        self._release(session)
        for stream in session.streams:
            stream.cancel()
        task = self._leaving[name] = asyncio.create_task(self._leave(name, session))
        task.add_done_callback(lambda _: self._leaving.pop(name))
        return task

    async def _leave(self, name: str, session: _Session) -> None:
        """Let Gradio forget a session and its events, as when a client goes that was reading.

        No request can do that for a visitor who has logged out.
        """
        await asyncio.gather(*session.streams, return_exceptions=True)
        queue = self._page._queue
        queue.pending_messages_per_session.pop(name, None)
        await queue.clean_events(session_hash=name)
        queue.pending_event_ids_session.pop(name, None)
