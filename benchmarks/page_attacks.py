"""Requests of attackers, one after the other, and what comes of each (Linux).

    python -m benchmarks.page_attacks --before ../an-earlier-checkout

Runs its own pages and sends them what no visitor needs: closed routes, bodies without end, names
without number, archives of folders, requests of foreign pages. The same is sent to the page of an
earlier checkout, if there is one.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import numpy as np
from PIL import Image

from benchmarks.measuring import print_machine, print_table
from benchmarks.page_load import _memory
from benchmarks.page_server import page_server
from colorflow.ui.storage import size_of

_STORED, _LARGEST = 120, 40
"""Limits of the attacked page, in MB."""
_TIMEOUT = 600.0
_MIB = 2**20
_CLOSED = (
    "POST run/quiz_round", "POST api/quiz_round", "POST process_recording", "POST component_server",
    "POST stream/0", "POST stream/0/close", "GET proxy=http://127.0.0.1:1/", "GET file/etc/passwd",
    "GET file=http://127.0.0.1:1/", "GET deep_link?session_hash=a", "GET queue/status", "GET token",
    "GET user", "GET login_check", "GET app_id", "GET openapi.json", "GET theme.css", "GET runs",
    "POST reset", "POST vibe-edit", "POST undo-vibe-edit", "GET vibe-code", "POST vibe-code",
    "POST vibe-starter-queries", "GET custom_component/0/client/component/index.js",
    "GET dev/reload",
)  # fmt: skip
"""Routes that Gradio registers and the page does not need, below `/gradio_api/`."""


@dataclass(frozen=True, slots=True)
class _Target:
    """An attacked page."""

    address: str
    process: Popen[str]
    folder: Path

    def send(self, method: str, path: str, visitor: str, **options: Any) -> httpx.Response:
        headers = {"X-Forwarded-For": visitor, **options.pop("headers", {})}
        return httpx.request(
            method,
            self.address + path,
            headers=headers,
            trust_env=False,
            timeout=_TIMEOUT,
            **options,
        )

    def memory(self, name: str = "VmRSS") -> float:
        """Of the server, in MB."""
        return _memory(self.process, name)

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def upload(self, visitor: str, name: str, content: bytes) -> httpx.Response:
        return self.send("POST", "gradio_api/upload", visitor, files={"files": (name, content)})

    def result(self, endpoint: str, visitor: str, body: dict[str, Any]) -> str:
        """The events that a call of an endpoint brings, or why it was refused."""
        asked = self.send("POST", f"gradio_api/call/{endpoint}", visitor, json=body)
        if asked.status_code != 200:
            return asked.text
        event = asked.json()["event_id"]
        return self.send("GET", f"gradio_api/call/{endpoint}/{event}", visitor).text


def _closed_routes(page: _Target) -> str:
    answered = []
    for route in _CLOSED:
        method, path = route.split()
        url = f"{page.address}gradio_api/{path}"
        with httpx.stream(method, url, json={}, trust_env=False, timeout=_TIMEOUT) as answer:
            if answer.status_code not in (403, 404):
                answered.append(path)
    return f"{len(answered)} answer"


def _beside_the_queue(page: _Target) -> str:
    def run(_: int) -> int:
        body = {"data": [2, ""]}
        return page.send("POST", "gradio_api/run/quiz_round", "10.0.1.1", json=body).status_code

    with ThreadPoolExecutor(40) as threads:
        return f"{Counter(threads.map(run, range(40)))[200]} run"


def _recordings(page: _Target) -> str:
    before = size_of(page.folder)
    for number in range(8):
        files = {"video": (f"{number}.mp4", os.urandom(9 * _MIB))}
        page.send("POST", "gradio_api/process_recording", "10.0.2.1", files=files)
    return f"{(size_of(page.folder) - before) / _MIB:.0f} MB left on the disk"


def _large_json(path: str, count: int) -> Callable[[_Target], str]:
    def attack(page: _Target) -> str:
        body = b'{"component_id": 1, "fn_name": "x", "session_hash": "large", "fn_index": 0, '
        body += b'"data": [' + 7_000_000 * b"[]," + b"[]]}"

        def post(_: int) -> int:
            headers = {"Content-Type": "application/json"}
            url = f"gradio_api/{path}"
            return page.send("POST", url, "10.0.3.1", content=body, headers=headers).status_code

        page.forget_peak()
        before = page.memory()
        with ThreadPoolExecutor(count) as threads:
            statuses = _told(threads.map(post, range(count)))
        return f"{statuses}; {page.memory('VmHWM') - before:+.0f} MB of memory"

    return attack


def _chunked_upload(page: _Target) -> str:
    def pieces() -> Iterator[bytes]:
        for number in range(9):
            name = f'name="files"; filename="{number}"'
            yield f"--x\r\nContent-Disposition: form-data; {name}\r\n\r\n".encode()
            for _ in range(38):
                yield os.urandom(_MIB)
            yield b"\r\n"
        yield b"--x--\r\n"

    before = size_of(page.folder)
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "10"}
    # Chunks, whatever the length says.
    headers["Transfer-Encoding"] = "chunked"
    answer = page.send("POST", "gradio_api/upload", "10.0.4.1", content=pieces(), headers=headers)
    stored = (size_of(page.folder) - before) / _MIB
    return f"{answer.status_code}; {stored:.0f} MB stored"


def _tiny_uploads(page: _Target) -> str:
    before, statuses = size_of(page.folder), []
    for number in range(12):
        files = [("files", ("a", f"{number} {one}".encode())) for one in range(1000)]
        statuses.append(page.send("POST", "gradio_api/upload", "10.0.5.1", files=files).status_code)
    return f"{_told(statuses)}; {(size_of(page.folder) - before) / _MIB:.0f} MB stored"


def _unfinished_uploads(page: _Target) -> str:
    """They stop before their end, and break off; another visitor asks for the page meanwhile."""
    part = '--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n{}\r\n'
    slowest, descriptors, open_ = 0.0, 0, Path(f"/proc/{page.process.pid}/fd")
    with ExitStack() as stack:
        for number in range(18):
            body = "".join(part.format(f"{number} {one}") for one in range(1000))
            stack.enter_context(_begun_upload(page, "10.0.11.1", body.encode()))
        for moment in range(15):
            began = time.perf_counter()
            page.send("GET", "config", "10.0.11.2")
            slowest = max(slowest, time.perf_counter() - began)
            descriptors = max(descriptors, len(list(open_.iterdir())))
            if moment == 10:
                stack.close()
    return f"{descriptors} descriptors; `/config` takes up to {slowest:.1f} s"


def _fields(page: _Target) -> str:
    head = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    page.forget_peak()
    before = page.memory()
    with ExitStack() as stack:
        for number in range(6):
            body = head + bytes(40 * _MIB)
            stack.enter_context(_begun_upload(page, f"10.0.12.{number}", body))
        time.sleep(5)
        return f"{page.memory('VmHWM') - before:+.0f} MB of memory"


@contextmanager
def _begun_upload(page: _Target, visitor: str, body: bytes) -> Iterator[None]:
    """An upload that says nothing more after the beginning of its body."""
    url = httpx.URL(page.address)
    head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: {visitor}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\n"
    head += f"Content-Length: {len(body) + 1000}\r\n\r\n"
    with socket.create_connection((url.host, url.port or 80)) as connection:
        with suppress(OSError):  # refused meanwhile
            connection.sendall(head.encode() + body)
        yield


def _many_sessions(page: _Target) -> str:
    before = page.memory()
    for number in range(600):
        body = {"data": ["none", 0], "session_hash": f"session-{number}"}
        page.result("quiz_answer", "10.0.6.1", body)
    return f"{page.memory() - before:+.0f} MB of memory"


def _long_session(page: _Target) -> str:
    body = {"data": ["none", 0], "session_hash": 900_000 * "a"}
    return f"{page.send('POST', 'gradio_api/call/quiz_answer', '10.0.7.1', json=body).status_code}"


def _nameless_sessions(page: _Target, cookies: str = "") -> str:
    body = {"data": [], "fn_index": _handler(page, "quiz_round", cookies), "session_hash": ""}

    def join(_: int) -> int:
        headers = {"Cookie": cookies}
        return _status(page, "queue/join", "10.0.13.1", json=body, headers=headers)

    with ThreadPoolExecutor(8) as threads:
        statuses = _told(threads.map(join, range(8)))
    return f"{statuses}; {_next_call(page, cookies)}"


def _sessions_beside_a_waiting_one(page: _Target) -> str:
    """The queue is full of work meanwhile, which their handler does not wait for."""
    photo, waiting = _noise(page, "10.0.14.1", 1500), []
    call = {"data": [photo, 8, 1, 0, "same", True, True]}
    for number in range(4 * 14):
        asked = page.send("POST", "gradio_api/call/colorize", f"10.0.14.{number % 4}", json=call)
        waiting.append(asked.json()["event_id"])
    handler = _handler(page, "_said_nothing")

    def join(number: int) -> int:
        visitor, name = f"10.0.15.{number % 40}", f"session-{number}"
        body = {"data": [], "fn_index": handler, "session_hash": name}
        status = _status(page, "queue/join", visitor, json=body)
        with suppress(httpx.TransportError):
            page.send("GET", f"gradio_api/queue/data?session_hash={name}", visitor)
        return status

    with ThreadPoolExecutor(8) as threads:
        statuses = _told(threads.map(join, range(2010)))
    url = f"{page.address}gradio_api/call/colorize/{waiting[-1]}"
    with httpx.stream("GET", url, trust_env=False, timeout=_TIMEOUT) as results:
        lost = "event: error" in next(results.iter_text())  # of one that waits: a heartbeat
    return f"{statuses}; a waiting one is {'lost' if lost else 'kept'}; {_next_call(page)}"


def _handler(page: _Target, name: str, cookies: str = "") -> int:
    config = page.send("GET", "config", "10.0.13.2", headers={"Cookie": cookies}).json()
    return next(one["id"] for one in config["dependencies"] if one["api_name"] == name)


def _status(page: _Target, path: str, visitor: str, **options: Any) -> int:
    try:
        return page.send("POST", f"gradio_api/{path}", visitor, **options).status_code
    except httpx.TransportError:
        return 0


def _next_call(page: _Target, cookies: str = "") -> str:
    body, headers = {"data": ["none", 0]}, {"Cookie": cookies}
    status = _status(page, "call/quiz_answer", "10.0.13.3", json=body, headers=headers)
    return f"the next visitor's call: {status}"


def _noise(page: _Target, visitor: str, side: int) -> dict[str, Any]:
    """An uploaded picture."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "png")
    (path,) = page.upload(visitor, "noise.png", file.getvalue()).json()
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def _results(page: _Target) -> str:
    photo = _noise(page, "10.0.8.1", 1500)
    made, before = 0, size_of(page.folder)
    for seed in range(12):
        said = page.result(
            "colorize", "10.0.8.1", {"data": [photo, 2, 1, seed, "png", True, False]}
        )
        made += "event: complete" in said
    stored = (size_of(page.folder) - before) / _MIB
    other = page.upload("10.0.8.2", "other.bin", os.urandom(_MIB)).status_code
    return f"{made} of 12 made, {stored:.0f} MB; another visitor's upload: {other}"


def _folders(page: _Target) -> str:
    """An archive for the first tab, through the event that its upload field triggers."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(195):
            archive.writestr(f"{number:03}/{'a/' * 509}b", b"")
    (path,) = page.upload("10.0.9.1", "folders.zip", file.getvalue()).json()
    config = page.send("GET", "config", "10.0.9.1").json()
    (field,) = (
        one["id"]
        for one in config["components"]
        if one["props"].get("elem_id") == "upload" and one["type"] == "file"
    )
    event = next(
        one["id"]
        for one in config["dependencies"]
        if [field, "upload"] in map(list, one["targets"])
    )
    given = [{"path": path, "orig_name": "folders.zip", "meta": {"_type": "gradio.FileData"}}]
    body = {"data": [given, None], "fn_index": event, "session_hash": "folders"}
    started = time.perf_counter()
    page.send("POST", "gradio_api/queue/join", "10.0.9.1", json=body)
    said = page.send("GET", "gradio_api/queue/data?session_hash=folders", "10.0.9.1").text
    seconds = time.perf_counter() - started
    made = sum(len(inner) for _, inner, _ in os.walk(page.folder))
    refused = "refused" if "too many files and folders" in said else "taken"
    return f"{refused} after {seconds:.1f} s; {made} folders on the disk"


def _foreign_page(page: _Target) -> str:
    headers = {"Origin": "http://127.0.0.1:3000", "Access-Control-Request-Method": "POST"}
    asked = page.send("GET", "config", "10.0.10.1", headers=headers)
    may = page.send("OPTIONS", "gradio_api/upload", "10.0.10.1", headers=headers)
    names = [one for one in (*asked.headers, *may.headers) if "allow-credentials" in one]
    return f"{asked.status_code}; {len(names)} answers allow credentials"


ATTACKS: dict[str, Callable[[_Target], str]] = {
    f"{len(_CLOSED)} routes that the page does not need": _closed_routes,
    "40 handlers at once by `/run`": _beside_the_queue,
    "8 recordings of 9 MB to `/process_recording`": _recordings,
    "21 MB of JSON to `/component_server`": _large_json("component_server", 1),
    "4 times 21 MB of JSON to `/queue/join`": _large_json("queue/join", 4),
    "600 calls under names of their own": _many_sessions,
    "a session with a name of 900,000 letters": _long_session,
    "8 requests of a session with an empty name": _nameless_sessions,
    "2,010 new sessions while requests wait": _sessions_beside_a_waiting_one,
    f"9 files of 38 MB in one chunked upload ({_STORED} MB for all)": _chunked_upload,
    "12 uploads of 1,000 files of a few bytes": _tiny_uploads,
    "18 uploads of 1,000 files that stop before their end": _unfinished_uploads,
    "6 form fields of 40 MB": _fields,
    "12 calls for 2 results of 7 MB": _results,
    "a zip of 195 files in 99,450 folders": _folders,
    "a page of another port of this machine": _foreign_page,
}


def attack(checkout: Path | None) -> Iterator[str]:
    """Yields what came of each attack, each on a page of its own, then of the last three kinds."""
    for one in ATTACKS.values():
        with tempfile.TemporaryDirectory() as name:
            options = ["--max-stored", str(_STORED), "--max-file-size", str(_LARGEST)]
            folder = Path(name)
            with page_server(folder, options=options, checkout=checkout) as (address, process):
                try:
                    yield one(_Target(address, process, folder))
                except httpx.TransportError as error:
                    yield f"no answer ({type(error).__name__})"
    with _logged_in(checkout) as (page, cookies):
        yield _nameless_sessions(page, cookies)
    with _logged_in(checkout) as (page, cookies):
        yield _logged_out(page, cookies)
    yield _endless_hints(checkout)


@contextmanager
def _logged_in(checkout: Path | None) -> Iterator[tuple[_Target, str]]:
    """A page with an account, and the cookies of its owner."""
    with tempfile.TemporaryDirectory() as name:
        accounts = Path(name) / "accounts.txt"
        accounts.write_text("ada:word\n")
        accounts.chmod(0o600)
        options = ["--auth", str(accounts)]
        with page_server(Path(name), options=options, checkout=checkout) as (address, process):
            page = _Target(address, process, Path(name))
            login = page.send("POST", "login", "", data={"username": "ada", "password": "word"})
            cookies = "; ".join(f"{one}={value}" for one, value in login.cookies.items())
            yield page, cookies


def _logged_out(page: _Target, cookies: str) -> str:
    headers = {"Cookie": cookies}
    page.send("GET", "logout", "", headers=headers)
    still = page.send("GET", "gradio_api/info", "", headers=headers).status_code == 200
    return "still logged in" if still else "logged out"


def _endless_hints(checkout: Path | None) -> str:
    """With 4 GB of address space, which a command without limits would not have."""

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))

    with tempfile.TemporaryDirectory() as name:
        photo = Path(name) / "photo.png"
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(photo)
        command = [sys.executable, "-m", "colorflow.cli", "colorize", str(photo)]
        command += ["--hints", "/dev/zero", "-o", str(Path(name) / "out")]
        environment = os.environ | ({"PYTHONPATH": str(checkout)} if checkout else {})
        done = subprocess.run(
            command, cwd=checkout, env=environment, preexec_fn=bound, capture_output=True, text=True
        )
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return lines[-1].replace(name, "")


def _told(statuses: Any) -> str:
    counts = Counter(statuses)
    return ", ".join(f"{count} times {status}" for status, count in sorted(counts.items()))


def main() -> None:
    """Runs once and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--before", type=Path, help="a checkout of an earlier version")
    options = parser.parse_args()
    print_machine()
    names = [*ATTACKS, "8 requests of a session with an empty name, logged in"]
    names += ["a foreign page sends a visitor to `/logout`", "`--hints /dev/zero`"]
    before = list(attack(options.before.resolve())) if options.before else ["" for _ in names]
    rows = [list(row) for row in zip(names, before, attack(None), strict=True)]
    print_table(["request", "before", "now"], rows)


if __name__ == "__main__":
    main()
