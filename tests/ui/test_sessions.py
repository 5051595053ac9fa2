"""Sessions that wait for answers, and answers that wait for somebody to read them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import anyio
import gradio.queueing
import pytest
from starlette.types import Message

from colorflow.ui import sessions as sessions_module
from colorflow.ui.sessions import MOST_UNREAD, STREAM
from tests.ui.served import API, HELD, QUICK, Served, serving

pytestmark = pytest.mark.filterwarnings(  # of pandas, for what Gradio does
    "ignore:.*no_silent_downcasting", "ignore:The copy keyword is deprecated"
)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio remembers twenty sessions, and the page takes ten."""
    store = gradio.queueing.LRUCache
    monkeypatch.setattr(gradio.queueing, "LRUCache", lambda most: store(most // 100))
    monkeypatch.setattr(sessions_module, "MOST_SESSIONS", 10)


async def joined(served: Served, name: str, handler: int = QUICK) -> int:
    body = {"data": [], "fn_index": handler, "session_hash": name}
    return (await served.client.post(f"{API}queue/join", json=body)).status_code


async def read(served: Served, name: str) -> str:
    return (await served.client.get(f"{API}queue/data", params={"session_hash": name})).text


def known(served: Served) -> list[str]:
    """The sessions whose messages Gradio keeps."""
    return list(served.page._queue.pending_messages_per_session)


@pytest.mark.anyio
@pytest.mark.usefixtures("few")
async def test_many_sessions_do_not_stop_the_queue(files: Path) -> None:
    """An early one waits while more come and go than Gradio remembers."""
    async with serving(files) as served:
        for name in ("early", *(f"a{number}" for number in range(25))):
            assert await joined(served, name) == 200
            assert "process_completed" in await read(served, name)
        for _ in range(3):
            assert await joined(served, "early", HELD) == 200
        for name in (f"b{number}" for number in range(25)):
            assert await joined(served, name) == 200
            assert "process_completed" in await read(served, name)
        assert len(known(served)) <= 10
        served.goes_on.set()
        assert (await read(served, "early")).count("process_completed") == 3
        assert await served.made(await served.call("quick"))


@pytest.mark.anyio
@pytest.mark.usefixtures("few")
async def test_no_session_that_waits_is_forgotten_for_others(files: Path) -> None:
    async with serving(files) as served:
        calls = [await served.call("held") for _ in range(10)]
        assert await joined(served, "late") == 503
        served.goes_on.set()
        assert await served.made(calls[0])
        assert await joined(served, "late") == 200
        for call in calls[1:]:
            assert await served.made(call)


@pytest.mark.anyio
async def test_who_has_all_answers_and_asks_again_does_not_wait(files: Path) -> None:
    """Until the next event; what the stream says is what Gradio says at its end."""
    async with serving(files) as served:
        assert await joined(served, "a") == 200
        *_, end = (await read(served, "a")).strip().split("\n\n")
        with anyio.fail_after(5):
            again = (await read(served, "a")).strip()
        assert "close_stream" in end
        told, again_told = (json.loads(said.removeprefix("data: ")) for said in (end, again))
        assert told == again_told
        assert await joined(served, "a") == 200
        assert "process_completed" in await read(served, "a")


@pytest.mark.anyio
async def test_a_session_has_few_answers_that_nobody_reads(files: Path) -> None:
    async with serving(files) as served:
        for _ in range(MOST_UNREAD):
            assert await joined(served, "a") == 200
        assert await joined(served, "a") == 429
        assert known(served) == []
        assert await joined(served, "a") == 200
        for _ in range(MOST_UNREAD // 2):
            assert await joined(served, "b") == 200
            assert "process_completed" in await read(served, "b")


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path"), [("HEAD", "queue/data"), ("GET", "queue/data/")])
async def test_who_asks_for_answers_in_vain_has_not_read_them(
    files: Path, method: str, path: str
) -> None:
    async with serving(files) as served:
        for _ in range(MOST_UNREAD):
            assert await joined(served, "a") == 200
        answer = await served.client.request(method, API + path, params={"session_hash": "a"})
        assert answer.status_code in (307, 405)
        assert await joined(served, "a") == 429


@pytest.mark.anyio
async def test_who_cancels_what_has_begun_begins_no_more_beside_it(files: Path) -> None:
    """Its thread works on, so it keeps its place in the queue; the caller waits no longer."""
    async with serving(files) as served:
        for number in range(3):
            body = {"data": [], "fn_index": HELD, "session_hash": f"a{number}"}
            answer = await served.client.post(f"{API}queue/join", json=body)
            body["event_id"] = answer.json()["event_id"]
            await served.begins()
            assert (await served.client.post(f"{API}cancel", json=body)).status_code == 200
            assert "process_completed" in await read(served, f"a{number}")
        assert served.begun == 1
        served.goes_on.set()
        assert await served.made(await served.call("held"))


@pytest.mark.anyio
async def test_answers_of_who_has_logged_out_are_forgotten_too(files: Path) -> None:
    account = {"username": "ada", "password": "1843"}
    async with serving(files, auth=("ada", "1843")) as served:
        await served.client.post("login", data=account)
        for _ in range(MOST_UNREAD):
            assert await joined(served, "a") == 200
        await served.client.get("logout", headers={"Referer": "http://127.0.0.1/"})
        await served.client.post("login", data=account)
        assert await joined(served, "a") == 429
        assert known(served) == list(served.page._queue.pending_event_ids_session) == []


@pytest.mark.anyio
async def test_answers_wait_for_a_reader_for_some_time_alone(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions_module, "READ_SECONDS", 0.2)
    async with serving(files) as served:
        assert await joined(served, "a") == 200
        await served.call("held")
        while known(served):
            await anyio.sleep(0.01)
        served.goes_on.set()
        assert await served.made(await served.call("quick"))


@pytest.mark.anyio
async def test_a_stream_that_nobody_reads_ends(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client is there, but takes nothing."""
    monkeypatch.setattr(sessions_module, "READ_SECONDS", 0.2)

    async def receive() -> Message:
        return await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.get_running_loop().create_future()

    async with serving(files) as served:
        assert await joined(served, "a") == 200
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": STREAM,
            "raw_path": STREAM.encode(),
            "query_string": b"session_hash=a",
            "root_path": "",
            "headers": [(b"host", b"127.0.0.1")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        with pytest.raises(asyncio.CancelledError):
            await served.app(scope, receive, send)
        while known(served):
            await anyio.sleep(0.01)
        assert await served.made(await served.call("quick"))
