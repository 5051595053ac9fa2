"""Who asks, by which name, and with how many wrong passwords."""

from __future__ import annotations

import socket

import pytest

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


def test_a_visitor_is_an_account_or_a_household() -> None:
    assert visitor_of("ada", "10.0.0.1") == visitor_of("ada", "10.0.0.2")
    assert visitor_of(None, "10.0.0.1") != visitor_of(None, "10.0.0.2")
    assert visitor_of(None, "2001:db8::1") == visitor_of(None, "2001:db8::ffff:2")
    assert visitor_of(None, "2001:db8::1") != visitor_of(None, "2001:db8:1::1")
    assert visitor_of(None, "::ffff:10.0.0.1") == visitor_of(None, "10.0.0.1")
    assert visitor_of("10.0.0.1", None) != visitor_of(None, "10.0.0.1")
    assert visitor_of(None, None)


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
