"""Two pictures of one photo over each other, and a handle that says how much of each is seen."""

from __future__ import annotations

from pathlib import Path

from colorflow.ui.photos import UploadedPhoto, file_url

COMPARE = """
let at = "50";
const show = () => {
    const input = element.querySelector("input");
    if (!input) return;
    input.value = at;
    input.closest(".compare").style.setProperty("--at", at);
    element.querySelector("button").hidden = !document.fullscreenEnabled;
};
element.addEventListener("input", (event) => {
    at = event.target.value;
    show();
});
element.addEventListener("click", (event) => {
    if (!event.target.closest("button")) return;
    if (document.fullscreenElement) document.exitFullscreen();
    else element.querySelector(".compare-frame").requestFullscreen();
});
element.addEventListener("fullscreenchange", () => {
    const label = document.fullscreenElement ? "Exit full screen" : "Full screen";
    element.querySelector("button")?.setAttribute("aria-label", label);
});
watch("value", show);
"""
"""Moves the handle, which stays where it is when other pictures come, and fills the screen."""


def compare_html(photo: UploadedPhoto, before: Path, after: Path) -> str:
    """HTML of two pictures with a handle, which is a range input that covers both.

    Args:
        photo: what both show.
        before: the picture on the left of the handle.
        after: the one on its right.
    """
    return (
        '<div class="compare-frame">'
        f'<div class="compare" style="--ratio:{photo.width / photo.height:.4f}; --at:50">'
        f'<img src="{file_url(after)}" alt="Your photo, colored">'
        f'<img class="before" src="{file_url(before)}" alt="Your photo before">'
        '<span class="handle"></span>'
        '<input type="range" min="0" max="100" step="2" value="50" '
        'aria-label="Percent of the photo before">'
        '<button type="button" aria-label="Full screen">'
        '<svg viewBox="0 0 24 24" aria-hidden="true">'
        '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/></svg></button></div></div>'
    )
