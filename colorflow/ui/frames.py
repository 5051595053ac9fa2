"""A sequence of pictures in HTML, with a slider and a button that plays it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from colorflow.ui.photos import file_url

PLAYER = """
let timer = null;
const slider = () => element.querySelector("input[type=range]");
const button = () => element.querySelector("button[data-play]");
const stop = () => {
    clearInterval(timer);
    timer = null;
    if (button()) button().textContent = "Play";
};
const show = () => {
    const input = slider();
    if (!input) return;
    element.querySelectorAll("[data-frame]").forEach((frame) => {
        frame.hidden = frame.dataset.frame !== input.value;
    });
    const shown = element.querySelector(`[data-frame="${input.value}"] figcaption`);
    input.setAttribute("aria-valuetext", shown.textContent.trim());
};
const play = () => {
    if (timer) return stop();
    const input = slider();
    if (input.value === input.max) input.value = input.min;
    else input.value = Number(input.value) + 1;
    show();
    button().textContent = "Pause";
    timer = setInterval(() => {
        if (!input.isConnected) return stop();
        input.value = Number(input.value) + 1;
        show();
        if (input.value === input.max) stop();
    }, Number(input.dataset.pace));
};
element.addEventListener("input", (event) => {
    if (!event.target.matches("input[type=range]")) return;
    stop();
    show();
});
element.addEventListener("click", (event) => {
    if (event.target.closest("button[data-play]")) play();
});
watch("value", stop);
"""
"""Steps from picture to picture; page.css hides the button where reduced motion is preferred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A small picture beside a large one."""

    picture: Path
    caption: str
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A large picture, small ones beside it, and a sentence."""

    picture: Path
    alt: str
    sentence: str
    parts: Sequence[Part] = ()


def player(frames: Sequence[Frame], *, label: str, ratio: float, pace: int) -> str:
    """HTML of frames with a slider; the first frame is shown.

    Args:
        frames: at least two.
        label: of the slider.
        ratio: width of the large pictures divided by their height.
        pace: milliseconds per frame when they are played.
    """
    figures = "".join(_figure(frame, index) for index, frame in enumerate(frames))
    sentence = html.escape(frames[0].sentence)
    return (
        f'<div class="player" style="--ratio:{ratio:.4f}">'
        '<div class="player-controls"><button type="button" data-play>Play</button>'
        f"<label><span>{html.escape(label)}</span>"
        f'<input type="range" min="0" max="{len(frames) - 1}" step="1" value="0" '
        f'data-pace="{pace}" aria-valuetext="{sentence}"></label></div>{figures}</div>'
    )


def row(parts: Sequence[Part], *, ratio: float) -> str:
    """HTML of pictures beside each other; `ratio` as in `player`."""
    figures = "".join(_part(part) for part in parts)
    return f'<div class="how-row" style="--ratio:{ratio:.4f}">{figures}</div>'


def _figure(frame: Frame, index: int) -> str:
    parts = "".join(_part(part) for part in frame.parts)
    return (
        f'<figure data-frame="{index}"{" hidden" if index else ""}>'
        f"<figcaption>{html.escape(frame.sentence)}</figcaption>"
        f'<div class="how-pictures">{_image(frame.picture, frame.alt, "how-large")}'
        f'<div class="how-parts">{parts}</div></div></figure>'
    )


def _part(part: Part) -> str:
    return (
        f'<div class="how-part">{_image(part.picture, part.alt, "how-small")}'
        f"<span>{html.escape(part.caption)}</span></div>"
    )


def _image(picture: Path, alt: str, kind: str) -> str:
    return f'<img class="{kind}" src="{file_url(picture)}" alt="{html.escape(alt)}">'
