"""Stands in for a run of a batch, and runs commands that are wrong usage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from colorflow.batch import ColoredFile, PhotoOutcome, Plan
from colorflow.cli import main


class FakeRun:
    """Stands in for `colorflow.batch.run`: remembers how it was called.

    `results` are what becomes of a photo, by its name: changes to an outcome, or an exception.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Plan, dict[str, Any]]] = []
        self.results: dict[str, dict[str, Any] | BaseException] = {}
        self.error: Exception | None = None

    def __call__(self, plan: Plan, **options: Any) -> Iterator[PhotoOutcome]:
        self.calls.append((plan, options))
        if self.error:
            raise self.error
        yield from plan.settled
        for task in plan.tasks:
            result = self.results.get(task.path.name, {})
            if isinstance(result, BaseException):
                raise result
            label = plan.settings.labels[0]
            coloring = ColoredFile(path=task.target(label), label=label, seed=0)
            values = {"status": "done", "colorings": (coloring,), "seconds": 0.25}
            yield PhotoOutcome(path=task.path, **{**values, **result})  # type: ignore[arg-type]


def usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end as wrong usage; its message, which is one line."""
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("colorflow")
    assert message.endswith(" --help'\n")
    assert message.count("\n") == 1
    return message
