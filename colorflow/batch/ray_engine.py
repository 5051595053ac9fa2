"""The engine of a Ray cluster: works a plan off for `--engine ray`.

Each worker is an actor with models of its own. Photos are handed out one by one, so that it is
known which photo a worker had in hand when it was lost. Ray Data's pools of actors hand out blocks:
they repeat a task that killed its worker without end, or leave out the whole block.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from colorflow.batch.models import WorkerConfig, load_models
from colorflow.batch.one_photo import work_on
from colorflow.batch.plan import Plan
from colorflow.batch.pool import StillNeeded, WorkerEndedError, clean, run_plan
from colorflow.batch.task import PhotoOutcome, PhotoTask
from colorflow.errors import BatchError, ColorflowError
from colorflow.run import Models
from colorflow.version import __version__

TRIES = 3
"""Workers that may end over a photo before it fails."""
_ANSWER_SECONDS = 10
_LOOK_AGAIN = 1
"""Seconds between checks whether a worker that waits for room is still needed."""
_STORE_BYTES = 200 * 2**20
"""Object store of a cluster that is started here: it holds outcomes, never pixels."""


def run_on_ray(
    plan: Plan,
    *,
    weights: Mapping[str, Path | None] = MappingProxyType({}),
    device: str = "cpu",
    workers: int | None = None,
    stop: threading.Event | None = None,
) -> Iterator[PhotoOutcome]:
    """Works a plan off on a Ray cluster; yields an outcome for each input, as `run` does.

    The cluster is the one that Ray is connected to, or that of the environment variable
    RAY_ADDRESS; otherwise one is started on this machine and ended afterwards. Paths must mean the
    same on all nodes; the shipped weights are those of each node's own package.

    Args:
        plan: from `make_plan`.
        weights: files by model; the shipped ones for those that are missing.
        device: ``cpu``, a core for each worker, or ``cuda``, a GPU for each.
        workers: actors; None for as many as the cluster has cores, or GPUs.
        stop: once it is set, no further photo is begun; the photos in hand are finished.

    Raises:
        ColorflowError: if the run cannot start or go on.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    if device not in ("cpu", "cuda"):
        raise BatchError(f"device {device}: on a cluster it is cpu or cuda; Ray chooses the GPU")
    if not plan.tasks:
        clean(plan)
        yield from plan.settled
        return
    config = WorkerConfig(weights=dict(weights), device=device, threads=1, settings=plan.settings)
    with _cluster() as ray:
        most = _room(ray, device)
        start = partial(_RayWorker, ray, config)
        yield from run_plan(plan, start, min(workers or most, most), stop, tries=TRIES)


class PhotoWorker:
    """The actor, which loads the weights once for photo after photo.

    Args:
        config: as for a worker process.
        version: of colorflow where the run was started.
    """

    def __init__(self, config: WorkerConfig, version: str) -> None:
        self._config = config
        self._version = version
        self._models: Models | None = None

    def ready(self) -> ColorflowError | None:
        """Loads the weights; returns an error rather than raising it."""
        if self._version != __version__:
            return BatchError(
                f"a node of the cluster has colorflow {__version__}, this machine {self._version}; "
                "install the same on all"
            )
        try:
            self._models = load_models(self._config)
        except ColorflowError as error:
            return error
        return None

    def work(self, task: PhotoTask) -> PhotoOutcome:
        """Works on one photo; errors are in the outcome."""
        assert self._models is not None
        return work_on(self._models, task, self._config.settings)


@dataclass
class _RayWorker:
    """The caller's side of one actor.

    Attributes:
        ray: the module.
        config: of every worker.
        is_needed: says whether there is anything left to do.
    """

    ray: Any
    config: WorkerConfig
    is_needed: StillNeeded

    def __post_init__(self) -> None:
        resources = {"num_cpus": 1} if self.config.device == "cpu" else {"num_gpus": 1}
        actor = self.ray.remote(scheduling_strategy="SPREAD", max_restarts=0, **resources)
        self._actor = actor(PhotoWorker).remote(self.config, __version__)
        self._ready = self._actor.ready.remote()

    def ready(self) -> None:
        while not self.ray.wait([self._ready], timeout=_LOOK_AGAIN)[0]:
            if not self.is_needed():
                raise WorkerEndedError("there was no room for it")
        answer = self._answer(self._ready)
        if isinstance(answer, ColorflowError):
            raise answer

    def work(self, task: PhotoTask) -> PhotoOutcome:
        outcome = self._answer(self._actor.work.remote(task))
        assert isinstance(outcome, PhotoOutcome)
        return outcome

    def end(self) -> None:
        with suppress(Exception):  # it is gone already, or the cluster is
            self.ray.kill(self._actor)

    def _answer(self, reference: Any) -> object:
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            raise WorkerEndedError(_exit_reason(error)) from error


def _exit_reason(error: Exception) -> str:
    """Shortens Ray's message to one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    return lines[-1] if "creation task" in first else first.rstrip(".")


def _room(ray: Any, device: str) -> int:
    """Number of workers that the cluster has room for."""
    kind, word = ("CPU", "core") if device == "cpu" else ("GPU", "GPU")
    most = int(ray.cluster_resources().get(kind, 0))
    if not most:
        raise BatchError(f"the Ray cluster has no {word}; add nodes to it with `ray start`")
    return most


@contextmanager
def _cluster() -> Iterator[Any]:
    """Connects Ray; no usage statistics are sent."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before Ray is imported
    try:
        import ray
    except ImportError as error:
        raise BatchError(
            "the engine ray needs the package Ray: pip install 'colorflow-cinn[ray]'"
        ) from error
    if ray.is_initialized():
        yield ray
        return
    try:
        _connect(ray)
        yield ray
    finally:
        ray.shutdown()


def _connect(ray: Any) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            _node_ip_address="127.0.0.1",  # nobody else may connect
            **quiet,
        )
        return
    try:
        if address != "auto":  # Ray itself would try for a quarter of an hour
            host, _, port = address.rpartition("://")[2].rpartition(":")
            socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
        ray.init(address=address, **quiet)
    except (OSError, ValueError) as error:
        raise BatchError(
            f"no Ray cluster answers at {address}, as RAY_ADDRESS says ({error}); start one with "
            "`ray start --head`, set RAY_AUTH_MODE=token if it asks for one, or unset RAY_ADDRESS"
        ) from error
