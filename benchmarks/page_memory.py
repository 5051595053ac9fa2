"""What the page's server keeps in memory when its visitors have gone (Linux).

    python -m benchmarks.page_memory --visitors 8 --minutes 20 --idle 10

Each visitor comes, opens a photo, colors it, varies a coloring, gives a point its color, repairs
and colors again, looks at how it works, downloads a file and leaves; then another one comes. They
send what a browser sends. Memory is that of the server with its reader: proportional, PSS, and
resident, RSS, which counts what both share twice.
"""

from __future__ import annotations

import argparse
import json
import secrets
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.measuring import family_of, gray_photo, print_machine, print_table, save_gray
from benchmarks.page_server import page_server

_API = "/gradio_api"
_PATIENCE = 1200.0
"""Limit for each answer, in seconds."""
SIZES = ((1200, 900), (1600, 1200), (2400, 1800), (3000, 2250), (4000, 3000))
"""Width and height of photos, in pixels."""
_LOOK_SECONDS = 5.0
_RADIUS = 1 / 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Of the server's processes, in MB."""

    pss: float
    rss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Result of a run; each is the memory at that time.

    Attributes:
        visits: of visitors who came, had everything done, and left.
    """

    visits: int
    start: Memory
    most: Memory
    left: Memory
    idle: Memory


class Visitor:
    """A browser that shows the page.

    Args:
        address: of the page.
        number: of the visitor, who has a network address of its own.
    """

    def __init__(self, address: str, number: int) -> None:
        headers = {"X-Forwarded-For": f"10.0.0.{number}"}
        self._client = httpx.Client(base_url=address, headers=headers, timeout=_PATIENCE)
        self._session = secrets.token_hex(6)
        page = self._client.get("/config").json()
        self._events = page["dependencies"]
        self._properties = {one["id"]: one["props"] for one in page["components"]}
        self._ids = {props.get("elem_id"): one for one, props in self._properties.items()}

    def visit(self, photo: Path) -> None:
        """Do everything with a photo, and leave."""
        with closing(self._client), self._client.stream("GET", f"{_API}/heartbeat/{self._session}"):
            files = {"files": (photo.name, photo.read_bytes())}
            (path,) = self._client.post(f"{_API}/upload", files=files).raise_for_status().json()
            file = {"path": path, "orig_name": photo.name, "meta": {"_type": "gradio.FileData"}}
            self._do("upload", "upload", [[file]])
            self._do("go", "click")
            self._press("gallery", "choose", 1)
            self._do("more", "click")
            self._do("hints", "expand")
            self._press("stage", "point", 0, points=[[300, 300]])
            self._press("points", "pick", 1)
            self._do("repairs", "input", [True])
            self._do("go", "click")
            self._do("how-other", "click")
            self._do("download", "click")

    def _press(self, part: str, value: str, index: int, **said: Any) -> None:
        """Press a button in a part of the desk."""
        self._do(part, "select", [_RADIUS], {"value": value, "index": index, **said})

    def _do(
        self, name: str, event: str, values: list[Any] | None = None, said: object = None
    ) -> None:
        """Let an event of a component happen, and what follows it; by default with what is shown.

        Raises:
            AssertionError: it fails.
        """
        place = [self._ids[name], event]
        (one,) = (one for one in self._events if place in one["targets"])
        shown = [self._properties[component].get("value") for component in one["inputs"]]
        self._send(one["id"], shown if values is None else values, said)
        for after in self._events:
            if after["trigger_after"] == one["id"]:
                self._send(after["id"], [], None)

    def _send(self, event: int, values: list[Any], said: object) -> None:
        body = {"fn_index": event, "data": values, "event_data": said}
        body |= {"session_hash": self._session}
        self._client.post(f"{_API}/queue/join", json=body).raise_for_status()
        session = {"session_hash": self._session}
        with self._client.stream("GET", f"{_API}/queue/data", params=session) as answer:
            messages = [json.loads(line[5:]) for line in answer.iter_lines() if line]
        assert any(one.get("success") for one in messages), messages[-2:]


def kept(
    folder: Path, *, visitors: int, minutes: float, idle: float, weights: Path | None = None
) -> Kept:
    """Starts a server, and lets visitors come and leave.

    Args:
        folder: an empty folder.
        visitors: at the same time.
        minutes: in which they come.
        idle: minutes after the last one has left.
        weights: weights file; None for the shipped one.

    Raises:
        AssertionError: if the server does not start, or an event fails.
    """
    photos = [folder / f"photo-{number}.jpg" for number in range(2 * len(SIZES))]
    for number, photo in enumerate(photos):
        save_gray(photo, gray_photo(*SIZES[number % len(SIZES)], number))
    with (
        page_server(folder, weights) as (address, process),
        ThreadPoolExecutor(visitors) as threads,
    ):
        start = most = memory_of(process.pid)
        end = time.monotonic() + 60 * minutes

        def come_and_leave(number: int) -> int:
            visits = 0
            while not visits or time.monotonic() < end:
                Visitor(address, number).visit(photos[(number + visits) % len(photos)])
                visits += 1
            return visits

        coming = [threads.submit(come_and_leave, number) for number in range(visitors)]
        while not all(one.done() for one in coming):
            most = max(most, memory_of(process.pid), key=lambda one: one.pss)
            time.sleep(_LOOK_SECONDS)
        left, visits = memory_of(process.pid), sum(one.result() for one in coming)
        time.sleep(60 * idle)
        return Kept(
            visits=visits,
            start=start,
            most=most,
            left=left,
            idle=memory_of(process.pid),
        )


def memory_of(process: int) -> Memory:
    """Memory of a process and of all below it."""
    pss = rss = 0
    for one in family_of(process):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:  # it has ended
            continue
        sizes = {name: int(rest.split()[0]) for name, rest in (x.split(":") for x in lines)}
        pss, rss = pss + sizes["Pss"], rss + sizes["Rss"]
    return Memory(pss=pss / 1024, rss=rss / 1024)


def main() -> None:
    """Runs once and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--visitors", type=int, default=8, help="at the same time")
    parser.add_argument("--minutes", type=float, default=20.0, help="in which they come")
    parser.add_argument("--idle", type=float, default=10.0, help="minutes after the last one left")
    options = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        result = kept(Path(folder), **vars(options))
    memories = (result.start, result.most, result.left, result.idle)
    head = ("visits", "at start, PSS (RSS), MB", "most", "all have left", "at the end")
    print_table(head, [(str(result.visits), *(f"{x.pss:.0f} ({x.rss:.0f})" for x in memories))])


if __name__ == "__main__":
    main()
