"""Workers in processes of their own: independence, crashes, ends."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from colorflow.batch import COLORS, PhotoOutcome, Settings, make_plan, run, run_in_process
from colorflow.batch.pool import WorkerEndedError
from colorflow.batch.processes import WorkerConfig, WorkerProcess
from colorflow.colorizer import Colorizer, Hint
from colorflow.errors import BatchError, DeviceError, WeightsError
from colorflow.photo import read_photo

pytestmark = pytest.mark.slow

Save = Callable[..., Path]


@pytest.fixture
def config(weights: Path) -> WorkerConfig:
    return WorkerConfig(weights={COLORS: weights}, device="cpu", threads=1, settings=Settings())


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[WorkerProcess]]:
    """Every worker that is started, in order; none is alive at the end."""
    started: list[WorkerProcess] = []
    begin = WorkerProcess.__init__

    def watched(self: WorkerProcess, config: WorkerConfig) -> None:
        begin(self, config)
        started.append(self)

    monkeypatch.setattr(WorkerProcess, "__init__", watched)
    yield started
    assert all(worker._process.poll() is not None for worker in started)


@pytest.mark.parametrize("samples", [False, True])
def test_a_photo_is_colored_the_same_in_any_company(
    save_photo: Save,
    tmp_path: Path,
    weights: Path,
    colorizer: Colorizer,
    workers: list[WorkerProcess],
    samples: bool,
) -> None:
    """In another order, by other workers, beside others, and alone in this process."""
    paths = [save_photo(tmp_path / "in" / f"{number}.png", number) for number in range(6)]
    settings = Settings(n=2, seed=5, samples=samples)

    def pixels(name: str, outcomes: Iterator[PhotoOutcome]) -> list[np.ndarray]:
        assert sorted(outcome.status for outcome in outcomes) == ["done"] * 6
        files = [
            tmp_path / name / f"{path.stem}_{label}.png"
            for path in paths
            for label in settings.labels
        ]
        return [read_photo(file).pixels.astype(int) for file in files]

    def planned(name: str, inputs: list[Path]) -> object:
        return make_plan(inputs, tmp_path / name, settings)

    want = pixels("one", run(planned("one", paths), weights={COLORS: weights}, workers=1))  # type: ignore[arg-type]
    two = pixels("two", run(planned("two", paths[::-1]), weights={COLORS: weights}, workers=2))  # type: ignore[arg-type]
    alone = [
        outcome
        for path in paths[::-2] + paths[::2]
        for outcome in run_in_process(planned("alone", [path]), colorizer)  # type: ignore[arg-type]
    ]
    here = pixels("alone", iter(alone))
    for one, other, last in zip(want, two, here, strict=True):
        assert max(np.abs(one - other).max(), np.abs(one - last).max()) <= 1
    assert np.abs(want[0] - want[1]).max() > 1
    assert len(workers) == 3


def test_a_worker_that_is_killed_costs_one_photo(
    save_photo: Save, tmp_path: Path, weights: Path, workers: list[WorkerProcess]
) -> None:
    for number in range(4):
        save_photo(tmp_path / "in" / f"{number}.png", number)
    plan = make_plan([tmp_path / "in"], tmp_path / "out", Settings())
    killed = False
    outcomes = {}
    for outcome in run(plan, weights={COLORS: weights}, workers=1):
        outcomes[outcome.path.name] = outcome
        if not killed:
            killed = True
            workers[0]._process.kill()
    assert len(outcomes) == 4
    failed = [outcome for outcome in outcomes.values() if outcome.status == "failed"]
    assert len(failed) == 1
    assert failed[0].reason == (
        "the process that worked on it ended (Killed, perhaps out of memory)"
    )
    assert len(workers) == 2
    again = list(
        run(make_plan([tmp_path / "in"], tmp_path / "out", Settings()), weights={COLORS: weights})
    )
    assert sorted(outcome.status for outcome in again) in (
        ["done", "skipped", "skipped", "skipped"],
        ["skipped"] * 4,  # killed between the last write and the answer
    )


def test_stop_lets_the_photo_in_hand_be_finished(
    save_photo: Save, tmp_path: Path, weights: Path, workers: list[WorkerProcess]
) -> None:
    for number in range(8):
        save_photo(tmp_path / "in" / f"{number}.png", number)
    plan = make_plan([tmp_path / "in"], tmp_path / "out", Settings())
    stop = threading.Event()
    outcomes = []
    for outcome in run(plan, weights={COLORS: weights}, workers=1, stop=stop):
        stop.set()
        outcomes.append(outcome)
    assert 1 <= len(outcomes) <= 2
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert len(list((tmp_path / "out").iterdir())) == len(outcomes)


def test_who_stops_listening_leaves_no_process_and_no_lock(
    album: Path, tmp_path: Path, weights: Path, workers: list[WorkerProcess]
) -> None:
    outcomes = run(
        make_plan([album], tmp_path / "out", Settings()), weights={COLORS: weights}, workers=2
    )
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert len(workers) == 1
    again = run(
        make_plan([album], tmp_path / "out", Settings(overwrite=True)), weights={COLORS: weights}
    )
    assert [outcome.status for outcome in again] == ["done", "done"]


def test_what_prevents_a_start_is_said_once(
    album: Path, tmp_path: Path, weights: Path, workers: list[WorkerProcess]
) -> None:
    plan = make_plan([album], tmp_path / "out", Settings())
    with pytest.raises(WeightsError, match="absent"):
        list(run(plan, weights={COLORS: tmp_path / "absent.safetensors"}, workers=2))
    with pytest.raises(DeviceError, match=r"^nonsense: PyTorch has no such device"):
        list(run(plan, weights={COLORS: weights}, device="nonsense"))
    hinted = make_plan([album], tmp_path / "out", Settings(), hints={"a.jpg": (Hint(1, 1, 1, 1),)})
    with pytest.raises(WeightsError, match="these weights take no color hints"):
        list(run(hinted, weights={COLORS: weights}))


def test_a_process_that_cannot_start_is_told(
    album: Path, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    plan = make_plan([album], tmp_path / "out", Settings())
    with pytest.raises(BatchError, match=r"ended while it started \(exit code 1\); try fewer"):
        list(run(plan, weights={COLORS: weights}))


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
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        handles = [os.pidfd_open(int(child)) for child in children]
        assert handles
    finally:
        parent.terminate()
        parent.wait()
    for handle in handles:
        assert select.select([handle], [], [], 60)[0], "a worker goes on without its parent"
        os.close(handle)
    assert len(list(out.glob("x_s*.png"))) < 200, "it finished the photo first"


def test_a_worker_says_how_it_ended(config: WorkerConfig) -> None:
    worker = WorkerProcess(config)
    worker._process.terminate()
    with pytest.raises(WorkerEndedError, match="Terminated"):
        worker.ready()
    worker.end()
    worker.end()


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
