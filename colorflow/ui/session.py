"""What the server keeps of one visitor in one tab: open photos, the job at work, and their files.

No pixels stay in memory between two clicks: everything is a file in the session's own folder, which
goes with the session.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

from colorflow.errors import ColorflowError
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.photos import UploadedPhoto, new_folder, open_photo

_TURN_SECONDS = 30
"""How long a handler waits for another one of its visitor."""
_PATIENCE_SECONDS = 10
"""How long a new job waits for the end of the one before; one coloring takes less."""


class HasFolder(Protocol):
    """Something with a folder of its own, such as a photo."""

    @property
    def folder(self) -> Path:
        """Is deleted when the visitor closes it."""
        ...


Item = TypeVar("Item", bound=HasFolder)
Step = TypeVar("Step")


class Job:
    """Work that gives results one by one, until it is done, cancelled or replaced by another job.

    Whoever does the work holds the job as a context and looks at `end` between two results. With
    Gradio's own ``cancels`` the work would stop in the middle; a job can still say how far it came.
    """

    is_of_all = False
    """Whether it is about all of the visitor's photos, and goes on while others are looked at."""

    def __init__(self) -> None:
        self.end: Literal["cancelled", "replaced"] | None = None
        """Why the work should stop early."""
        self.state: Literal["waiting", "running", "ended"] = "running"
        """A subclass whose jobs wait in a queue begins with "waiting"."""
        self._ended = threading.Event()

    def cancel(self) -> None:
        """Ask for an end; the results so far stay."""
        self.end = self.end or "cancelled"

    def abandon(self) -> None:
        """Ask for an end without another update of the page."""
        self.end = "replaced"

    def replace(self) -> None:
        """Abandon the job and wait until it has ended, unless it is still waiting for its turn.

        Gradio asks for the next result only after it has sent the one before, so whatever is sent
        to the page after this comes after all results of the job. Do not call this in the server's
        own thread, which the job needs to go on.
        """
        waits = self.state == "running"
        self.abandon()
        if waits:
            self._ended.wait(_PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        self.state = "running"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the job, also when Gradio closes the generator because the visitor has left."""
        self.state = "ended"
        self._ended.set()


class Session(Generic[Item]):
    """One visitor's open photos, the job at work on them, and a folder for their files.

    A visitor may go on while something is computed: methods may run at the same time in several
    threads, and a handler whose photo is no longer `current` shows nothing.

    Args:
        root: folder in which the session makes its own when it needs one.
        budget: memory and disk for photos, shared by all visitors.
    """

    def __init__(self, root: Path, budget: MemoryBudget) -> None:
        self.budget = budget
        self.items: Sequence[Item] = ()
        self.current: Item | None = None
        """The one that the visitor looks at."""
        self.job: Job | None = None
        """The last one, at work or ended."""
        self.look: Any = None
        """What the visitor wants to see beside the job, such as the detail at a spot."""
        self.compares_gray = False
        """Whether colorings are compared with the photo's gray even if the photo has colors."""
        self.turn, self.showing = threading.Lock(), threading.Lock()
        """Held by a handler that changes what others change, too, which may take a while, and while
        the page is shown another choice of the visitor's; see `panes.one_at_a_time`."""
        self.beginning = threading.Lock()
        """Is held by a handler that begins a job."""
        self.cancels = 0
        """How often the visitor has cancelled."""
        self._root = root
        self._own: Path | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Session[Item]:
        """A new session; Gradio copies the initial value of a `gr.State` for each visitor."""
        return type(self)(self._root, self.budget)

    # files

    @property
    def folder(self) -> Path:
        """The session's own folder.

        Raises:
            ColorflowError: it cannot be made.
        """
        with self._lock:
            if self._own is None:
                self._own = new_folder(self._root, "session-")
            return self._own

    def read(self, upload: Path) -> UploadedPhoto:
        """Read an upload and write its previews into a new folder of the session.

        Raises:
            ColorflowError: the upload cannot be read, or a preview not written.
        """
        return open_photo(upload, self.folder, self.budget)

    def close(self) -> None:
        """Delete everything at once, whatever is still at work."""
        self._is_closed = True
        if self.job:
            self.job.abandon()
        self.items, self.current = (), None
        self.delete_if_closed()

    def delete_if_closed(self) -> None:
        """Delete what was written while the visitor left; called after each longer write."""
        if self._is_closed and self._own:
            shutil.rmtree(self._own, ignore_errors=True)

    # what is open

    def add(self, item: Item) -> None:
        """Add an item; the visitor looks at it if there is no other."""
        with self._lock:
            self.items = [*self.items, item]
        self.current = self.current or item

    def look_at(self, item: Item) -> None:
        """Show another item. The job of the one before ends, and its results stay."""
        if not (self.job and self.job.is_of_all):
            self.stop()
        self.current = item

    def keep(self, items: Collection[Item]) -> None:
        """Close all items but these, and delete their files."""
        with self._lock:
            gone = [one for one in self.items if one not in items]
            self.items = [one for one in self.items if one in items]
        if self.current in gone:
            self.stop()
            self.current = self.items[0] if self.items else None
        for one in gone:
            shutil.rmtree(one.folder, ignore_errors=True)

    def close_all(self) -> None:
        """Close all items, and delete their files."""
        self.keep(())

    def require(self) -> Item:
        """The item that the visitor looks at.

        Raises:
            ColorflowError: there is none.
        """
        if self.current is None:
            raise ColorflowError("There is no photo here; choose one first.")
        return self.current

    @contextmanager
    def unless_left(self, item: Item) -> Iterator[None]:
        """Ignore errors after the visitor has left an item, whose files may be deleted by then."""
        try:
            yield
        except ColorflowError:
            if self.current is item:
                raise

    # work

    def start(self, job: Job | None) -> None:
        """Make a job the current one, if any, after the job before has ended."""
        with self._lock:
            before, self.job = self.job, job
        if before:
            with self.budget.slots.aside():
                before.replace()

    def run(self, job: Job, steps: Generator[Step, None, None]) -> Iterator[Step]:
        """Do a job: give what its steps give, until they are done or the job should end.

        The job before ends first. After this one is replaced, errors are ignored: its files may
        have gone.

        Args:
            job: the job.
            steps: begin when the job has been started.
        """
        self.start(job)
        try:
            with job, closing(steps):
                for step in steps:
                    if job.end:
                        break
                    yield step
        except ColorflowError:
            if job.end != "replaced":
                raise
        finally:
            self.delete_if_closed()

    def cancel(self) -> bool:
        """Ask the job for an end; its results so far stay.

        Returns:
            Whether it was still waiting for its turn, which now is over.
        """
        self.cancels += 1
        if self.job and self.job.state == "waiting":
            self.stop()
            return True
        if self.job:
            self.job.cancel()
        return False

    @contextmanager
    def taking(self, lock: threading.Lock) -> Iterator[None]:
        """Hold a lock of the session, which is waited for, but not for ever; meanwhile others work.

        Whoever has it may never go on: Gradio asks for no further update when a visitor has left.
        """
        is_taken = lock.acquire(blocking=False)
        if not is_taken:
            with self.budget.slots.aside():
                is_taken = lock.acquire(timeout=_TURN_SECONDS)
        try:
            yield
        finally:
            if is_taken:
                lock.release()

    def catch_up(self) -> None:
        """Wait for the end of the handlers that have begun and change something."""
        with self.taking(self.turn):
            pass

    def stop(self) -> None:
        """End the job and wait for its end."""
        self.start(None)
