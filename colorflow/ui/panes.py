"""What the tabs are put together from: where photos are uploaded, and where results are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import gradio as gr

from colorflow.photo import KINDS
from colorflow.ui.colorings import ShownColoring, write_full_size
from colorflow.ui.limits import LONG_QUEUE, WORK_QUEUE, UploadSpace
from colorflow.ui.photos import UploadedPhoto, file_url
from colorflow.ui.session import Session
from colorflow.ui.status import FAILURES, Updates, line, problem
from colorflow.ui.storage import KEEP_SECONDS

AT_ONCE: dict[str, Any] = {
    "show_progress": "hidden",
    "trigger_mode": "multiple",
    "concurrency_id": "at once",  # Gradio takes one id's events in turn, but its ids at random
    "concurrency_limit": None,
    "api_visibility": "private",
}
"""Options of events whose handlers answer at once, whatever else is going on."""
IN_TURN: dict[str, Any] = {"api_visibility": "private", **WORK_QUEUE}
"""Options of events whose handlers wait for their turn in the queue of all work."""
AFTERWARDS: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "multiple", **IN_TURN}
"""Options of events that come by themselves or follow others, in the queue of all work."""
FOR_LONG: dict[str, Any] = {**AFTERWARDS, **LONG_QUEUE}
"""Options of events that take minutes and show how far they are."""

TREAT_AS_GRAY = "Treat as gray"
"""What the button says that colors the lightness of a photo with colors."""
HAS_COLORS = (
    "This photo already has colors. If it is the scan of a gray photo, or to see it in other "
    "colors, treat it as gray"
)
"""What is said of a photo that is left alone until that button is pressed."""

OWN_FORMAT = "Its own"
SUFFIXES = {OWN_FORMAT: None, "JPEG": ".jpg", "PNG": ".png"}
"""Formats of downloads; its own is JPEG for a JPEG, and PNG for all others."""

_FETCH = """
(file) => {
    if (!file) return;
    const link = document.createElement("a");
    link.href = file.url;
    link.download = file.orig_name ?? "";
    link.click();
    document.dispatchEvent(new CustomEvent("saved", { detail: link.download }));
}
"""


def one_at_a_time(
    handler: Callable[..., Updates], lock: Literal["turn", "showing"] = "turn"
) -> Callable[..., Iterator[Updates]]:
    """Let a handler begin after the one before of its session, whose end has been shown by then.

    Gradio works on several events of a visitor at once. Each would change what the other has read,
    and the page would keep the picture of whichever ends last.

    Args:
        handler: takes the visitor's `Session` among other values, as the last one of these.
        lock: of the session, which those have in common that wait for each other.
    """

    @wraps(handler)
    def steps(*values: Any) -> Iterator[Updates]:
        *_, session = (one for one in values if isinstance(one, Session))
        with session.taking(getattr(session, lock)):
            shown = handler(*values)
            yield shown
        # Gradio sends the last one twice, and by then another handler may have shown its end.
        yield dict.fromkeys(shown, gr.skip())

    return steps


def session_state(space: UploadSpace, kind: type[Session[Any]] = Session) -> gr.State:
    """Make the state that holds a session for each visitor.

    Gradio deletes a state, and so its files, only after a handler has given it as an output.

    Args:
        space: where uploads go.
        kind: of the session.
    """
    session = kind(space.root, space.budget)
    return gr.State(session, time_to_live=KEEP_SECONDS, delete_callback=kind.close)


def script(name: str) -> str:
    """A script of this folder, for a `gr.HTML`."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def formats_line(max_megabytes: int) -> str:
    """Which photos are taken, as HTML."""
    return line(f"{KINDS}, up to {max_megabytes} MB.")


def saved_by_browser(made: gr.events.Dependency, file: gr.DownloadButton) -> None:
    """Let the browser save a file as soon as it is made.

    Args:
        made: an event whose handler makes it.
        file: gets it, and stays invisible: it has the class "saved".
    """
    made.success(None, [file], js=_FETCH)


def picture(elem_id: str, **options: Any) -> gr.Image:
    """A picture that the server shows.

    Args:
        elem_id: its id.
        options: of `gr.Image`.
    """
    plain: dict[str, Any] = {"show_label": False, "format": "png", "interactive": False}
    return gr.Image(**plain, **{"buttons": [], "elem_id": elem_id, **options})


def gray_button(elem_id: str) -> gr.Button:
    """A button that is seen while a photo is left alone because it has colors."""
    return gr.Button(TREAT_AS_GRAY, visible=False, elem_id=elem_id)


class UploadPane:
    """A field for uploads, and a preview of the photo if wanted.

    Args:
        elem_id: of the field.
        label: of the field.
        album: whether several photos and zip archives of photos can be uploaded at once.
    """

    def __init__(self, elem_id: str, label: str, *, album: bool = False) -> None:
        self.upload = gr.File(
            label=label,
            file_count="multiple" if album else "single",
            height=140,
            elem_id=elem_id,
            # The browser's dialog offers them first. What is taken is decided by the contents:
            # browsers do not know the names of all photos.
            elem_classes="album" if album else "photos",
        )
        self.changes = [self.upload.upload, self.upload.clear]
        if album:
            self.changes.append(self.upload.delete)

    def add_preview(self, elem_id: str, height: int) -> None:
        """Put the preview below what is there, `height` in pixels."""
        self.preview = picture(elem_id, visible=False, height=height)

    def shown(self, photo: UploadedPhoto | None) -> Updates:
        """Show a photo, or nothing."""
        path = str(photo.preview) if photo else None
        return {self.preview: gr.update(value=path, visible=photo is not None)}


class Download:
    """A button that makes the chosen coloring in full size, which the browser saves.

    Args:
        prefix: of the elem_ids.
        status: line in which errors are told.
    """

    def __init__(self, prefix: str, status: gr.HTML) -> None:
        self._status = status
        name = f"{prefix}download"
        self.button = gr.Button("Download", variant="primary", min_width=240, elem_id=name)
        self.file = gr.DownloadButton(elem_id=f"{name}-file", elem_classes="saved")

    def connect(self, session: gr.State, format_: gr.Radio | None = None) -> None:
        """Connect the button with its handler.

        Args:
            session: holds the visitor's `Session`.
            format_: where the visitor chooses one of `SUFFIXES`, if anywhere.
        """
        pressed = self.button.click(_clicked_before, **{**AT_ONCE, "trigger_mode": "once"})
        made = pressed.then(
            self.save,
            [session] if format_ is None else [session, format_],
            [self.file, self._status],
            show_progress_on=self.button,
            **IN_TURN,
        )
        saved_by_browser(made, self.file)

    def save(self, session: Session[Any], format_: str = OWN_FORMAT) -> Updates:
        """Write the coloring that is chosen now, even if another one is chosen meanwhile."""
        session.catch_up()
        return self.prepare(session, format_, session.current and session.current.chosen)

    def prepare(
        self,
        session: Session[Any],
        format_: str = OWN_FORMAT,
        kept: ShownColoring | None = None,
    ) -> Updates:
        """Write a coloring in full size, for the browser to save.

        Nothing is saved if the visitor has left it meanwhile.

        Args:
            session: the visitor's.
            format_: one of `SUFFIXES`.
            kept: a coloring in place of the one that is chosen, and then still is.
        """
        current, path, said = session.current, None, gr.skip()
        if current is None or (chosen := kept or current.chosen) is None:
            return {self.file: None}
        try:
            path = str(write_full_size(current.photo, chosen, SUFFIXES[format_]))
        except FAILURES as error:
            said = problem(error)
        finally:
            session.delete_if_closed()
        is_there = session.current is current and chosen.folder.exists()
        if not is_there or chosen not in (kept, current.chosen):
            return {self.file: None}
        return {self.file: path, self._status: said}


def _clicked_before() -> None:
    """The first step of what is about a choice: choices that came before are known after it."""


class ComparePane:
    """How to begin, until there is a result; then the result, compared with the photo.

    Args:
        prefix: of the elem_ids.
        steps: how to begin, as HTML.
        status: line in which errors of the download are told.

    Attributes:
        download: of the result, for whoever builds the tab to set.
    """

    download: Download

    def __init__(self, prefix: str, steps: str, status: gr.HTML) -> None:
        self._prefix, self._status = prefix, status
        self.welcome = gr.HTML(steps, js_on_load=script("listen.js"), elem_id=f"{prefix}welcome")
        self.column = gr.Column(visible=False, elem_id=f"{prefix}results")

    def add_compare(self, heading_id: str) -> None:
        """Put two pictures and a handle between them below what is there."""
        gr.HTML("<h2>Drag the handle to compare</h2>", elem_id=heading_id)
        self.compare = gr.HTML(
            "",
            js_on_load=script("compare.js"),
            apply_default_css=False,
            elem_id=f"{self._prefix}compare",
            full="",  # URL of the second picture in full size
        )

    def connect(self, session: gr.State, format_: gr.Radio | None = None) -> None:
        """Connect the download, as `Download.connect`, and the picture in full size."""
        self.download.connect(session, format_)
        self.compare.select(
            self.in_full_size, [session], [self.compare, self._status], **AFTERWARDS
        )

    def in_full_size(self, session: Session[Any]) -> Updates:
        """The chosen coloring in full size, for a visitor who looks at its pixels."""
        made = self.download.prepare(session, "JPEG")
        path = made.pop(self.download.file)
        return {self.compare: gr.update(full=file_url(Path(path)) if path else ""), **made}

    def shown(self) -> Updates:
        """Show the result instead of how to begin."""
        return {self.welcome: gr.update(visible=False), self.column: gr.update(visible=True)}

    def emptied(self) -> Updates:
        """Show how to begin."""
        return {
            self.welcome: gr.update(visible=True),
            self.column: gr.update(visible=False),
            self.compare: "",
        }

    def compared(self, photo: UploadedPhoto, before: Path, after: Path) -> Updates:
        """Show two pictures of a photo; the second is what the button downloads."""
        return {
            self.compare: compare_html(photo, before, after),
            self.download.button: f"Download, {photo.width} × {photo.height} pixels",
        }


def compare_html(photo: UploadedPhoto, before: Path, after: Path, how: str = "colored") -> str:
    """HTML of two pictures with a handle, which is a range input that covers both.

    Args:
        photo: what both show.
        before: the picture on the left of the handle.
        after: the one on its right.
        how: the second shows the photo, for screen readers.
    """
    return (
        f'<div class="compare-frame" style="--ratio:{photo.width / photo.height:.4f}">'
        '<div class="compare" style="--at:50">'
        f'<img src="{file_url(after)}" alt="Your photo, {how}">'
        f'<img class="before" src="{file_url(before)}" alt="Your photo before">'
        '<span class="handle"></span>'
        '<input type="range" min="0" max="100" step="2" value="50" '
        'aria-label="Percent of the photo before">'
        "</div>"
        f'<div class="whole" data-width="{photo.width}" tabindex="0" role="group" '
        'aria-label="The colored photo at 100 %"></div>'
        '<button type="button" class="zoom" aria-label="Zoom to 100 %">100 %</button>'
        '<button type="button" class="full" aria-label="Full screen">'
        '<svg viewBox="0 0 24 24" aria-hidden="true">'
        '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/></svg></button></div>'
    )
