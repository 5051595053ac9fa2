"""Work that waits for its turn in a queue, and the line that says how far it is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any

import gradio as gr

from colorflow.ui.panes import AT_ONCE
from colorflow.ui.session import Job, Session
from colorflow.ui.status import FAILURES, Updates, line, problem

Steps = Generator[Updates, None, Updates]
"""What the page shows while something is done, and at its end."""

_REFUSED = """
() => [
    '<p class="bad">The page is busy, and nothing was begun; try again in a minute.</p>',
    { __type__: "update", visible: false },
]
"""
"""Of the browser alone: a server whose queue is full takes no other request, either."""


class Run(Job):
    """Work that waits for its turn in a queue.

    Args:
        steps: does it.
        is_of_all: whether it goes on while the visitor looks at other photos.
    """

    def __init__(self, steps: Callable[[Job], Steps], *, is_of_all: bool = False) -> None:
        super().__init__()
        self.state = "waiting"
        self.steps = steps
        self.is_of_all = is_of_all
        self.made_by: Callable[..., Run] | None = None
        """Whose turn it waits for; another may have another queue."""

    def waits_for(self, make: Callable[..., Run]) -> bool:
        """Whether it is to be worked on when it is the turn of `make`."""
        return self.state == "waiting" and not self.end and self.made_by == make


class Runs:
    """Begins runs, works on them, and cancels them; made inside a `gr.Blocks`.

    Args:
        session: holds the visitor's `Session`.
        status: says how far a run is.
        cancel_button: is seen meanwhile.
        cleared: what else a new run changes at once, given the session.
    """

    def __init__(
        self,
        session: gr.State,
        status: gr.HTML,
        cancel_button: gr.Button,
        cleared: Callable[[Any], Updates],
    ) -> None:
        self._session, self._status, self._cancel_button = session, status, cancel_button
        self._cleared = cleared

    def connect(
        self,
        event: Any,
        make: Callable[..., Run],
        values: Sequence[Any],
        shown: Sequence[gr.blocks.Block],
        queue: dict[str, Any],
    ) -> gr.events.Dependency:
        """Let an event begin a run.

        Args:
            event: the event.
            make: makes the run; it takes the session and the values.
            values: components.
            shown: everything that the run may change.
            queue: options of the queue in which it waits.

        Returns:
            What ends when the run does.
        """
        session = self._session
        begun = event(partial(self.begin, make), [session, *values], shown, **AT_ONCE)
        worked = begun.then(partial(self.work, make), [session], shown, **queue)
        said = [self._status, self._cancel_button]
        worked.failure(None, None, said, js=_REFUSED, api_visibility="private")
        return worked

    def connect_cancel(self, shown: Sequence[gr.blocks.Block]) -> None:
        """Connect the button that cancels; arguments as of `connect`."""
        self._cancel_button.click(self.cancel, [self._session], shown, **AT_ONCE)

    def begin(self, make: Callable[..., Run], session: Session[Any], *values: Any) -> Updates:
        """Put a run in the queue; `work` is called when it is its turn.

        Args:
            make: makes it.
            session: the visitor's. The work before ends at once, and not only when this begins.
            values: further arguments of `make`.
        """
        session.catch_up()
        cancels = session.cancels
        with session.taking(session.beginning):
            cleared = self._cleared(session)
            session.stop()
            try:
                run = make(session, *values)
            except FAILURES as error:
                hidden = gr.update(visible=False)
                return {**cleared, self._status: problem(error), self._cancel_button: hidden}
            run.made_by = make
            session.start(run)
        if session.cancels != cancels:  # while the work before came to its end
            return {**cleared, **self.cancel(session)}
        return {
            **cleared,
            self._status: line("Waiting for its turn ..."),
            self._cancel_button: gr.update(visible=True, interactive=True),
        }

    def work(self, make: Callable[..., Run], session: Session[Any]) -> Iterator[Updates]:
        """Do what waits for its turn and was begun with the same `make`; show how far it is."""
        run = session.job
        if not (isinstance(run, Run) and run.waits_for(make)):
            yield {self._status: gr.skip()}
            return
        try:
            with run:
                try:
                    last = yield from run.steps(run)
                except FAILURES as error:
                    last = {self._status: problem(error)}
                last[self._cancel_button] = gr.update(visible=False)
                # Gradio sends it twice, and what comes after a run that is replaced in between.
                yield {self._status: gr.skip()} if run.end == "replaced" else last
        finally:
            session.delete_if_closed()

    def cancel(self, session: Session[Any]) -> Updates:
        """End the run after its next step, or take it out of the queue."""
        if not session.cancel():
            return {self._cancel_button: gr.update(interactive=False)}
        return {
            self._status: line("Cancelled; nothing was made."),
            self._cancel_button: gr.update(visible=False),
        }
