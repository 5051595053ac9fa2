"""What the guard lets through to Gradio, and what it refuses with a sentence."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from colorflow.ui import limits
from colorflow.ui.guard import LONGEST_ID, MAX_BODY_BYTES, Hosts, open_routes
from colorflow.ui.limits import FULL, DiskQuota
from tests.ui.served import API, HELD, QUICK, serving

pytestmark = pytest.mark.filterwarnings(  # of pandas, for what Gradio does
    "ignore:.*no_silent_downcasting", "ignore:The copy keyword is deprecated"
)

JSON = {"Content-Type": "application/json"}
CALLS = ("queue/join", "call/held", "call/v2/held", "cancel")


@pytest.mark.parametrize(
    ("host", "origin", "taken"),
    [
        ("127.0.0.1:7860", None, True),
        ("127.0.0.1:7860", "http://127.0.0.1:7860", True),
        ("localhost:7860", "http://localhost:7860", True),
        ("[::1]:7860", "http://[::1]:7860", True),
        ("192.168.1.5:7860", "http://192.168.1.5:7860", True),
        (f"{socket.gethostname()}:7860", None, True),
        ("photos.example.org", "https://photos.example.org", True),
        ("127.0.0.1:7860", "https://photos.example.org", True),  # a proxy says another host
        ("photos.example.org", "https://photos.example.org:3000", False),
        ("tea.example.org", "https://tea.example.org:8443", True),
        ("127.0.0.1:7860", "http://evil.example", False),
        ("127.0.0.1:7860", "http://127.0.0.1:3000", False),
        ("192.168.1.5:7860", "http://192.168.1.5:3000", False),
        ("127.0.0.1:7860", "null", False),
        ("127.0.0.1:7860", "file://127.0.0.1:7860", False),
        ("127.0.0.1:7860", "xhttp://127.0.0.1:7860", False),
        ("127.0.0.1:7860", "127.0.0.1:7860", False),
        ("127.0.0.1:7860", "", False),
        ("photos.example.org", "https://photos.example.org.evil.example", False),
        ("evil.example:7860", None, False),  # whose name points here
        ("", None, False),
        ("[", None, False),
    ],
)
def test_names_and_pages_that_may_ask(host: str, origin: str | None, *, taken: bool) -> None:
    hosts = Hosts(["Photos.example.org", "tea.example.org:8443"], "192.168.1.5")
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    refusal = hosts.refusal(headers)
    assert (refusal is None) == taken
    if refusal and origin is None:
        assert "--allowed-host" in refusal


OPEN = (
    "GET /",
    "HEAD /",
    "GET /config/",
    "GET /assets/index.js",
    "GET /gradio_api/info",
    "GET /gradio_api/file=/files/visitors/a.png",
    "GET /gradio_api/heartbeat/abc",
    "GET /gradio_api/call/v2/colorize/0a",
    "POST /gradio_api/call/colorize",
    "POST /gradio_api/queue/join",
    "POST /gradio_api/upload",
    "POST /login",
)
CLOSED = (
    "OPTIONS /config",
    "POST /gradio_api/run/colorize",
    "POST /gradio_api/call/nothing",
    "POST /gradio_api/api/colorize/",
    "POST /gradio_api/component_server",
    "GET /gradio_api/deep_link",
    "GET /gradio_api/proxy=http://127.0.0.1:1/",
    "GET /gradio_api/stream/a/b/1/playlist.m3u8",
    "GET //gradio_api/info",
    f"GET /gradio_api/heartbeat/{(LONGEST_ID + 1) * 'a'}",
    "GET /gradio_api/upload",
    "GET /anything",
)


@pytest.mark.parametrize("request_line", [*OPEN, *CLOSED])
def test_routes_that_are_open(request_line: str) -> None:
    found = open_routes(["colorize"]).fullmatch(request_line)
    assert (found is not None) == (request_line in OPEN)


@pytest.mark.anyio
async def test_foreign_pages_names_and_closed_routes_are_refused(files: Path) -> None:
    """And no page but this one may read answers."""
    async with serving(files) as served:
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example:7860"}):
            for method, path in (("POST", f"{API}upload"), ("GET", "config"), ("POST", "login")):
                answer = await served.client.request(method, path, headers=headers)
                assert answer.status_code == 403
                assert "evil.example" in answer.text
        headers = {"Host": "photos.example.org", "Origin": "https://photos.example.org"}
        assert (await served.client.get("config", headers=headers)).status_code == 200
        for path in (f"{API}run/quick", f"{API}process_recording", "vibe-code", "nothing"):
            answer = await served.client.post(path, json={"data": []})
            assert answer.status_code == 404
            assert answer.json()["detail"].startswith("There is nothing at this address")
        for origin in ("http://127.0.0.1", "https://photos.example.org", "http://127.0.0.1:3000"):
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            for method in ("GET", "OPTIONS"):
                answer = await served.client.request(method, "config", headers=headers)
                assert not [one for one in answer.headers if one.startswith("access-control")]


@pytest.mark.anyio
async def test_a_client_does_not_say_what_the_server_is_called(files: Path) -> None:
    """Nor does an answer to a range repeat the headers of the request, as Gradio's does."""
    async with serving(files) as served:
        for name, value in (
            ("X-Forwarded-Host", "evil.example"),
            ("X-Gradio-Server", "http://evil.example"),
        ):
            answer = await served.client.get("config", headers={name: value})
            assert "evil" not in answer.text
        headers = {"X-Forwarded-Host": "photos.example.org"}
        assert "photos.example.org" in (await served.client.get("config", headers=headers)).text
        answer = await served.client.post(f"{API}upload", files={"files": ("a.txt", b"abc")})
        headers = {"Range": "bytes=0-1", "X-Odd": "evil"}
        answer = await served.client.get(f"{API}file={answer.json()[0]}", headers=headers)
        assert (answer.status_code, answer.text) == (200, "abc")
        assert "x-odd" not in answer.headers


@pytest.mark.anyio
async def test_a_file_that_goes_while_it_is_asked_for_is_not_there(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As previews of an earlier state do; a server's error would be logged, and seen."""
    send = FileResponse.__call__

    async def go_and_send(self: FileResponse, scope: Scope, receive: Receive, do: Send) -> None:
        Path(self.path).unlink()
        await send(self, scope, receive, do)

    async with serving(files) as served:
        answer = await served.client.post(f"{API}upload", files={"files": ("a.txt", b"abc")})
        monkeypatch.setattr(FileResponse, "__call__", go_and_send)
        answer = await served.client.get(f"{API}file={answer.json()[0]}")
        assert (answer.status_code, "no such file here" in answer.text) == (404, True)


@pytest.mark.anyio
async def test_nobody_says_for_others_where_the_api_is(files: Path) -> None:
    """Gradio tells everybody what it told the first one who asked; nor is there another page."""
    async with serving(files) as served:
        for path in (f"{API}info", f"{API}info/", f"{API}info?serialize=False"):
            answer = await served.client.get(path, headers={"Host": "192.0.2.1"})
            assert (answer.status_code, "192.0.2.1" in answer.text) == (200, True)
            answer = await served.client.get(path)
            assert ("192.0.2.1" in answer.text, "127.0.0.1" in answer.text) == (False, True)
        assert set(answer.json()["named_endpoints"]) == {"/held", "/quick"}
        assert (await served.client.get("/", params={"page": "none"})).status_code == 200


@pytest.mark.anyio
async def test_a_link_on_another_page_brings_the_name_of_a_visitor_along(files: Path) -> None:
    """Otherwise the page would give them another one, and the files of the old one were lost."""
    async with serving(files) as served:
        assert "SameSite=Lax" in (await served.client.get("/")).headers["set-cookie"]
        assert "set-cookie" not in (await served.client.get("/")).headers


MALFORMED = ["", " ", "a b", "a/b", "a\n", "å", "\ud800", (LONGEST_ID + 1) * "a", 5, [], {}]


@pytest.mark.anyio
async def test_malformed_names_do_not_stop_the_queue(files: Path) -> None:
    """Gradio sends messages for an empty name to a session that is not there."""
    async with serving(files) as served:
        for name in MALFORMED:
            body = {"data": [], "fn_index": HELD, "session_hash": name, "event_id": "a"}
            for path in CALLS:
                content = json.dumps(body)
                answer = await served.client.post(API + path, content=content, headers=JSON)
                assert answer.status_code == 400
                assert f"have 1 to {LONGEST_ID} characters" in answer.json()["detail"]
        for name in ("", "a b", "%2F", "%00", "å"):
            for path in (f"queue/data?session_hash={name}", f"upload_progress?upload_id={name}"):
                assert (await served.client.get(API + path)).status_code == 400
            assert (await served.client.get(f"{API}heartbeat/{name}")).status_code == 404
        assert await served.made(await served.call("quick"))


@pytest.mark.anyio
async def test_a_request_has_one_origin(files: Path) -> None:
    async with serving(files) as served:
        own, foreign = ("Origin", "http://127.0.0.1"), ("Origin", "http://evil.example")
        for headers in ([own, foreign], [foreign, own], [own, own]):
            answer = await served.client.get("config", headers=headers)
            assert (answer.status_code, "one Origin" in answer.text) == (400, True)


@pytest.mark.anyio
async def test_who_has_not_logged_in_cancels_nothing_and_is_not_logged_out_by_others(
    files: Path,
) -> None:
    async with serving(files, auth=("ada", "1843")) as served:
        client = served.client
        assert (await client.get(f"{API}heartbeat/abc")).status_code == 401
        body = {"session_hash": "abc", "fn_index": QUICK, "event_id": "a"}
        assert (await client.post(f"{API}cancel", json=body)).status_code == 401
        answer = await client.post("login", data={"username": "ada", "password": "1843"})
        assert answer.status_code == 200
        assert (await client.post(f"{API}cancel", json=body)).status_code == 200
        for referer in (None, "http://evil.example/", "http://127.0.0.1.evil.example/", "http://"):
            headers = {"Referer": referer} if referer else {}
            answer = await client.get("logout", headers=headers)
            assert (answer.status_code, "own link" in answer.text) == (403, True)
        assert (await client.get("config")).status_code == 200
        await client.get("logout", headers={"Referer": "http://127.0.0.1/"})
        assert (await client.get("config")).status_code == 401


@pytest.mark.anyio
async def test_large_bodies_are_refused(files: Path) -> None:
    """Before more than that is read, and before anything asks for a password."""
    read = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal read
        read = 0
        while read < 10 * MAX_BODY_BYTES:
            read += 2**16
            yield 2**16 * b"a"

    async with serving(files) as served:
        for path in (*(API + call for call in CALLS), "login", "login/"):
            for content in (bytes(MAX_BODY_BYTES + 1), pieces()):
                answer = await served.client.post(f"/{path}", content=content, headers=JSON)
                assert answer.status_code == 413
                assert answer.json()["detail"].startswith("A request has at most 1 MB")
            assert read <= MAX_BODY_BYTES + 2**17


@pytest.mark.anyio
async def test_an_upload_says_its_size_and_has_room(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says takes no room from others; it is ended when it has none itself."""
    monkeypatch.setattr(limits, "_MAX_MEASURING", 1e9)
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    goes_on = anyio.Event()

    async def upload(size: int) -> httpx.Response:
        form = {"files": ("a.bin", os.urandom(size))}
        return await served.client.post(f"{API}upload", files=form)

    async def slow() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="b.bin"\r\n\r\n'
        await goes_on.wait()
        yield os.urandom(450_000)
        yield b"\r\n--x--\r\n"

    async def upload_slowly() -> None:
        headers = {**boundary, "Content-Length": "450000"}
        answers.append(await served.client.post(f"{API}upload", content=slow(), headers=headers))

    answers: list[httpx.Response] = []
    async with serving(files, DiskQuota(files, 700_000)) as served:
        answer = await served.client.post(f"{API}upload", content=slow(), headers=boundary)
        assert (answer.status_code, "Content-Length" in answer.text) == (411, True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(upload_slowly)
            await anyio.wait_all_tasks_blocked()
            assert (await upload(300_000)).status_code == 200
            goes_on.set()
        assert (answers[0].status_code, answers[0].text) == (400, FULL)
        for size, statuses in ((300_000, (200, 507)), (2**20 + 1, (507, 507))):
            given = [await upload(size) for _ in statuses]
            assert [one.status_code for one in given] == list(statuses)
            assert given[-1].text == FULL
    async with serving(files, DiskQuota(files, 10**9)) as served:
        assert (await upload(2**20 + 1)).status_code == 413
        assert not [one for one in files.iterdir() if one.is_file()]
