"""Works a plan off in this process, which takes no seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

from colorflow.batch import PhotoOutcome, Plan
from colorflow.batch.models import check_models
from colorflow.batch.one_photo import work_on
from colorflow.batch.pool import run_plan
from colorflow.run import Models


def run_in_process(
    plan: Plan, colorizer: Any = None, enlarger: Any = None, repairer: Any = None
) -> Iterator[PhotoOutcome]:
    models = Models(colorizer, enlarger, repairer)
    worker = SimpleNamespace(
        ready=partial(check_models, plan.settings, models),
        work=partial(work_on, models, settings=plan.settings),
        end=lambda: None,
    )
    return run_plan(plan, lambda _: worker, 1, None)
