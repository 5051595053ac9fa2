"""A plan on a Ray cluster of two nodes: lost workers, lost nodes, and nothing left behind."""

from __future__ import annotations

import os
import secrets
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow.batch import (
    COLORS,
    PhotoOutcome,
    Settings,
    make_plan,
    ray_engine,
)
from colorflow.batch.ray_engine import PhotoWorker, run_on_ray
from colorflow.batch.task import PhotoTask
from colorflow.colorizer import Colorizer
from colorflow.errors import BatchError, WeightsError
from colorflow.photo import read_photo
from colorflow.photo.isolated import start_reader
from tests.batch.results import Save
from tests.in_process import run_in_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc for what is left behind"),
]

_MARK = "COLORFLOW_TEST_OF_RAY"
"""A variable that all processes of a cluster inherit, by which they are found."""
_STORE_BYTES = 80 * 2**20
_PATIENCE = 60


def marked(mark: str) -> list[int]:
    """The processes that were started with a mark in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"{_MARK}={mark}".encode() in process.read_bytes().split(b"\0"):
                found.append(int(process.parent.name))
    return found


@contextmanager
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever happens inside, every process that it has started is gone afterwards.

    The reader server of this very process is none of them: it stays for the tests to come.
    """
    start_reader()
    mark = secrets.token_hex(8)
    monkeypatch.setenv(_MARK, mark)
    try:
        yield
    finally:
        left = [pid for pid in marked(mark) if not ends(pid)]
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert not left, "processes were left behind"


def ends(pid: int) -> bool:
    """Waits for a process that is about to end."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], _PATIENCE)[0])
    finally:
        os.close(handle)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with two logical cores each, to which Ray is connected."""
    with pytest.MonkeyPatch.context() as monkeypatch, nothing_left(monkeypatch):
        monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        monkeypatch.setenv("RAY_worker_niceness", "0")  # other work must not starve the tests
        ray = pytest.importorskip("ray")
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 2, "object_store_memory": _STORE_BYTES}
        nodes = Cluster()
        try:
            nodes.add_node(**node, include_dashboard=False)
            nodes.add_node(**node)
            ray.init(nodes.address, log_to_driver=False, logging_level="ERROR")
            yield nodes
        finally:
            ray.shutdown()
            nodes.shutdown()


class Clumsy(PhotoWorker):
    """Dies over photos whose names say so, once or always."""

    def work(self, task: PhotoTask) -> PhotoOutcome:
        name = task.path.name
        once = task.folder.parent / f"once {name}"
        if name.startswith("always"):
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("before") and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        outcome = super().work(task)
        if name.startswith("after") and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome


@pytest.fixture
def clumsy(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers on the cluster are clumsy."""
    from ray import cloudpickle

    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)  # nodes need not find the tests
    monkeypatch.setattr(ray_engine, "PhotoWorker", Clumsy)
    yield
    cloudpickle.unregister_pickle_by_value(module)


def whole(folder: Path) -> dict[str, np.ndarray]:
    """All results, each readable to its end; nothing hidden lies beside them."""
    return {path.name: read_photo(path).pixels.astype(int) for path in sorted(folder.iterdir())}


def by_name(outcomes: list[PhotoOutcome]) -> dict[str, PhotoOutcome]:
    names = Counter(outcome.path.name for outcome in outcomes)
    assert set(names.values()) == {1}
    return {outcome.path.name: outcome for outcome in outcomes}


@pytest.mark.usefixtures("clumsy")
def test_every_photo_is_done_once_whoever_is_killed(
    save_photo: Save, tmp_path: Path, weights: Path, colorizer: Colorizer
) -> None:
    for number, name in enumerate(["a", "after", "b", "before", "c", "always"]):
        save_photo(tmp_path / "in" / f"{name}.png", number)
    Image.fromarray(skimage.data.astronaut()[:40, :40]).save(tmp_path / "in" / "colored.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG\r\n")
    settings = Settings(n=2, seed=3)
    plan = make_plan([tmp_path / "in"], tmp_path / "out", settings)
    outcomes = by_name(list(run_on_ray(plan, weights={COLORS: weights}, workers=2)))
    assert set(outcomes) == {path.name for path in plan.inputs}
    here = make_plan([tmp_path / "in"], tmp_path / "here", settings)
    want = by_name(list(run_in_process(here, colorizer)))
    always = outcomes.pop("always.png")
    assert always.status == "failed"
    assert str(always.reason).startswith("the process that worked on it ended, 3 times (The act")
    for label in ("a", "b"):
        (tmp_path / "here" / f"always_{label}.png").unlink()
    for name, outcome in outcomes.items():
        assert (outcome.status, outcome.reason) == (want[name].status, want[name].reason)
        told = [(one.label, one.seed, one.share) for one in outcome.colorings]
        assert told == [(one.label, one.seed, one.share) for one in want[name].colorings]
    got, expected = whole(tmp_path / "out"), whole(tmp_path / "here")
    assert list(got) == list(expected)
    assert len(got) == 10
    assert all(np.abs(got[name] - expected[name]).max() <= 1 for name in got)
    again = make_plan([tmp_path / "in"], tmp_path / "out", settings)
    assert Counter(outcome.status for outcome in run_in_process(again, colorizer)) == {
        "skipped": 5,
        "done": 1,
        "failed": 1,
        "already-colored": 1,
    }


def test_what_prevents_a_start_is_said(
    cluster: Any, album: Path, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan([album], tmp_path / "out", Settings())
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=f"^{foreign}: "):
        list(run_on_ray(plan, weights={COLORS: foreign}, workers=1))
    with pytest.raises(BatchError, match="the Ray cluster has no GPU"):
        list(run_on_ray(plan, weights={COLORS: weights}, device="cuda"))
    monkeypatch.setattr(ray_engine, "__version__", "0.0.1")
    with pytest.raises(BatchError, match=r"has colorflow .*, this machine 0\.0\.1; install the"):
        list(run_on_ray(plan, weights={COLORS: weights}, workers=1))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_node_that_is_lost_takes_nothing_with_it(
    cluster: Any, save_photo: Save, tmp_path: Path, weights: Path
) -> None:
    """The last test with the cluster, of which half is left."""
    for number in range(16):
        save_photo(tmp_path / "in" / f"{number:02}.png", number)
    plan = make_plan([tmp_path / "in"], tmp_path / "out", Settings())
    outcomes = []
    for outcome in run_on_ray(plan, weights={COLORS: weights}, workers=4):
        outcomes.append(outcome)
        if len(outcomes) == 2:
            cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
    assert {outcome.status for outcome in by_name(outcomes).values()} == {"done"}
    results = [path for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")]
    assert len(outcomes) == len(results) == 16  # what the lost node had begun is hidden
    assert all(read_photo(path).pixels.any() for path in results)


def test_ctrl_c_finishes_what_is_in_hand_and_ends_the_cluster_that_it_started(
    save_photo: Save, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        save_photo(tmp_path / "in" / f"{number:02}.png", number)
    out = tmp_path / "out"
    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    command = [sys.executable, "-m", "colorflow.cli", "colorize", tmp_path / "in", "-o", out]
    command += ["--engine", "ray", "--workers", "1", "--weights", weights]
    with nothing_left(monkeypatch):
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            assert "_a.png" in process.stdout.readline()
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            printed, errors = process.communicate(timeout=240)
        finally:
            process.kill()
            process.wait()
    done = len(whole(out))
    assert process.returncode == 130, errors
    assert 0 < done < 30
    assert f"{done} done, {30 - done} left in " in printed
    assert errors.splitlines()[-2:] == [
        "colorflow: finishing the photos in hand; Ctrl-C again stops at once",
        f"colorflow: stopped, {30 - done} photos are left; the same command goes on from here",
    ]
    again = make_plan([tmp_path / "in"], out, Settings())
    statuses = Counter(one.status for one in run_in_process(again, Colorizer.load(weights)))
    assert statuses == {"skipped": done, "done": 30 - done}
