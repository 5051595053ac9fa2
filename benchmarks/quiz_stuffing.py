"""Players who cheat in the quiz: they remember pictures, use many names, answer at once, and peek.

    python -m benchmarks.quiz_stuffing --rounds 60

Each attempt has its own server with the photos of the installed packages. The test needs more
photos and gets crops of scikit-image's. True pictures are remembered in two ways: by all
pixels of a picture, and by eight pixels in a row at any position.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import skimage.data
from gradio_client import Client
from gradio_client.exceptions import AppError
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from benchmarks.measuring import SEED, print_machine, print_table
from benchmarks.page_server import page_server
from colorflow.quiz.game import TRIALS

K = 3
"""Pictures in a round."""
_LOOK = 0.6
"""Seconds that a patient player waits before an answer."""
_PIECE = 8
"""Pixels in a row."""
_ONE_IN = 64
"""One piece in 64 is remembered, selected by its hash at any position."""
_MOST_SECONDS = 120

Pixels = NDArray[np.uint8]


class Memory:
    """Remembers what occurs in true pictures and not in others."""

    def __init__(self) -> None:
        self._true: set[str] = set()
        self._pieces: set[int] = set()
        self._others: set[int] = set()
        self._chance = np.random.default_rng(SEED)

    def learn(self, pictures: list[Pixels], truth: int) -> None:
        """Remembers a round whose truth is known."""
        for index, picture in enumerate(pictures):
            (self._pieces if index == truth else self._others).update(_pieces(picture))
        self._true.add(_digest(pictures[truth]))

    def by_pixels(self, pictures: list[Pixels]) -> int:
        """Index of the picture that was the truth before, or a guess."""
        return self._best([_digest(picture) in self._true for picture in pictures])

    def by_pieces(self, pictures: list[Pixels]) -> int:
        """Index of the picture with the most pieces that only true pictures had, or a guess."""
        known = self._pieces - self._others
        return self._best([len(_pieces(picture) & known) for picture in pictures])

    def _best(self, scores: list[Any]) -> int:
        best = [index for index, score in enumerate(scores) if score == max(scores)]
        return int(self._chance.choice(best))


class Program:
    """Plays through the HTTP interface.

    Args:
        address: of the server.
        folder: folder for the sheets.
    """

    def __init__(self, address: str, folder: Path) -> None:
        patience = {"timeout": _MOST_SECONDS}
        self._client = Client(address, verbose=False, download_files=folder, httpx_kwargs=patience)

    def ask(self, player: str) -> tuple[list[Pixels], dict[str, Any]]:
        """Pictures of the next round, and its description.

        A player who has seen all photos continues as a new player.
        """
        try:
            sheet, about = self._client.predict(K, player, api_name="/quiz_round")
        except AppError:
            sheet, about = self._client.predict(K, "", api_name="/quiz_round")
        with Image.open(sheet) as image:
            return [np.asarray(image.crop(box)) for box in about["boxes"]], about

    def answer(self, about: dict[str, Any], chosen: int) -> int:
        """Answers, and returns the index of the truth."""
        told = self._client.predict(about["round"], int(chosen), api_name="/quiz_answer")
        return int(told["truth"])


class Browser:
    """Plays and reads the results as the page's own script does.

    Args:
        address: of the server.
    """

    def __init__(self, address: str) -> None:
        self._web = httpx.Client(
            base_url=f"{address}gradio_api/", trust_env=False, timeout=_MOST_SECONDS
        )
        config = self._web.get(f"{address}config").json()
        names = {one["id"]: one["props"].get("elem_id") for one in config["components"]}
        self._events = {
            (names.get(component), event): dependency["id"]
            for dependency in config["dependencies"]
            for component, event in dependency["targets"]
        }

    def results(self) -> tuple[str, str]:
        """Text of the fooling rates of all players, and of the export button."""
        told = self._send(("quiz-results-page", "select"), [None])
        rates = re.findall(r"<td>(All .*?)</td><td>(.*?)</td>", told)
        words = "; ".join(map(": ".join, rates)) or "no vote"
        return words, " ".join(re.findall(r"Download \d+ answers?", told))

    def next_trial(self) -> str:
        """The token of a trial; waits until the server has enough photos for a test."""
        while True:
            shown = self._send(("quiz-stage", "next"), [None, "Test", K])
            if tokens := re.findall('data-token="([^"]*)"', shown):
                return str(tokens[0])
            assert "are found by now" in shown, shown
            time.sleep(_LOOK)

    def choose(self, token: str, chosen: int) -> None:
        """Answers."""
        event = {"token": token, "chosen": chosen}
        self._send(("quiz-stage", "choose"), [None], event)

    def _send(self, what: tuple[str, str], data: list[Any], event: Any = None) -> str:
        """Calls a handler in one session, and returns all of its output as text."""
        request = {
            "data": data,
            "event_data": event,
            "fn_index": self._events[what],
            "session_hash": "cheat",
        }
        self._web.post("queue/join", json=request).raise_for_status()
        shown = ""
        with self._web.stream("GET", "queue/data?session_hash=cheat") as lines:
            for line in lines.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line else {}
                kind = message.get("msg")
                if kind in ("process_generating", "process_completed"):
                    assert message["success"], message
                    # The first is whole; further ones say what changes.
                    shown = shown or " ".join(_texts(message["output"]["data"]))
                if kind == "process_completed":
                    return shown
        raise AssertionError("the server gives no answer")


def remembering(folder: Path, weights: Path | None, rounds: int, memory: Memory) -> list[str]:
    """One player who is told the truth after each round, and remembers it."""
    pixels = pieces = 0
    with _server(folder, weights) as (address, _):
        program, player = Program(address, folder), ""
        for _ in range(rounds):
            pictures, about = program.ask(player)
            guesses = memory.by_pixels(pictures), memory.by_pieces(pictures)
            truth = program.answer(about, guesses[0])
            pixels, pieces = pixels + (guesses[0] == truth), pieces + (guesses[1] == truth)
            memory.learn(pictures, truth)
            player = about["player"]
    return [
        f"{pixels} right by all pixels, {pieces} by eight in a row; guessing gives {rounds // K}"
    ]


def many_players(folder: Path, weights: Path | None, rounds: int, memory: Memory) -> list[str]:
    """Each round a new player, who takes time and is wrong on purpose where the truth is known."""
    wrong = 0
    with _server(folder, weights) as (address, browser):
        program = Program(address, folder)
        for _ in range(rounds):
            pictures, about = program.ask("")
            chosen = (memory.by_pixels(pictures) + 1) % K
            time.sleep(_LOOK)
            wrong += program.answer(about, chosen) != chosen
        return [f"{wrong} wrong of {rounds}", browser.results()[0]]


def at_once(folder: Path, weights: Path | None, rounds: int) -> list[str]:
    """One player who answers before anybody could have looked."""
    with _server(folder, weights) as (address, browser):
        program, player = Program(address, folder), ""
        for _ in range(rounds):
            about = program.ask(player)[1]
            program.answer(about, 0)
            player = about["player"]
        return [browser.results()[0]]


def peeking(folder: Path, weights: Path | None) -> list[str]:
    """A test, with a look at results and export after each trial but the last."""
    rates = exports = 0
    with _server(folder, weights, _album(folder / "album")) as (_, browser):
        before = browser.results()
        for _ in range(1, TRIALS):
            browser.choose(browser.next_trial(), 0)
            now = browser.results()
            rates, exports = rates + (now[0] != before[0]), exports + (now[1] != before[1])
            before = now
    return [f"rates told of {rates} of {TRIALS - 1} trials, the export of {exports}"]


@contextmanager
def _server(
    folder: Path, weights: Path | None, photos: Path | None = None
) -> Iterator[tuple[str, Browser]]:
    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        page_server(Path(own), weights, photos) as (address, _),
    ):
        yield address, Browser(address)


def _album(folder: Path) -> Path:
    """Pieces of color photos, some more than a test needs."""
    folder.mkdir()
    wholes = (skimage.data.astronaut, skimage.data.coffee, skimage.data.chelsea)
    for number, whole in enumerate(wholes):
        pixels = whole()
        for top in range(0, pixels.shape[0] - 79, 80):
            for left in range(0, pixels.shape[1] - 99, 100):
                piece = pixels[top : top + 80, left : left + 100]
                Image.fromarray(piece).save(folder / f"{number}_{top}_{left}.png")
    return folder


def _digest(picture: Pixels) -> str:
    return hashlib.sha256(str(picture.shape).encode() + picture.tobytes()).hexdigest()


def _pieces(picture: Pixels) -> set[int]:
    """Hashes of pixels in a row that are not all alike, one in _ONE_IN."""
    values = picture.astype(np.uint64) @ np.array([1, 256, 65536], np.uint64)
    rows = sliding_window_view(values, _PIECE, axis=1).reshape(-1, _PIECE)
    rows = rows[(rows != rows[:, :1]).any(1)]
    odd = np.random.default_rng(SEED).integers(2**63, size=_PIECE, dtype=np.uint64) | np.uint64(1)
    hashes = (rows * odd).sum(1, dtype=np.uint64)
    return set(hashes[(hashes >> np.uint64(32)) % np.uint64(_ONE_IN) == 0].tolist())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def main() -> None:
    """Makes all attempts and prints what they came to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    print_machine(("gradio",))
    memory, common = Memory(), (options.weights, options.rounds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print_table(("attempt", "outcome"), [])
        for attempt, outcome in (
            ("remembering", lambda: remembering(folder, *common, memory)),
            ("a new player each round", lambda: many_players(folder, *common, memory)),
            ("answers at once", lambda: at_once(folder, *common)),
            ("peeking in a test", lambda: peeking(folder, options.weights)),
        ):
            print(f"| {attempt} | {'; '.join(outcome())} |", flush=True)


if __name__ == "__main__":
    main()
