"""Works a plan off in this process, which takes no seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

from colorflow.batch import PhotoOutcome, PhotoTask, Plan
from colorflow.batch.models import Models, check_models
from colorflow.batch.one_photo import work_on
from colorflow.batch.pool import run_plan
from colorflow.batch.settings import BatchSettings
from colorflow.colorizer import Colorizer
from colorflow.enlarge.enlarger import Enlarger
from colorflow.repair.repairer import Repairer


class _Here:
    def __init__(self, models: Models, settings: BatchSettings) -> None:
        self.models, self.settings = models, settings

    def ready(self) -> None:
        check_models(self.settings, self.models)

    def work(self, task: PhotoTask) -> PhotoOutcome:
        return work_on(self.models, task, self.settings)

    def end(self) -> None:
        pass


def run_in_process(
    plan: Plan,
    colorizer: Colorizer | None = None,
    enlarger: Enlarger | None = None,
    repairer: Repairer | None = None,
) -> Iterator[PhotoOutcome]:
    models = Models(colorizer, enlarger, repairer)
    return run_plan(plan, lambda _: _Here(models, plan.settings), 1, None)
