"""One visitor requests as much as the page allows while another visitor wants to play (Linux).

    python -m benchmarks.page_abuse --rounds 200

Runs three campaigns against its own page and measures the server's memory and disk: rounds of the
quiz that nobody plays, all requested at once; uploads until the page refuses them; uploads that
break off in the middle.
"""

from __future__ import annotations

import argparse
import os
import socket
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.measuring import print_machine, print_table
from benchmarks.page_load import _memory
from benchmarks.page_server import page_server
from colorflow.ui.limits import MAX_PLAYERS_PER_VISITOR
from colorflow.ui.storage import size_of

_GREEDY, _OTHER = "10.0.0.1", "10.0.0.2"
_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AbuseOutcome:
    """Results of the campaigns."""

    rounds: Counter[int]
    """Requested rounds by HTTP status: 200 accepted, 503 busy."""
    wait: float
    """Seconds that the other player waited for a first round."""
    before: int
    """Rounds of the first player that were finished before that."""
    megabytes: float
    """Growth of the server's memory."""
    uploads: Counter[int]
    """Uploads by HTTP status: 200 accepted, 507 storage full."""
    left: int
    """Bytes that remain of uploads that broke off."""


def abuse(
    folder: Path, *, rounds: int, uploads: int, megabytes: int = 100, weights: Path | None = None
) -> AbuseOutcome:
    """Starts a server and sends it more requests than it accepts.

    Args:
        folder: an empty folder.
        rounds: rounds of the quiz that are requested at once.
        uploads: number of uploads, and of uploads that break off.
        megabytes: size of each upload.
        weights: weights file; None for the shipped one.

    Raises:
        AssertionError: if the server does not start.
    """
    with page_server(folder, weights) as (address, process):
        memory = _memory(process, "VmRSS")
        with ThreadPoolExecutor(16) as threads:
            asked = [threads.submit(_round, address, _GREEDY) for _ in range(rounds)]
            started = time.perf_counter()
            event = _round(address, _OTHER).json()["event_id"]
            _send(address, _OTHER, "GET", f"gradio_api/call/quiz_round/{event}")
            wait = time.perf_counter() - started
            before = _sampled(folder) - 1
            taken = Counter(one.result().status_code for one in asked)
        kept = min(taken[200], MAX_PLAYERS_PER_VISITOR)
        while _sampled(folder) <= kept:  # those to come would count as left of uploads
            time.sleep(0.1)
        grown = _memory(process, "VmHWM") - memory
        content = os.urandom(2**20) * megabytes
        sent = Counter(
            _send(
                address, _GREEDY, "POST", "gradio_api/upload",
                files={"files": (f"{number}.bin", number.to_bytes(2) + content)},
            ).status_code
            for number in range(uploads)
        )  # fmt: skip
        stored = size_of(folder)
        for _ in range(uploads):
            _break_off(address)
        while _is_open(process.pid):
            time.sleep(0.1)
        left = size_of(folder) - stored
    return AbuseOutcome(
        rounds=taken, wait=wait, before=before, megabytes=grown, uploads=sent, left=left
    )


def _sampled(folder: Path) -> int:
    """Rounds of all players that there are."""
    return len(list(folder.rglob("quiz-*/*.png")))


def _round(address: str, visitor: str) -> httpx.Response:
    body = {"data": [5, ""]}
    return _send(address, visitor, "POST", "gradio_api/call/quiz_round", json=body)


def _send(address: str, visitor: str, method: str, path: str, **options: object) -> httpx.Response:
    headers = {"X-Forwarded-For": visitor}
    return httpx.request(  # type: ignore[arg-type]
        method, address + path, headers=headers, trust_env=False, timeout=_TIMEOUT, **options
    )


def _break_off(address: str) -> None:
    """Send half of an upload and close the connection."""
    head = (
        "POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2000000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        'Content-Disposition: form-data; name="files"; filename="half.bin"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", urlsplit(address).port or 0)) as client:
        client.sendall(head.encode() + bytes(1_000_000))


def _is_open(process: int) -> bool:
    """Whether the server still holds a file of an upload."""
    for one in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            if "/files/tmp" in os.readlink(one):
                return True
    return False


def main() -> None:
    """Runs once and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--uploads", type=int, default=15)
    parser.add_argument("--megabytes", type=int, default=100, help="size of each upload")
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        outcome = abuse(Path(folder), **vars(options))
    rows = [
        ["rounds taken", f"{outcome.rounds[200]}"],
        ["rounds refused, since the page is busy", f"{outcome.rounds[503]}"],
        ["another player waited", f"{outcome.wait:.1f} s"],
        ["rounds sampled before the other player's", f"{outcome.before}"],
        ["memory", f"{outcome.megabytes:+.0f} MB"],
        [f"uploads of {options.megabytes} MB taken", f"{outcome.uploads[200]}"],
        ["uploads refused", f"{outcome.uploads[507]}"],
        ["left of uploads that broke off", f"{outcome.left} bytes"],
    ]
    print_table(["what", "came to"], rows)


if __name__ == "__main__":
    main()
