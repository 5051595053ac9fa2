"""The code of Gradio that the page changes or reads: still what the changes were written for."""

from __future__ import annotations

import asyncio
import copy
import datetime
import hashlib
import inspect
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio import processing_utils, queueing, route_utils, routes
from gradio.data_classes import PredictBodyInternal
from gradio.state_holder import StateHolder
from gradio_client.utils import apply_diff

from colorflow.ui.gradio_patches import (
    FairQueue,
    PatchedBlocks,
    file_url,
    forget_finished_uploads,
    forget_idle_sessions,
    patch_gradio,
)

HOUR = 3600.0
WRITTEN_FOR = {
    processing_utils.async_ssrf_protected_download: "01dca5b9abc47af9",
    route_utils.GradioMultiPartParser: "26110d85a616a7eb",
    queueing.Queue.push: "c7b4091f41b8f075",
    queueing.Queue.get_events: "c35ce0aae0346e05",
    queueing.Queue.start_processing: "d65be5a5cbed97d7",
    gr.Blocks.preprocess_data: "6848b88bd303f76f",
    gr.Blocks.handle_streaming_diffs: "6023f1a42fe834a4",
    StateHolder: "7a180698da5191bc",
}
"""First digits of the SHA-256 of the source of what is replaced, overridden or read."""


@pytest.mark.parametrize("internal", WRITTEN_FOR, ids=lambda one: one.__qualname__)
def test_gradio_is_what_the_patches_were_written_for(internal: Any) -> None:
    digest = hashlib.sha256(inspect.getsource(internal).encode()).hexdigest()[:16]
    assert digest == WRITTEN_FOR[internal], (
        f"Gradio {gr.__version__} has changed {internal.__qualname__}: reread what "
        "colorflow/ui/gradio_patches.py does to it, then write the new digest here"
    )


def test_replacements_take_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    names = (
        (processing_utils, "async_ssrf_protected_download"),
        (route_utils, "GradioMultiPartParser"),
        (queueing, "Queue"),
    )
    for module, name in names:
        monkeypatch.setattr(module, name, getattr(module, name))  # puts the original back
    patch_gradio()
    for module, name in names:
        assert getattr(module, name).__module__ == "colorflow.ui.gradio_patches"
    monkeypatch.delattr(queueing, "Queue")
    with pytest.raises(AssertionError, match="has no Queue"):
        patch_gradio()


def test_urls_survive_odd_folders() -> None:
    assert file_url(Path('/a "b" #?/c.png')) == "gradio_api/file=/a%20%22b%22%20%23%3F/c.png"


# the queue


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


def test_looking_for_work_leaves_the_processor_to_the_work(queue: FairQueue) -> None:
    assert queue.sleep_when_free >= 0.01


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


# updates of handlers


SKIP = {"__type__": "update"}
UPDATES: list[list[Any]] = [
    [SKIP, "none is here"],
    [{**SKIP, "value": ["first.png"], "visible": True}, "one is here"],
    [{**SKIP, "value": ["first.png", "second.png"]}, "both are here"],
    [SKIP, "both are here; done"],
]
"""Of a gallery and of a line below it."""


def handle() -> Iterator[str]:
    yield ""


@pytest.fixture
def page() -> PatchedBlocks:
    with PatchedBlocks(analytics_enabled=False) as page:
        gallery, line = gr.Gallery(), gr.HTML()
        gr.Button().click(handle, None, [gallery, line])
    return page


def send(page: PatchedBlocks, number: int, run: str | None = "run", **options: bool) -> list[Any]:
    """An update; the last one again if it is the one past them."""
    final = number == len(UPDATES)
    data = [None, None] if final else copy.deepcopy(UPDATES[number])
    return page.handle_streaming_diffs(page.fns[0], data, "visitor", run, final, **options)


def test_what_the_browser_was_given_is_never_changed(page: PatchedBlocks) -> None:
    given = send(page, 0)
    assert given == UPDATES[0]
    before = copy.deepcopy(given)
    for number in range(1, len(UPDATES)):
        edits = send(page, number)
        assert [path for edit in edits for _, path, _ in edit] == [[], []], "nothing inside of it"
        given = [apply_diff(old, edit) for old, edit in zip(given, edits, strict=True)]
        assert given == UPDATES[number]
    assert send(page, len(UPDATES)) == given
    assert before == UPDATES[0]
    assert not page.pending_diff_streams, "what was sent is forgotten at the end"


def test_runs_do_not_mix(page: PatchedBlocks) -> None:
    assert send(page, 1, "one") == UPDATES[1]
    assert send(page, 2, "other") == UPDATES[2]
    assert send(page, len(UPDATES), "one") == UPDATES[1]
    assert send(page, len(UPDATES), "other") == UPDATES[2]


def test_who_takes_no_differences_gets_none(page: PatchedBlocks) -> None:
    for number in range(len(UPDATES)):
        assert send(page, number, simple_format=True) == UPDATES[number]
        assert send(page, number, run=None) == UPDATES[number]


# sessions


class Page:
    """What `forget_idle_sessions` looks at of a page with one state."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        with gr.Blocks(analytics_enabled=False) as blocks:
            self.state = gr.State(None, delete_callback=self._delete)
        blocks.state_session_capacity = 100
        self.blocks = blocks
        self.holder = StateHolder()
        self.holder.set_blocks(blocks)

    def _delete(self, visitor: str) -> None:
        assert threading.current_thread() is not threading.main_thread(), "the event loop waits"
        self.deleted.append(visitor)

    def used(self, visitor: str, seconds: float) -> None:
        self.holder[visitor][self.state._id] = visitor
        then = datetime.datetime.now() - datetime.timedelta(seconds=seconds)
        self.holder.time_last_used[visitor] = then

    def work_for(self, visitor: str) -> None:
        self.blocks._queue.active_jobs = [None, [SimpleNamespace(session_hash=visitor)]]  # type: ignore[list-item]


@pytest.mark.anyio
async def test_visitors_who_do_nothing_are_forgotten() -> None:
    page = Page()
    page.used("idle", HOUR + 1)
    page.used("still there", HOUR - 60)
    page.used("waiting for a long job", 3 * HOUR)
    page.work_for("waiting for a long job")
    await forget_idle_sessions(page.blocks, HOUR)
    assert page.deleted == ["idle"]
    assert set(page.holder.session_data) == {"still there", "waiting for a long job"}
    await forget_idle_sessions(page.blocks, HOUR)
    assert page.deleted == ["idle"]


@pytest.mark.anyio
async def test_a_visitor_who_works_for_two_hours_is_not_forgotten() -> None:
    page = Page()
    page.used("ada", 2 * HOUR)
    assert page.holder["ada"]  # what every request of hers does
    await forget_idle_sessions(page.blocks, HOUR)
    assert page.deleted == []


@pytest.mark.anyio
async def test_a_visitor_who_comes_back_begins_anew() -> None:
    page = Page()
    page.used("ada", 2 * HOUR)
    await forget_idle_sessions(page.blocks, HOUR)
    assert page.holder["ada"][page.state._id] is None


# uploads


@pytest.mark.anyio
async def test_finished_uploads_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = route_utils.FileUploadProgress()
    monkeypatch.setattr(routes, "file_upload_statuses", progress)
    for name in ("finished", "under way"):
        progress.track(name)
    progress.set_done("finished")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(progress.is_tracked("never begun"), 0.01)
    with gr.Blocks(analytics_enabled=False) as page:
        pass
    (tmp_path / "kept.png").touch()
    page.upload_file_set.update(str(tmp_path / one) for one in ("kept.png", "gone.png"))
    await forget_finished_uploads(page)
    assert set(progress._signals) == set(progress._statuses) == {"under way"}
    assert page.upload_file_set == {str(tmp_path / "kept.png")}
    assert page.upload_file_set in page.temp_file_sets
