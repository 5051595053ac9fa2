"""Who asks, by which name, in which turn, and with how many wrong passwords."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio.data_classes import PredictBodyInternal

from colorflow.ui.gradio_patches import FairQueue
from colorflow.ui.hosts import Hosts
from colorflow.ui.logins import Logins
from colorflow.ui.visitors import visitor_of


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
        ("127.0.0.1:7860", "http://evil.example", False),
        ("127.0.0.1:7860", "http://127.0.0.1:3000", False),
        ("127.0.0.1:7860", "null", False),
        ("photos.example.org", "https://photos.example.org.evil.example", False),
        ("evil.example:7860", None, False),  # whose name points here
        ("evil.example:7860", "http://evil.example:7860", False),
        ("", None, False),
        ("[", None, False),
    ],
)
def test_names_and_pages_that_may_ask(host: str, origin: str | None, *, taken: bool) -> None:
    hosts = Hosts(["Photos.example.org"])
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    refusal = hosts.refusal(headers)
    assert (refusal is None) == taken
    if refusal and origin is None:
        assert "--allowed-host" in refusal


def visitor(account: str | None, address: str) -> str:
    return visitor_of(SimpleNamespace(client=SimpleNamespace(host=address)), account)


def test_a_visitor_is_an_account_or_a_household() -> None:
    assert visitor("ada", "10.0.0.1") == visitor("ada", "10.0.0.2")
    assert visitor(None, "10.0.0.1") != visitor(None, "10.0.0.2")
    assert visitor(None, "2001:db8::1") == visitor(None, "2001:db8::ffff:2")
    assert visitor(None, "2001:db8::1") != visitor(None, "2001:db8:0:1::1")
    assert visitor(None, "::ffff:10.0.0.1") == visitor(None, "10.0.0.1")
    assert visitor("10.0.0.1", "10.0.0.2") != visitor(None, "10.0.0.1")
    assert visitor_of(SimpleNamespace(client=None), None) == visitor_of(None, None)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def queue() -> FairQueue:
    with gr.Blocks() as page:
        gr.on(None, lambda: None, concurrency_id="work", concurrency_limit=2)
    return FairQueue(
        live_updates=False, concurrency_count=40, update_intervals=1, max_size=64, blocks=page
    )


async def push(queue: FairQueue, names: str) -> list[bool]:
    """Ask, each visitor once for each time that its letter is there."""
    answers = []
    for name in names:
        body = PredictBodyInternal(fn_index=0, data=[], session_hash=name)
        answers.append(await queue.push(body, SimpleNamespace(client=None), name))  # type: ignore[arg-type]
    return [taken for taken, _, _ in answers]


def served(queue: FairQueue, count: int) -> str:
    """Whose requests come next; they are worked on from then on."""
    names = ""
    for _ in range(count):
        found = queue.get_events()
        assert found is not None
        queue.active_jobs.append(found[0])
        names += str(found[0][0].username)
    return names


@pytest.mark.anyio
async def test_visitors_are_served_in_turn(queue: FairQueue) -> None:
    assert all(await push(queue, "aaaaaa"))
    assert served(queue, 2) == "aa"
    assert all(await push(queue, "bbc"))
    assert served(queue, 3) == "bcb", "two of the first visitor are being worked on"
    assert all(await push(queue, "ad"))
    assert served(queue, 6) == "daaaaa"
    assert queue.get_events() is None


@pytest.mark.anyio
async def test_a_visitor_has_a_quarter_of_the_queue(queue: FairQueue) -> None:
    taken = await push(queue, 20 * "a" + "b")
    assert taken == 16 * [True] + 4 * [False] + [True]
    assert served(queue, 3) == "aba"


def test_wrong_passwords_wait_longer_each_time_and_a_right_one_ends_that() -> None:
    now = 0.0
    logins = Logins(lambda: now)
    for _ in range(5):
        assert logins.wait("mallory") == 0
    waits = []
    for _ in range(12):
        waits.append(logins.wait("mallory"))
        assert logins.wait("ada") == 0, "who never guessed wrong"
        logins.right("ada")
        now += waits[-1]
        assert logins.wait("mallory") == 0
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == 300
    logins.right("mallory")
    assert logins.wait("mallory") == 0
