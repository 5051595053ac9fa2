"""A page behind the guard in the test's own process, with handlers that do nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import gradio as gr
import httpx
from fastapi import FastAPI

from colorflow.ui.guard import Guard, Hosts
from colorflow.ui.limits import VISITORS, DiskQuota
from colorflow.ui.owners import Owners
from tests.ui.page_process import PATIENCE

HELD, QUICK = 0, 1
"""Numbers of the handlers: one waits, one does not."""
API = "gradio_api/"


class Served:
    """A page behind the guard, and somebody who asks it."""

    def __init__(self, folder: Path, quota: DiskQuota, **options: Any) -> None:
        self.goes_on = anyio.Event()
        self.begun = 0
        """Calls of the handler that waits."""

        async def held() -> None:
            self.begun += 1
            await self.goes_on.wait()

        async def quick() -> None:
            pass

        with gr.Blocks(analytics_enabled=False) as page:
            gr.api(held, api_name="held", concurrency_limit=1)
            gr.api(quick, api_name="quick", concurrency_limit=None)
        page.queue()
        self.page = page
        self.app = FastAPI()
        hosts = Hosts(["photos.example.org"])
        calls = ("held", "quick")
        owners = Owners(folder / VISITORS)
        self.app.add_middleware(
            Guard, hosts=hosts, calls=calls, quota=quota, owners=owners, page=page
        )
        gr.mount_gradio_app(self.app, page, path="/", max_file_size="1mb", **options)
        transport = httpx.ASGITransport(self.app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/")

    async def call(self, handler: str) -> str:
        """Where the results of a call are."""
        answer = await self.client.post(f"{API}call/{handler}", json={"data": []})
        assert answer.status_code == 200, answer.text
        return f"{API}call/{handler}/{answer.json()['event_id']}"

    async def begins(self) -> None:
        """Wait until the handler that waits has begun once."""
        while not self.begun:
            await anyio.sleep(0.01)

    async def made(self, results: str) -> bool:
        return "event: complete" in (await self.client.get(results)).text


@asynccontextmanager
async def serving(
    folder: Path, quota: DiskQuota | None = None, **options: Any
) -> AsyncIterator[Served]:
    served = Served(folder, quota or DiskQuota(folder), **options)
    async with served.app.router.lifespan_context(served.app), served.client:
        with anyio.fail_after(PATIENCE):
            yield served
