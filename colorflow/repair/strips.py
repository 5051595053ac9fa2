"""Networks over pictures of any size, strip by strip, with the numbers of one pass over all.

Each layer sees a strip together with the rows above that it still needs, and holds back the rows
that need the next strip. No margin is computed twice, and memory grows with the width alone.

Strips are (B, C, h, W), come from top to bottom, and have an even number of rows h, so that pooling
never splits a cell; the last one alone may have an odd number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from torch import Tensor, nn

Strips: TypeAlias = Iterator[Tensor]


def reach_of(module: nn.Module) -> int:
    """Rows, in each direction, that a row of a module's result depends on: those of a chain.

    Args:
        module: its convolutions follow each other; those of 1x1 beside them do not count.
    """
    kernels = (x.kernel_size for x in module.modules() if isinstance(x, nn.Conv2d))
    return sum(rows // 2 for rows, _ in kernels)


def mapped(layer: Callable[[Tensor], Tensor], reach: int, strips: Strips) -> Strips:
    """Applies a layer that keeps the number of rows.

    Args:
        layer: of (B, C, h, W); what is above and below the picture is its own affair.
        reach: rows, in each direction, that one row of its result depends on.
        strips: of what it is applied to.
    """
    kept, above = None, 0  # rows that are still needed, and how many of these have been made
    for strip in strips:
        kept = strip if kept is None else torch.cat([kept, strip], 2)
        del strip
        ready = (kept.shape[2] - reach - above) // 2 * 2
        if ready > 0:
            made = layer(kept)[:, :, above : above + ready]
            unneeded = max(0, above + ready - reach)
            kept, above = kept[:, :, unneeded:].clone(), above + ready - unneeded
            yield made
    if kept is not None and kept.shape[2] > above:
        yield layer(kept)[:, :, above:]


def remembered(strips: Strips, waiting: deque[Tensor]) -> Strips:
    """Puts each strip that is passed on into a queue, too, which `beside` empties."""
    for strip in strips:
        waiting.append(strip)
        yield strip


def beside(strips: Strips, waiting: deque[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs strips with the same rows of those that wait, which were there earlier."""
    for strip in strips:
        rows = strip.shape[2]
        parts = [waiting.popleft()]
        while sum(part.shape[2] for part in parts) < rows:
            parts.append(waiting.popleft())
        own = torch.cat(parts, 2) if len(parts) > 1 else parts[0]
        if own.shape[2] > rows:
            waiting.appendleft(own[:, :, rows:].clone())
        yield strip, own[:, :, :rows]
