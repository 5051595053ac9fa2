"""The task of the inverse-autoregressive flow: to become the density of its trained twin.

An inverse-autoregressive flow draws in one evaluation and takes one a dimension to score, too many
for maximum likelihood. It is trained on its own samples, scored by the masked autoregressive flow
of the same run: the loss is KL(student || teacher). It has the teacher's context network, a frozen
copy, so both are given the same and the student is complete without its teacher.

Reference: van den Oord et al. 2018 (Parallel WaveNet).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from colorflow.comparison.task import DIMENSIONS, ChromaTask
from colorflow.flows.distillation import distillation_loss
from colorflow.model.condition import Condition
from colorflow.model.density import ConditionalDensity

TEACHERS = {"iaf": "maf"}
"""Architectures that are distilled, and from which."""


class DistillationTask(ChromaTask):
    """A student learns the density of its teacher; a `Task` of the trainer.

    Args:
        name: key of the student in the zoo.
        teacher: trained; it stays as it is.
    """

    def __init__(self, name: str, teacher: ConditionalDensity) -> None:
        super().__init__(name)
        self.teacher = teacher.eval().requires_grad_(False)

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        """Gives the student the teacher's context and statistics."""
        student = cast(ConditionalDensity, module)
        student.context.load_state_dict(self.teacher.context.state_dict())
        student.context.requires_grad_(False)
        student.standardize.load_state_dict(self.teacher.standardize.state_dict())

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """log q(x) - log p(x) of the student's own samples, whose mean is the KL, nats, (B,)."""
        student = cast(ConditionalDensity, module)
        with torch.no_grad():
            context = self.teacher.context_of(condition)
        z = torch.randn(len(ab), DIMENSIONS, generator=noise).to(ab)
        return distillation_loss(student.flow, self.teacher.flow, z, context)

    def is_teacher_of(self, student: dict[str, Tensor]) -> bool:
        """Whether a student's weights have this teacher's context."""
        own = self.teacher.context.state_dict()
        return all(
            torch.equal(student[f"context.{name}"], value.cpu()) for name, value in own.items()
        )
