"""Work whose results come one by one, and that ends early when somebody wants so."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Literal, Self

_PATIENCE_SECONDS = 10
"""How long whoever takes a run's place waits for its end; one coloring takes less."""

End = Literal["cancelled", "replaced"]


class Run:
    """One piece of work; whoever does it holds it as a context, and looks at `end` between results.

    A stop flag and not Gradio's ``cancels``, which leaves off in the middle: the work itself then
    says how far it came and puts the page in order.
    """

    def __init__(self) -> None:
        self.end: End | None = None
        self._ended = threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether whoever did the work has left off."""
        return self._ended.is_set()

    def cancel(self) -> None:
        """Ask for an end; what is there stays."""
        self.end = self.end or "cancelled"

    def drop(self) -> None:
        """Ask for an end without a further word to the page."""
        self.end = "replaced"

    def give_way(self) -> None:
        """The same, and wait until the end has come.

        Gradio asks for the next result only when the one before is on its way, so whatever the page
        is sent after this comes after all that the work has sent. Not to be called in the server's
        own thread, which the work needs to get on.
        """
        self.drop()
        self._ended.wait(_PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Also when Gradio closes the generator, because the visitor has left."""
        self._ended.set()
