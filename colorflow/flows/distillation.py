"""Density distillation: a flow that samples fast learns the density of one that scores fast.

Two complementary nets: a masked autoregressive flow is trained by maximum likelihood, since it
scores in one evaluation; its inverse-autoregressive student, which samples in one evaluation, is
then trained on its own samples, scored by the teacher. No data are needed.

Reference: van den Oord et al. 2018 (Parallel WaveNet), section 4.
"""

from __future__ import annotations

from torch import Tensor
from torch.func import functional_call

from colorflow.flows.density import Flow, standard_normal_log_prob


def distillation_loss(
    student: Flow, teacher: Flow, z: Tensor, context: Tensor | None = None
) -> Tensor:
    """log q(x) - log p(x) of samples x = student.bijection.inverse(z), q student, p teacher.

    The mean over standard normal z is KL(q || p): the loss to minimize, and, on fresh z, an
    unbiased estimate of how far the student still is. Both networks run in their fast direction
    only: the student samples and thereby knows its own density, the teacher scores. Gradients go
    through the samples to the student; the teacher's parameters get none.

    Args:
        student: its `inverse` is the fast direction, such as `Inverse(Autoregressive(...))`.
        teacher: its `forward` is the fast direction, such as `Autoregressive(...)`.
        z: (B, *student.latent_shape) standard normal numbers.
        context: (B, ...) what conditions both flows, or None.

    Returns:
        (B,) in nats.
    """
    x, ladj = student.bijection.inverse(z, context)
    constants = {name: value.detach() for name, value in teacher.named_parameters()}
    score: Tensor = functional_call(teacher, constants, (x, context))
    return standard_normal_log_prob(z) - ladj - score
