"""Workers in processes of their own: independence, crashes, ends."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest

from colorflow import worker
from colorflow.batch import (
    COLORS,
    PhotoOutcome,
    PhotoTask,
    Settings,
    make_plan,
    processes,
    run,
)
from colorflow.batch.models import WorkerConfig, load_models
from colorflow.batch.processes import Tell, WorkerProcess
from colorflow.colorizer import Colorizer
from colorflow.errors import BatchError, DeviceError, WeightsError
from colorflow.photo import read_photo
from colorflow.worker import worker_ahead
from tests.batch.results import Save
from tests.in_process import run_in_process

pytestmark = pytest.mark.slow


@pytest.fixture
def config(weights: Path) -> WorkerConfig:
    return WorkerConfig(weights={COLORS: weights}, device="cpu", threads=1, settings=Settings())


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[WorkerProcess]]:
    """Every worker that is started, in order; none is alive at the end."""
    started: list[WorkerProcess] = []
    begin = WorkerProcess.__init__

    def watched(self: WorkerProcess, config: WorkerConfig, tell: Tell) -> None:
        begin(self, config, tell)
        started.append(self)

    monkeypatch.setattr(WorkerProcess, "__init__", watched)
    yield started
    assert all(one._process.poll() is not None for one in started)


def test_a_photo_is_colored_the_same_in_any_company(
    save_photo: Save,
    tmp_path: Path,
    weights: Path,
    colorizer: Colorizer,
    workers: list[WorkerProcess],
) -> None:
    """In another order, by two workers, and alone in this process."""
    paths = [save_photo(tmp_path / "in" / f"{number}.png", number) for number in range(6)]
    settings = Settings(n=2, seed=5)

    def pixels(name: str, outcomes: Iterator[PhotoOutcome]) -> list[np.ndarray]:
        assert sorted(outcome.status for outcome in outcomes) == ["done"] * 6
        return [
            read_photo(tmp_path / name / f"{path.stem}_{label}.png").pixels.astype(int)
            for path in paths
            for label in settings.labels
        ]

    plan = make_plan(paths[::-1], tmp_path / "two", settings)
    told: dict[str, list[str | None]] = {path.name: [] for path in paths}

    def tell(task: PhotoTask, step: str | None) -> None:
        told[task.path.name].append(step)

    two = pixels("two", run(plan, weights={COLORS: weights}, workers=2, tell=tell))
    steps = ["reading", "coloring", "making 3_a.png", "making 3_b.png", None]
    assert told["3.png"] == steps, "what is done to a photo is told"
    here = make_plan(paths, tmp_path / "here", settings)
    one = pixels("here", run_in_process(here, colorizer))
    for own, other in zip(one, two, strict=True):
        assert np.abs(own - other).max() <= 1
    assert np.abs(one[0] - one[1]).max() > 1
    assert len(workers) == 2


def test_a_worker_that_is_killed_costs_one_photo_and_who_stops_listening_leaves_nothing(
    save_photo: Save,
    tmp_path: Path,
    weights: Path,
    colorizer: Colorizer,
    workers: list[WorkerProcess],
) -> None:
    for number in range(8):
        save_photo(tmp_path / "in" / f"{number}.png", number)
    plan = make_plan([tmp_path / "in"], tmp_path / "out", Settings())
    outcomes = run(plan, weights={COLORS: weights}, workers=1)
    assert next(outcomes).status == "done"
    workers[0]._process.kill()
    while (outcome := next(outcomes)).status == "done":  # it had been answered before
        pass
    assert (outcome.status, outcome.reason) == (
        "failed",
        "the process that worked on it ended (Killed, perhaps out of memory)",
    )
    assert next(outcomes).status == "done"
    assert len(workers) == 2
    outcomes.close()  # type: ignore[attr-defined]
    assert all(one._process.poll() is not None for one in workers)
    again = [outcome.status for outcome in run_in_process(plan, colorizer)]
    assert set(again) == {"done", "skipped"}


def test_what_starts_ahead_is_the_first_worker_or_ends(
    config: WorkerConfig, workers: list[WorkerProcess]
) -> None:
    with worker_ahead():
        (process,) = worker._ahead
        first, second = (WorkerProcess(config, lambda task, step: None) for _ in range(2))
        assert first._process is process
        assert second._process is not process
        for one in (first, second):
            one.ready()
            one.end()
    with worker_ahead():
        (process,) = worker._ahead
    assert process.returncode == -signal.SIGKILL


def test_nobody_looks_for_garbage_while_weights_are_loaded(
    config: WorkerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector would go through all of PyTorch several times."""
    seen = []

    def load(config: WorkerConfig) -> None:
        seen.append(gc.isenabled())
        raise WeightsError("absent")

    monkeypatch.setattr(processes, "load_models", load)
    received: SimpleQueue[WorkerConfig] = SimpleQueue()
    received.put(config)
    with open(os.devnull, "wb", buffering=0) as answers:
        processes._answer_all(received, answers)
    frozen = gc.get_freeze_count()
    gc.unfreeze()
    assert seen == [False]
    assert gc.isenabled()
    assert frozen


def test_what_prevents_a_start_is_said_once(
    album: Path,
    tmp_path: Path,
    weights: Path,
    config: WorkerConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = make_plan([album], tmp_path / "out", Settings())
    with pytest.raises(WeightsError, match="absent"):
        list(run(plan, weights={COLORS: tmp_path / "absent.safetensors"}, workers=2))
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(BatchError, match=r"ended while it started \(exit code 1\); try fewer"):
        list(run(plan, weights={COLORS: weights}))
    with pytest.raises(DeviceError, match=r"^nonsense: PyTorch has no such device"):
        load_models(replace(config, device="nonsense"))


@pytest.mark.skipif(sys.platform != "linux", reason="waits for processes by their handles")
def test_a_worker_ends_with_its_parent_in_the_middle_of_a_photo(
    save_photo: Save, tmp_path: Path, weights: Path
) -> None:
    photo, out = save_photo(tmp_path / "x.png"), tmp_path / "out"
    command = [sys.executable, "-m", "colorflow.cli", "colorize", photo, "-o", out]
    command += ["-n", "200", "--samples", "--workers", "1", "--weights", weights]
    parent = subprocess.Popen(list(map(str, command)))
    try:
        while not (out.is_dir() and any(out.glob("x_s*.png"))):
            assert parent.poll() is None
            os.sched_yield()
        threads = Path(f"/proc/{parent.pid}/task").glob("*/children")
        children = " ".join(thread.read_text() for thread in threads).split()
        handles = [os.pidfd_open(int(child)) for child in children]
        assert handles
    finally:
        parent.terminate()
        parent.wait()
    for handle in handles:
        assert select.select([handle], [], [], 60)[0], "a worker goes on without its parent"
        os.close(handle)
    assert len(list(out.glob("x_s*.png"))) < 200, "it finished the photo first"


def test_a_script_needs_no_main_guard(album: Path, tmp_path: Path, weights: Path) -> None:
    """A worker must not run its caller's script again."""
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from colorflow.batch import COLORS, Settings, make_plan, run\n"
        f"plan = make_plan([{str(album)!r}], {str(tmp_path / 'out')!r}, Settings())\n"
        f"print(*(one.status for one in run(plan, weights={{'colors': Path({str(weights)!r})}})))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("done done\n", "")
