"""What the running server takes, and what it refuses with a sentence."""

from __future__ import annotations

import errno
import functools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import gradio as gr
import gradio.context
import gradio.utils
import httpx
import pytest
from anyio.abc import TaskStatus
from PIL import Image
from skimage import data
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from colorflow.ui import limits
from colorflow.ui.access import LONGEST_ID, Hosts, LoginDelays, OpenRoutes
from colorflow.ui.guard import Guard
from colorflow.ui.limits import MAX_BODY_BYTES, MAX_BODY_VALUES, MAX_FILES, SessionBounds
from colorflow.ui.page import (
    forget_session,
    look_for_work_rarely,
    send_whole_updates,
    visitor_at_work,
)
from colorflow.ui.storage import FILES, FULL, VISITORS, DiskQuota
from tests.ui.fake_colorizer import HELD_WIDTH, HOLD
from tests.ui.page_process import PATIENCE, Page, running_page, wait_until

HERE = "http://127.0.0.1"
_LIMIT_OF_ONE = 8
"""Requests of one visitor that may wait or be answered with the queue of these tests."""


# without a server


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
        ("127.0.0.1:7860", "http://127.0.0.1", False),
        ("192.168.1.5:7860", "http://192.168.1.5:3000", False),
        ("localhost:7860", "http://localhost:3000", False),
        ("127.0.0.1:7860", "null", False),
        ("photos.example.org", "https://photos.example.org.evil.example", False),
        ("evil.example:7860", None, False),  # whose name points here
        ("evil.example:7860", "http://evil.example:7860", False),
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


def test_wrong_passwords_wait_longer_each_time_and_a_right_one_ends_that() -> None:
    now = 0.0
    delays = LoginDelays(lambda: now)
    for _ in range(5):
        assert delays.begin_guess("mallory") == 0
    waits = []
    for _ in range(12):
        waits.append(delays.begin_guess("mallory"))
        assert delays.begin_guess("ada") == 0, "who never guessed wrong"
        delays.forget("ada")
        now += waits[-1]
        assert delays.begin_guess("mallory") == 0
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == 300
    delays.forget("mallory")
    assert delays.begin_guess("mallory") == 0


def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1000, before[1]), before[1]))
    most = limits.raise_descriptors()
    assert most == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert most == before[1] or before[1] == resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("HEAD", "/"),
        ("GET", "/config/"),
        ("GET", "/assets/index.js"),
        ("GET", "/gradio_api/info"),
        ("GET", "/gradio_api/file=/files/visitors/a.png"),
        ("GET", "/gradio_api/heartbeat/abc"),
        ("GET", "/gradio_api/call/v2/colorize/0a"),
        ("POST", "/gradio_api/call/colorize"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/upload"),
        ("POST", "/logout"),
    ],
)
def test_routes_that_are_open(method: str, path: str) -> None:
    assert OpenRoutes(Path("/files"), ["colorize"]).kind_of(method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("OPTIONS", "/config"),
        ("GET", "/logout"),
        ("POST", "/gradio_api/run/colorize"),
        ("POST", "/gradio_api/call/nothing"),
        ("POST", "/gradio_api/api/colorize/"),
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/vibe-edit"),
        ("GET", "/gradio_api/deep_link"),
        ("GET", "/gradio_api/proxy=http://127.0.0.1:1/"),
        ("GET", "/gradio_api/stream/a/b/1/playlist.m3u8"),
        ("GET", "/gradio_api/file/files/a.png"),
        ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", "/gradio_api/file=http://127.0.0.1:1/files/a.png"),
        ("GET", "/gradio_api/file=/filesystem"),
        ("GET", "/gradio_api/file=/files/a\0b"),
        ("GET", "//gradio_api/info"),
        ("GET", f"/gradio_api/heartbeat/{(LONGEST_ID + 1) * 'a'}"),
        ("GET", f"/assets/{300 * 'a'}"),  # no file system has such a name
        ("GET", f"/assets/{100 * 'あ'}"),
        ("GET", "/anything"),
    ],
)
def test_routes_that_are_closed(method: str, path: str) -> None:
    assert OpenRoutes(Path("/files"), ["colorize"]).kind_of(method, path) is None


FORM = {"Content-Type": "multipart/form-data; boundary=x"}


def form(*contents: bytes, what: str = 'name="files"; filename="a.png"') -> bytes:
    """The body of an upload."""
    head = f"--x\r\nContent-Disposition: form-data; {what}\r\n\r\n".encode()
    return b"".join(head + content + b"\r\n" for content in contents) + b"--x--\r\n"


class Server:
    """A small server behind the guard, with addresses for uploads, calls and passwords."""

    def __init__(self, folder: Path, endpoint: Callable[[Request], Any], **options: Any) -> None:
        app = Starlette(
            routes=[
                Route(path, endpoint, methods=["POST"])
                for path in ("/gradio_api/upload", "/gradio_api/queue/join", "/login")
            ]
            + [Route("/config", lambda one: PlainTextResponse(f"{sorted(one.headers)}"))],
            middleware=[
                Middleware(
                    Guard,
                    hosts=Hosts(),
                    routes=OpenRoutes(folder, handlers=[7]),
                    quota=DiskQuota(folder, 200_000),
                    sessions=SessionBounds(),
                    files=folder,
                    **options,
                )
            ],
        )
        self._app = app
        self.client = TestClient(app, base_url=HERE)

    def upload(self, content: Any = None, headers: dict[str, str] = FORM) -> Any:
        content = form(b"a photo") if content is None else content
        return self.client.post("/gradio_api/upload", content=content, headers=headers)

    def asynchronous(self, visitor: str = "10.0.0.1") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self._app, client=(visitor, 1))
        return httpx.AsyncClient(transport=transport, base_url=HERE, headers=FORM)


async def stored_all(request: Request) -> JSONResponse:
    await request.body()
    return JSONResponse(["one"])


@pytest.mark.anyio
async def test_others_are_answered_while_the_folder_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, answered = threading.Event(), threading.Event()

    def count(_: Path, *, apart: bool) -> int:
        counting.set()
        return 0 if answered.wait(PATIENCE) else 2**63

    monkeypatch.setattr("colorflow.ui.storage.size_of", count)
    stored = []
    async with Server(tmp_path, stored_all).asynchronous() as client:

        async def send() -> None:
            stored.append(await client.post("/gradio_api/upload", content=form(b"a photo")))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.to_thread.run_sync(counting.wait, PATIENCE)
            assert (await client.get("/config")).status_code == 200
            answered.set()
    assert stored[0].status_code == 200


@pytest.mark.anyio
async def test_slow_uploads_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may take a time at the beginning, a time for what has arrived, and a time in all."""
    whole = form(b"a photo")

    async def pieces() -> AsyncIterator[bytes]:
        yield whole[:50]
        await anyio.sleep(0.2)
        yield whole[50:]

    async with Server(tmp_path, stored_all).asynchronous() as client:
        for grace, speed, longest, status in (
            (60, 1e9, 60, 200),
            (0, 1, 60, 200),
            (0, 1e9, 60, 408),
            (60, 1, 0.01, 408),
        ):
            monkeypatch.setattr(limits, "UPLOAD_GRACE_SECONDS", grace)
            monkeypatch.setattr(limits, "UPLOAD_BYTES_PER_SECOND", speed)
            monkeypatch.setattr(limits, "UPLOAD_SECONDS", longest)
            answer = await client.post("/gradio_api/upload", content=pieces())
            assert answer.status_code == status
    assert answer.text == "The upload took too long to arrive; send smaller or fewer files."


@pytest.mark.anyio
async def test_files_that_are_being_uploaded_are_bounded(tmp_path: Path) -> None:
    """Those of one visitor, and those of all; with 16 descriptors 4 and 8."""
    server, ended = Server(tmp_path, stored_all, descriptors=16), anyio.Event()

    async def upload(
        visitor: str, n: int, status: int, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            whole = form(*n * [b"photo"])
            yield whole[:-3]
            task_status.started()  # more is asked for when what has come is counted or refused
            await ended.wait()
            yield whole[-3:]

        async with server.asynchronous(visitor) as client:
            answer = await client.post("/gradio_api/upload", content=pieces())
        assert answer.status_code == status
        if status == 429:
            assert answer.text.startswith("Too many files are being uploaded; send fewer")

    async with anyio.create_task_group() as tasks:
        for visitor, n, status in (
            ("10.0.0.1", 3, 200),
            ("10.0.0.1", 2, 429),
            ("10.0.0.2", 5, 429),
            ("10.0.0.2", 4, 200),
            ("10.0.0.3", 2, 429),
        ):
            await tasks.start(upload, visitor, n, status)
        ended.set()
    for _ in range(3):
        await upload("10.0.0.3", 4, 200)


def test_tiny_files_count_by_what_they_take_on_the_disk(tmp_path: Path) -> None:
    """Those of broken uploads, too."""

    async def failing(request: Request) -> None:
        await request.body()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    server = Server(tmp_path, failing)
    said = [server.upload(form(*5 * [b"1"])).text for _ in range(6)]
    assert (said[0], said[-1].startswith("You have stored as much")) == (FULL, True)


def test_others_are_served_while_files_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorflow.ui.uploads._FILE_SECONDS", 0.05)
    began = time.monotonic()
    assert Server(tmp_path, stored_all).upload(form(*3 * [b"1"])).status_code == 200
    assert time.monotonic() - began >= 6 * 0.05


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (form(b"a field", what='name="files"'), FORM),
        (form(b"a field", what='name="filename"; title="filename=1"'), FORM),
        (form(b"a field", what="name*=filename; filename*=a"), FORM),
        (form(b"a photo", what='name="files"; filename="a"\r\nContent-Disposition: x'), FORM),
        (b"--x\r\n\r\nno headers", FORM),
        (b"--y\r\n", FORM),
        (form(b"a photo"), {"Content-Type": f"multipart/form-data; boundary={300 * 'x'}"}),
        (form(b"a photo"), {"Content-Type": "multipart/form-data"}),
        (form(b"a photo"), {}),
    ],
)
def test_an_upload_is_a_form_of_files(
    content: bytes, headers: dict[str, str], tmp_path: Path
) -> None:
    """Other fields would stay in memory; odd forms leave no traceback."""
    answer = Server(tmp_path, stored_all).upload(content, headers)
    assert answer.status_code == 400
    assert answer.text.startswith("Expected files with their names")


def test_each_visitor_has_few_guesses_at_each_password(tmp_path: Path) -> None:
    """However often the visitor logs in under an own name."""

    async def login(request: Request) -> JSONResponse:
        given = await request.form()
        right = given["password"] == f"of {given['username']}"
        return JSONResponse(right, 200 if right else 400)

    client = Server(tmp_path, login, has_accounts=True).client

    def log_in(name: str, password: str, **also: Any) -> Any:
        return client.post("/login", data={"username": name, "password": password, **also})

    said = []
    for number in range(8):
        said.append(log_in(" ada" if number % 2 else "ada", f"guess {number}").text)
        assert log_in("bob", "of bob").status_code == 200
    assert said[:5] == 5 * ["false"]
    assert all(one.startswith("Too many wrong passwords; try again in") for one in said[5:])
    for number in range(5):
        assert log_in("eve", f"guess {number}").text == "false"
    assert "Too many" in log_in("eve", "of eve").text
    assert log_in("bob", "of bob", **{f"more {number}": "" for number in range(9)}).text == NO_LOGIN
    for body in (b"", b"username=ada&username=bob&password=x", b"password=x"):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert client.post("/login", content=body, headers=headers).text == NO_LOGIN


NO_LOGIN = "Expected a username and a password."


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"fn_index": 8}, 404, "There is no such endpoint"),  # a script of the page
        ({"fn_index": "7"}, 404, "There is no such endpoint"),
        ({"data": [{"path": "FOLDER/a\0b", "meta": {}}]}, 422, "Expected a file that was uploaded"),
        ({"data": [{"path": "FOLDER/\ud800", "meta": {}}]}, 200, ""),
        ({"fn_index": 7, "data": [{"path": "FOLDER/a", "meta": {}}]}, 200, ""),
    ],
)
def test_calls_that_gradio_would_log(
    body: dict[str, Any], status: int, said: str, tmp_path: Path
) -> None:
    content = json.dumps(body).replace("FOLDER", str(tmp_path))
    headers = {"Content-Type": "application/json"}
    client = Server(tmp_path, stored_all).client
    answer = client.post("/gradio_api/queue/join", content=content, headers=headers)
    assert (answer.status_code, said in answer.text) == (status, True)


@pytest.mark.parametrize("after_all", [False, True])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, *, after_all: bool) -> None:
    async def upload(request: Request) -> None:
        (tmp_path / "tmp123").write_bytes(b"half")
        if after_all:
            await request.body()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    answer = Server(tmp_path, upload).upload()
    assert (answer.status_code, answer.text) == (507, FULL)
    assert list(tmp_path.iterdir()) == []


def test_other_faults_are_not_called_a_full_disk(tmp_path: Path) -> None:
    async def upload(request: Request) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    with pytest.raises(PermissionError):
        Server(tmp_path, upload).upload()


@pytest.mark.parametrize("in_pieces", [False, True])
def test_too_much_is_refused_with_and_without_a_length(tmp_path: Path, *, in_pieces: bool) -> None:
    content = form(bytes(110_000))
    answer = Server(tmp_path, stored_all).upload(
        iter([content[:9], content[9:]]) if in_pieces else content
    )
    assert answer.status_code == 507
    assert answer.text.startswith("You have stored as much as one visitor may")


@pytest.mark.anyio
async def test_incomplete_uploads_are_deleted_when_none_is_under_way(tmp_path: Path) -> None:
    """That of a refused one before its rest comes: some never send it."""
    begun, complete = tmp_path / "tmp1", tmp_path / "abc"
    is_slow, goes_on = anyio.Event(), anyio.Event()
    complete.mkdir()
    stays = []

    async def upload(request: Request) -> JSONResponse:
        if request.headers.get("x-slow"):
            is_slow.set()
            await goes_on.wait()
        return await stored_all(request)

    async def pieces(seconds: float) -> AsyncIterator[bytes]:
        begun.write_bytes(b"a part")
        whole = form(bytes(150_000))
        yield whole[:-9]
        with anyio.move_on_after(seconds):
            while begun.exists():
                await anyio.sleep(0.01)
        stays.append(begun.exists())
        yield whole[-9:]

    async with Server(tmp_path, upload).asynchronous() as client:
        async with anyio.create_task_group() as tasks:
            post = functools.partial(client.post, "/gradio_api/upload")
            tasks.start_soon(functools.partial(post, content=form(b"a"), headers={"x-slow": "1"}))
            await is_slow.wait()
            assert (await post(content=pieces(0.1))).status_code == 507
            goes_on.set()
        assert (await post(content=pieces(PATIENCE))).status_code == 507
    assert stays == [True, False]
    assert list(tmp_path.iterdir()) == [complete]


def test_what_is_behind_the_guard_hears_of_no_other_page_and_no_range(tmp_path: Path) -> None:
    """Gradio repeats the request's headers in the answer to a range, and odd ones are faults."""
    headers = {"Origin": HERE, "X-Forwarded-Host": "evil", "X-Gradio-Server": "http://evil"}
    headers["Range"] = "bytes=0-5"
    told = Server(tmp_path, stored_all).client.get("/config", headers=headers).text
    assert "'user-agent'" in told
    assert not [one for one in headers if one.lower() in told]


@pytest.mark.anyio
async def test_requests_that_arrive_slowly_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(600)
        await anyio.sleep(0.01)
        yield bytes(600)

    async with Server(tmp_path, stored_all).asynchronous() as client:
        monkeypatch.setattr(limits, "MAX_BODIES_BYTES", 1000)
        assert (await client.post("/gradio_api/queue/join", content=pieces())).status_code == 503
        monkeypatch.setattr(limits, "BODY_SECONDS", 0)
        assert (await client.post("/gradio_api/queue/join", content=pieces())).status_code == 408


def test_sessions_of_a_visitor_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that have rested longest and have no request in flight."""
    monkeypatch.setattr("colorflow.ui.limits.MAX_SESSIONS_PER_VISITOR", 2)
    names, forgotten = iter("abcdef"), []

    async def join(request: Request) -> JSONResponse:
        return JSONResponse({"event_id": next(names)})

    server = Server(tmp_path, join, in_flight=4, forget=forgotten.append)
    for body in ({"session_hash": "first"}, {}, {}, {}):
        assert server.client.post("/gradio_api/queue/join", json=body).status_code == 200
    answer = server.client.post("/gradio_api/queue/join", json={})
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("Queue is full for you: 4 of your requests")
    for method, path in (  # none of them is a stream of results
        ("HEAD", "queue/data"),
        ("GET", "queue/data/"),
        ("GET", "call/colorize/nothing"),
    ):
        server.client.request(method, f"/gradio_api/{path}?session_hash=first")
        assert server.client.post("/gradio_api/queue/join", json={}).status_code == 503
    server.client.get("/gradio_api/queue/data?session_hash=first")
    assert forgotten == []
    assert server.client.post("/gradio_api/queue/join", json={}).status_code == 200
    assert forgotten == ["first"]


def test_without_gradio_s_own_parts_the_page_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that it does not document."""
    monkeypatch.delattr(gradio.context, "LocalContext")
    assert visitor_at_work() is None
    forget_session(SimpleNamespace(), "a")  # type: ignore[arg-type]
    monkeypatch.delattr(gradio.utils, "diff")
    send_whole_updates()
    assert not hasattr(gradio.utils, "diff")
    look_for_work_rarely(SimpleNamespace())  # type: ignore[arg-type]


def test_an_idle_page_looks_for_work_rarely() -> None:
    with gr.Blocks() as page:
        pass
    page.queue()
    look_for_work_rarely(page)
    assert page._queue.sleep_when_free >= 0.02


# against a server


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("guard")
    (folder / "temporary").mkdir()
    options = ("--max-file-size", "1", "--max-stored", "40", "--queue", "20")
    options += ("--allowed-host", "photos.example.org")
    with running_page(folder / "temporary", *options, "--quiz-db", folder / "q.sqlite") as page:
        yield page
        # Gradio prints one for the call without values.
        assert page.end(signal.SIGTERM).count("Traceback") <= 1


def ask(page: Page, method: str, path: str, visitor: str = "10.0.0.1", **options: Any) -> Any:
    """One request of a visitor, whose address a proxy on this machine tells."""
    headers = {"X-Forwarded-For": visitor, **options.pop("headers", {})}
    return httpx.request(
        method, page.address + path, headers=headers, trust_env=False, timeout=PATIENCE, **options
    )


def stored(page: Page) -> list[str]:
    """What lies beside the visitors' folders."""
    (folder,) = page.temporary.glob("colorflow-page-*")
    return sorted(one.name for one in (folder / FILES).iterdir() if one.name != VISITORS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example:7860"}]
)
def test_foreign_pages_and_names_are_refused(page: Page, headers: dict[str, str]) -> None:
    for method, path in (("POST", "gradio_api/upload"), ("GET", "config"), ("POST", "login")):
        answer = ask(page, method, path, headers=headers)
        assert answer.status_code == 403
        assert "evil.example" in answer.text


@pytest.mark.slow
def test_no_other_page_may_read_answers(page: Page) -> None:
    for origin in (page.address.rstrip("/"), "https://photos.example.org", "http://127.0.0.1:3000"):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for method in ("GET", "OPTIONS"):
            answer = ask(page, method, "config", headers=headers)
            assert not [one for one in answer.headers if one.startswith("access-control")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["gradio_api/run/quiz_round", "gradio_api/process_recording", "vibe-code", "nothing"]
)
def test_what_is_not_needed_is_not_there(page: Page, path: str) -> None:
    answer = ask(page, "POST", path, json={"data": [3, ""]})
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("There is nothing at this address")


@pytest.mark.slow
def test_the_names_of_the_deployment_are_taken(page: Page) -> None:
    headers = {"Host": "photos.example.org", "Origin": "https://photos.example.org"}
    assert ask(page, "GET", "config", headers=headers).status_code == 200


@pytest.mark.slow
def test_a_visitor_s_quota(page: Page) -> None:
    """Half of what is left of 40 MB, in files of less than 1 MB that say no length."""

    def send(visitor: str, size: int) -> Any:
        head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.bin"\r\n\r\n'
        pieces = iter([head, os.urandom(size), b"\r\n--x--\r\n"])
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        return ask(page, "POST", "gradio_api/upload", visitor, content=pieces, headers=headers)

    answers = [send("10.1.0.1", 1_000_000) for _ in range(24)]
    statuses = [one.status_code for one in answers]
    taken = statuses.count(200)
    assert 15 <= taken <= 20
    assert statuses == taken * [200] + (24 - taken) * [507]
    assert answers[-1].text.startswith("You have stored as much as one visitor may")
    assert send("10.1.0.2", 1_000_000).status_code == 200
    assert not [name for name in stored(page) if name.startswith("tmp")]


@pytest.mark.slow
def test_files_of_broken_uploads_are_gone_at_once(page: Page) -> None:
    files = {"photos": ("photo.png", b"under another name")}
    ask(page, "POST", "gradio_api/upload", files=files)
    files = {"files": ("large.png", bytes(2 * 2**20))}
    assert ask(page, "POST", "gradio_api/upload", files=files).status_code == 413
    assert not [name for name in stored(page) if name.startswith("tmp")]
    head = (
        "POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        'Content-Disposition: form-data; name="files"; filename="half.png"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", page.port)) as client:
        client.sendall(head.encode() + bytes(400_000))
        wait_until(lambda: any(name.startswith("tmp") for name in stored(page)))
    wait_until(lambda: not any(name.startswith("tmp") for name in stored(page)))


@pytest.mark.slow
def test_one_visitor_leaves_room_in_the_queue_for_others(page: Page, tmp_path: Path) -> None:
    held = tmp_path / "held.png"
    Image.fromarray(data.camera()[:HELD_WIDTH, :HELD_WIDTH]).save(held)
    (page.temporary / HOLD).touch()
    files = {"files": ("held.png", held.read_bytes())}
    (path,) = ask(page, "POST", "gradio_api/upload", "10.2.0.1", files=files).json()
    photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
    body = {"data": [photo, 1, 1, 0, "same", False, False]}
    try:
        answers = [
            ask(page, "POST", "gradio_api/call/colorize", "10.2.0.1", json=body)
            for _ in range(_LIMIT_OF_ONE + 2)
        ]
        other = ask(page, "POST", "gradio_api/call/colorize", "10.2.0.2", json=body)
    finally:
        (page.temporary / HOLD).unlink()
    statuses = [one.status_code for one in answers]
    assert statuses == _LIMIT_OF_ONE * [200] + 2 * [503]
    assert answers[-1].json()["detail"].startswith("Queue is full for you: 8 of your requests")
    assert other.status_code == 200
    event = other.json()["event_id"]
    told = ask(page, "GET", f"gradio_api/call/colorize/{event}", "10.2.0.2").text
    assert "event: complete" in told


@pytest.mark.slow
def test_large_requests_and_long_names_are_refused(page: Page) -> None:
    large = b'{"data": ["' + MAX_BODY_BYTES * b"a" + b'"]}'
    many = b'{"data": [' + MAX_BODY_VALUES * b"[]," + b"0]}"
    headers = {"Content-Type": "application/json"}
    for body in (large, many, iter([large[:10], large[10:]])):
        for path in ("queue/join", "call/colorize", "call/v2/colorize", "cancel"):
            answer = ask(page, "POST", f"gradio_api/{path}", content=body, headers=headers)
            assert answer.status_code == 413
            assert answer.json()["detail"].startswith("A request has at most 1 MB and 50,000")
            if not isinstance(body, bytes):
                break
    name = (LONGEST_ID + 1) * "a"
    body = {"data": [], "fn_index": 0, "session_hash": name}
    for path in ("queue/join", "call/colorize"):
        assert ask(page, "POST", f"gradio_api/{path}", json=body).status_code == 400
    for path in (f"queue/data?session_hash={name}", f"upload_progress?upload_id={name}"):
        answer = ask(page, "GET", f"gradio_api/{path}")
        assert answer.status_code == 400
        assert "1 to 64 characters" in answer.text


@pytest.mark.slow
def test_the_progress_of_an_upload_that_is_over_is_told(page: Page) -> None:
    """A slow browser asks for it then, and would call any other answer an error."""
    answer = ask(page, "GET", "gradio_api/upload_progress?upload_id=over")
    assert (answer.status_code, answer.text) == (200, 'data: {"msg": "done"}\n\n')


def named(path: str) -> dict[str, Any]:
    """A file in an event."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


@pytest.mark.slow
def test_files_of_one_event_are_bounded_and_counted(page: Page) -> None:
    files = {"files": ("a.txt", b"a")}
    (path,) = ask(page, "POST", "gradio_api/upload", "10.4.0.1", files=files).json()
    body = {"data": [["none", 0], (MAX_FILES + 1) * [named(path)]]}
    answer = ask(page, "POST", "gradio_api/call/quiz_answer", "10.4.0.1", json=body)
    assert answer.status_code == 413
    assert "at most 1,000 files" in answer.json()["detail"]
    body = {"data": [MAX_FILES * [named(path)], 0]}
    statuses = []
    while statuses[-1:] != [507]:  # 8 MB each, of less than 40
        answer = ask(page, "POST", "gradio_api/call/quiz_answer", "10.4.0.1", json=body)
        statuses.append(answer.status_code)
    assert 1 < len(statuses) < 8
    assert answer.json()["detail"].startswith("You have stored as much as one visitor may")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("cancel", b'{"data": [NaN]}'),
        ("call/colorize", b'{"data": 1e999}'),
        ("queue/join", b'{"data": "\\ud800"}'),
    ],
)
def test_values_that_no_answer_can_repeat(page: Page, path: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = ask(page, "POST", f"gradio_api/{path}", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("The request is not what is expected here")


@pytest.mark.slow
def test_an_unknown_session_is_told_and_not_a_traceback(page: Page) -> None:
    told = ask(page, "GET", "gradio_api/queue/data?session_hash=nobody").text
    assert "session_not_found" in told
    assert "event: error" in ask(page, "GET", "gradio_api/call/quiz_round/nobody").text
    assert "HTTPException" not in page.log


@pytest.mark.slow
def test_a_client_does_not_say_what_the_server_is_called(page: Page) -> None:
    for name, value in (("X-Forwarded-Host", "evil.example"), ("X-Gradio-Server", "http://evil")):
        assert "evil" not in ask(page, "GET", "config", headers={name: value}).text
    headers = {"X-Forwarded-Host": "photos.example.org"}
    assert "photos.example.org" in ask(page, "GET", "config", headers=headers).text


@pytest.mark.slow
def test_what_programs_ask_wrongly_is_told(page: Page) -> None:
    photo = named("/etc/passwd")
    event = ask(page, "POST", "gradio_api/call/colorize", json={"data": []}).json()["event_id"]
    told = ask(page, "GET", f"gradio_api/call/colorize/{event}").text
    assert "event: error" in told
    assert "These values do not fit" in told
    for endpoint, body, status, said in (
        ("call/colorize", {"data": [photo, 1]}, 422, "Expected a file that was uploaded"),
        ("call/colorize", {"data": [named("http://127.0.0.1/a.png")]}, 422, "fetches nothing"),
        ("call/v2/quiz_round", {"number": 3}, 422, "Parameter `number` is not a valid"),
        ("call/v2/colorize", {}, 422, "No value provided for required argument: photo"),
        ("call/v2/nothing", {}, 404, "nothing at this address"),
        ("queue/join", {"data": [], "fn_index": 9999, "session_hash": "x"}, 404, "no such"),
    ):
        answer = ask(page, "POST", f"gradio_api/{endpoint}", json=body)
        assert answer.status_code == status, endpoint
        assert said in str(answer.json()["detail"])
