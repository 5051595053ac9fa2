"""Files that a request names: those of its visitor and no others, in whatever way it does so."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from colorflow.ui.owners import COOKIE, Owners
from tests.ui.page_process import PATIENCE, Page

API = "gradio_api/"


class Browser:
    """Somebody with a cookie, or without one, who asks the page."""

    def __init__(self, page: Page, *, has_cookie: bool = True) -> None:
        self.client = httpx.Client(base_url=page.address, timeout=PATIENCE)
        if has_cookie:
            self.client.get("/")
            assert self.client.cookies[COOKIE]

    def upload(self, path: Path) -> str:
        with path.open("rb") as file:
            answer = self.client.post(f"{API}upload", files={"files": (path.name, file)})
        (stored,) = answer.json()
        return stored

    def join(self, function: int, data: list[Any], session: str = "s") -> httpx.Response:
        body = {"data": data, "fn_index": function, "session_hash": session}
        return self.client.post(f"{API}queue/join", json=body)

    def read(self, path: str) -> httpx.Response:
        return self.client.get(f"/{API}file={quote(path)}")

    def read_as_written(self, encoded: str) -> tuple[int, bytes]:
        """The same for a path that no client has cleaned up."""
        address = self.client.base_url
        connection = HTTPConnection(address.host, address.port, timeout=PATIENCE)
        cookie = {"Cookie": f"{COOKIE}={self.client.cookies[COOKIE]}"}
        with closing(connection):
            connection.request("GET", f"/{API}file={encoded}", headers=cookie)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def finished(self, session: str = "s") -> str:
        """All that comes of what was joined."""
        return self.client.get(f"{API}queue/data", params={"session_hash": session}).text


@pytest.fixture(scope="module")
def functions(server: Page) -> list[dict[str, Any]]:
    """What the page can be asked for, as its script is told."""
    return httpx.get(f"{server.address}config", timeout=PATIENCE).json()["dependencies"]


@pytest.fixture
def ann(server: Page) -> Iterator[Browser]:
    browser = Browser(server)
    yield browser
    browser.client.close()


@pytest.fixture
def bob(server: Page) -> Iterator[Browser]:
    browser = Browser(server)
    yield browser
    browser.client.close()


@pytest.fixture
def program(server: Page) -> Iterator[Browser]:
    browser = Browser(server, has_cookie=False)
    yield browser
    browser.client.close()


def put(browser: Browser, functions: list[dict[str, Any]], stored: str, session: str) -> str:
    """Put an upload on the desk of a session, and color it; a picture of it in the page."""
    given = [{"path": stored, "meta": {"_type": "gradio.FileData"}}]
    (opens, *_) = [one for one in functions if one["targets"] and one["targets"][0][1] == "upload"]
    after = [one for one in functions if one["trigger_after"] == opens["id"]]
    assert browser.join(opens["id"], [given], session).status_code == 200
    shown = browser.finished(session)
    for one in after:
        assert browser.join(one["id"], [], session).status_code == 200
        shown += browser.finished(session)
    address = shown.split(f"{API}file=", 1)[1].split('"', 1)[0].rstrip("\\")
    return str(httpx.URL(f"http://a/{address}").path)[1:]


def places(server: Page, files: Path, own: str, others: list[str]) -> list[str]:
    """Names of files that nobody may name who has uploaded `own` alone."""
    home = files / "visitors"
    (files / "link.png").symlink_to(own)
    (files / "loop").symlink_to(files)
    os.mkfifo(files / "pipe")
    up = "../" * len(files.parts)
    return [
        "/etc/passwd",
        "/dev/zero",
        "/proc/self/environ",
        f"{files}/{up}etc/passwd",
        f"{own}/{up}../../etc/passwd",
        f"{Path(own).parent}/../{Path(own).parent.name}/{Path(own).name}",
        f"{files}/./{Path(own).parent.name}/{Path(own).name}",
        own.replace("/", "//", 3),
        own.replace("/", "/%2e/", 2),
        quote(own, safe=""),
        f"{own}/",
        f"{own}\0",
        f"{own}.png",
        own.upper(),
        own.removeprefix("/"),
        f"file://{own}",
        f"http://127.0.0.1:{server.port}/{API}file={own}",
        str(files / "link.png"),
        str(files / "loop" / Path(own).parent.name / Path(own).name),
        str(files / "pipe"),
        str(files),
        str(Path(own).parent),
        str(home),
        str(files.parent / "lock"),
        f"{home}/",
        f"{home}/desk-x/{up}etc/passwd",
        "",
        ".",
        "~",
        "\ud800",
        "/a" * 200_000,
        *others,
    ]


META = {"meta": {"_type": "gradio.FileData"}}


def shapes(path: str, own: str) -> list[Any]:
    """Ways to name a file in an event."""
    named = {"path": path, **META}
    return [
        {"path": path},
        named,
        {"path": path, "meta": None},
        {"path": path, "meta": "x", "url": own},
        {**named, "url": f"/{API}file={own}", "orig_name": Path(own).name},
        {**named, "is_stream": True},
        [named],
        [[{"a": [{"path": own, **META}, named]}]],
        {"files": [{"path": own}, {"path": path}]},
        {"path": {"path": path}},
    ]


def test_what_is_not_the_visitors_own_is_refused_alike(
    server: Page,
    functions: list[dict[str, Any]],
    ann: Browser,
    bob: Browser,
    program: Browser,
    small: Path,
    gray: Path,
) -> None:
    """Whether it exists or not, in all ways of asking."""
    own, theirs, free = bob.upload(small), ann.upload(gray), program.upload(gray)
    assert theirs == free, "the same file has one place"
    picture = put(ann, functions, theirs, "ann")
    assert ann.read(picture).status_code == ann.read(theirs).status_code == 200
    assert program.read(free).status_code == bob.read(own).status_code == 200
    files = Path(own).parent.parent
    others = [theirs, picture, str(Path(picture).parent / "none.png"), str(Path(picture).parent)]
    texts, reads = set(), set()
    try:
        for number, path in enumerate(places(server, files, own, others)):
            every = number == 3 or path == theirs  # ways to name a file do not depend on the file
            for shape in shapes(path, own) if every else [{"path": path, **META}]:
                for route, body in (
                    ("queue/join", {"fn_index": 0, "session_hash": "bob", "data": [shape]}),
                    ("queue/join", {"fn_index": 0, "session_hash": "b", "event_data": shape}),
                    ("call/enlarge", {"data": [shape, 2]}),
                    ("call/v2/enlarge", {"data": {"photo": shape}}),
                ):
                    content = json.dumps(body)
                    headers = {"Content-Type": "application/json"}
                    answer = bob.client.post(API + route, content=content, headers=headers)
                    assert answer.status_code == 422, (path, shape)
                    texts.add(answer.text)
            if path not in ("\ud800", "") and len(path) < 1000:
                for encoded in (quote(path), quote(path, safe="")):
                    status, text = bob.read_as_written(encoded)
                    assert status == 404, path
                    reads.add(text)
    finally:
        for name in ("link.png", "loop", "pipe"):
            (files / name).unlink()
    assert len(texts) == len(reads) == 1
    for other in (bob, program):
        assert other.read(picture).status_code == 404
    (kept,) = ann.client.cookies.jar
    assert kept.has_nonstandard_attr("HttpOnly")
    assert server.process.is_alive()


def test_no_function_of_the_page_takes_a_foreign_file(
    server: Page, functions: list[dict[str, Any]], bob: Browser
) -> None:
    """In none of its arguments, whatever the page's schema says that they are."""
    assert len(functions) > 50
    for function in functions:
        count = len(function["inputs"])
        for index in range(max(count, 1)):
            data: list[Any] = [None] * count
            data[index : index + 1] = [[{"path": "/etc/passwd", **META}]]
            answer = bob.join(function["id"], data)
            assert answer.status_code == 422, function
    for name, endpoint in bob.client.get(f"{API}info").json()["named_endpoints"].items():
        for index in range(len(endpoint["parameters"])):
            data = [None] * len(endpoint["parameters"])
            data[index] = {"path": "/etc/passwd"}
            assert bob.client.post(f"{API}call{name}", json={"data": data}).status_code == 422


def test_a_body_is_read_once(bob: Browser, small: Path) -> None:
    """What Gradio gets is what was checked, though JSON may be read in several ways."""
    own = bob.upload(small)
    twice = f'{{"fn_index": 0, "session_hash": "s", "data": [{{"path": "{own}", "path": "/x"}}]}}'
    for content, status in (
        (twice, 422),
        (twice.replace('"path": "/x"', '"path": "/x", "path": ' + json.dumps(own)), 200),
        (twice.encode("utf-16"), 422),
        ("[" * 100_000, 422),
        ("{", 422),
        ("", 422),
    ):
        headers = {"Content-Type": "application/json"}
        answer = bob.client.post(f"{API}queue/join", content=content, headers=headers)
        assert answer.status_code == status, content[:100]
    bob.finished()


def test_an_upload_has_files_alone(server: Page, bob: Browser) -> None:
    """What is no file would be kept in memory; what came before it is deleted."""
    before = len(list(server.temporary.glob("*/files/tmp*")))
    for upload in ("", "?upload_id=a"):
        form = {"files": ("a.bin", b"abc"), "field": (None, b"abc")}
        answer = bob.client.post(f"{API}upload{upload}", files=form)
        assert (answer.status_code, "files alone" in answer.text) == (400, True)
    assert len(list(server.temporary.glob("*/files/tmp*"))) == before


def test_answers_that_are_not_there_are_no_news(server: Page, bob: Browser) -> None:
    lines = len(server.printed)
    for path in (f"{API}call/colorize/none", f"{API}queue/data?session_hash=none"):
        with contextlib.suppress(httpx.RemoteProtocolError):
            bob.client.get(path)
    assert bob.client.get("config").status_code == 200
    assert not [one for one in server.printed[lines:] if "Traceback" in one]


def test_owners(tmp_path: Path) -> None:
    """Of files and folders; what has gone is forgotten."""
    tmp_path = tmp_path.resolve()
    owners = Owners(tmp_path / "visitors")
    upload, made = tmp_path / "a" / "b.png", tmp_path / "visitors" / "desk-1" / "c" / "d.png"
    for path in (upload, made):
        path.parent.mkdir(parents=True)
        path.touch()
    owners.give(upload, "ann")
    owners.give(upload, "bob")
    owners.give(made.parent.parent, "ann")
    assert owners.has("ann", str(upload))
    assert owners.has("bob", str(upload))
    assert not owners.has("", str(upload))
    assert owners.has("ann", str(made))
    assert not owners.has("bob", str(made))
    assert not owners.has("ann", str(made.parent))
    assert not owners.has("ann", str(made.parent / ".." / "c" / "d.png"))
    made.unlink()
    assert not owners.has("ann", str(made))
    os.mkfifo(made)
    assert not owners.has("ann", str(made))
    upload.unlink()
    owners.forget()
    upload.touch()
    assert not owners.has("ann", str(upload)), "another upload may have the name"
