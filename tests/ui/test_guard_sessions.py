"""Names of sessions that stop Gradio's queue or belong to others: the guard in front of Gradio."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import gradio as gr
import httpx
import pytest
from fastapi import FastAPI

from colorflow.ui import limits
from colorflow.ui.access import LONGEST_ID, Hosts, OpenRoutes
from colorflow.ui.guard import Guard
from colorflow.ui.limits import SessionBounds
from colorflow.ui.storage import DiskQuota
from tests.ui.page_process import PATIENCE

pytestmark = pytest.mark.filterwarnings(  # of pandas, for what Gradio does
    "ignore:.*no_silent_downcasting", "ignore:The copy keyword is deprecated"
)

HELD, QUICK = 0, 1
"""Numbers of the handlers."""
JSON = {"Content-Type": "application/json"}
PASSWORDS = {"ada": "of ada", "bob": "of bob"}


class Served:
    """Gradio with a guard before it, and with handlers that do nothing: one waits, one does not."""

    def __init__(self, folder: Path, *, has_accounts: bool = False) -> None:
        self.goes_on = anyio.Event()

        async def held() -> None:
            await self.goes_on.wait()

        async def quick() -> None:
            pass

        with gr.Blocks(analytics_enabled=False) as self.page:
            gr.api(held, api_name="held", concurrency_limit=1)
            gr.api(quick, api_name="quick", concurrency_limit=None)
        self.page.queue()
        accounts = list(PASSWORDS.items()) if has_accounts else None
        self.app = gr.mount_gradio_app(FastAPI(), self.page, "", auth=accounts)
        self._guard = Guard(
            self.app,
            hosts=Hosts(),
            routes=OpenRoutes(folder, ["held", "quick"], [HELD, QUICK]),
            quota=DiskQuota(folder, 200_000),
            sessions=SessionBounds(),
            files=folder,
            has_accounts=has_accounts,
        )

    def visitor(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self._guard)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/gradio_api/")


@asynccontextmanager
async def serving(folder: Path, **options: Any) -> AsyncIterator[tuple[Served, httpx.AsyncClient]]:
    served = Served(folder, **options)
    async with served.app.router.lifespan_context(served.app), served.visitor() as visitor:
        with anyio.fail_after(PATIENCE):
            yield served, visitor


async def asked(visitor: httpx.AsyncClient, handler: str) -> str:
    """Where the results of a call are."""
    answer = await visitor.post(f"call/{handler}", json={"data": []})
    assert answer.status_code == 200, answer.text
    return f"call/{handler}/{answer.json()['event_id']}"


async def made(visitor: httpx.AsyncClient, results: str) -> bool:
    return "event: complete" in (await visitor.get(results)).text


async def logged_in(visitor: httpx.AsyncClient, name: str) -> None:
    form = {"username": name, "password": PASSWORDS[name]}
    assert (await visitor.post("http://127.0.0.1/login", data=form)).status_code == 200


MALFORMED = ["", " ", "a b", "a/b", "a\n", "å", "\ud800", (LONGEST_ID + 1) * "a", 5, [], {}]


@pytest.mark.anyio
@pytest.mark.parametrize("has_accounts", [False, True])
async def test_malformed_names_do_not_stop_the_queue(tmp_path: Path, *, has_accounts: bool) -> None:
    """Gradio sends messages for an empty name to a session that is not there."""
    async with serving(tmp_path, has_accounts=has_accounts) as (_, visitor):

        async def refused(name: Any, path: str, status: int) -> None:
            body = {"data": [], "fn_index": HELD, "session_hash": name, "event_id": "a"}
            answer = await visitor.post(path, content=json.dumps(body), headers=JSON)
            assert answer.status_code == status
            if status == 400:
                assert f"have 1 to {LONGEST_ID} characters" in answer.json()["detail"]

        if has_accounts:
            await refused("", "queue/join", 401)
            await logged_in(visitor, "ada")
        for name in MALFORMED:
            for path in ("queue/join", "call/held", "cancel"):
                await refused(name, path, 400)
        for name in ("", "a b", "%2F", "%00", "å"):
            for path in (f"queue/data?session_hash={name}", f"upload_progress?upload_id={name}"):
                assert (await visitor.get(path)).status_code == 400
            assert (await visitor.get(f"heartbeat/{name}")).status_code == 404
        assert await made(visitor, await asked(visitor, "quick"))


@pytest.mark.anyio
async def test_names_that_browsers_and_programs_give(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, visitor):
        for name in ("kn2v0x8z1q", str(uuid.uuid4()), "a_b", LONGEST_ID * "a"):
            body = {"data": [], "fn_index": QUICK, "session_hash": name}
            assert (await visitor.post("queue/join", json=body)).status_code == 200
            told = (await visitor.get(f"queue/data?session_hash={name}")).text
            assert '"success":true' in told


@pytest.mark.anyio
@pytest.mark.parametrize("are_fetched", [True, False])
async def test_a_session_that_waits_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, are_fetched: bool
) -> None:
    """Gradio keeps messages of 2,000 sessions, here 6; one more stopped its queue for everybody."""
    monkeypatch.setattr(limits, "MAX_SESSIONS", 4)
    monkeypatch.setattr(limits, "UNFETCHED_SECONDS", PATIENCE if are_fetched else 0)
    told = []
    async with serving(tmp_path) as (served, visitor):
        served.page._queue.pending_messages_per_session.max_size = 6

        async def wait(results: str) -> None:
            told.append(await made(visitor, results))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):  # one is worked on, and two wait
                tasks.start_soon(wait, await asked(visitor, "held"))
            for _ in range(10):
                results = await asked(visitor, "quick")
                if are_fetched:
                    assert await made(visitor, results)
            served.goes_on.set()
    assert told == 3 * [True]


@pytest.mark.anyio
async def test_more_sessions_than_gradio_may_know_wait_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_SESSIONS", 2)
    async with serving(tmp_path) as (served, visitor):
        first, second = [await asked(visitor, "held") for _ in range(2)]
        answer = await visitor.post("call/quick", json={"data": []})
        assert answer.status_code == 503
        assert answer.json()["detail"].startswith("The page is busy: too many visitors wait")
        served.goes_on.set()
        assert await made(visitor, first)
        assert await made(visitor, await asked(visitor, "quick"))
        assert await made(visitor, second)


@pytest.mark.anyio
async def test_requests_of_other_accounts_are_neither_read_nor_canceled(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, has_accounts=True) as (served, ada),
        served.visitor() as bob,
        anyio.create_task_group() as tasks,
    ):
        await logged_in(ada, "ada")
        await logged_in(bob, "bob")
        body = {"data": [], "fn_index": HELD, "session_hash": "of-ada"}
        event = (await ada.post("queue/join", json=body)).json()["event_id"]
        told = []

        async def wait() -> None:
            told.append((await ada.get("queue/data?session_hash=of-ada")).text)

        tasks.start_soon(wait)
        for answer in (
            await bob.post("queue/join", json=body),
            await bob.post("cancel", json={**body, "event_id": event}),
            await bob.post("cancel", json={**body, "event_id": event, "session_hash": "of-bob"}),
            await bob.get("queue/data?session_hash=of-ada"),
            await bob.get(f"call/held/{event}"),
        ):
            assert answer.status_code == 404
            assert "You have no session and no request of this name" in answer.text
        assert await made(bob, await asked(bob, "quick"))
        served.goes_on.set()
    assert '"success":true' in told[0]
