"""What the quiz shows, as HTML: rounds, outcomes, trials of the strict test.

Until a round is answered, nothing here depends on where the truth stands: `Round.truth` is read
only where an `Outcome` is at hand.
"""

from __future__ import annotations

import html
from pathlib import Path
from urllib.parse import quote

from colorflow.quiz.fooling import Answers, Interval, wilson
from colorflow.quiz.game import NEEDED, PRACTICE, TRIALS, Outcome, Score, StrictTest
from colorflow.quiz.rounds import MARGIN, Round
from colorflow.quiz.store import Kind

LETTERS = "ABCDE"
"""What pictures are called in free play, where all are seen at once, and the keys for them."""
TIMES = ("first", "second")
"""And in the strict test, where they are seen one after the other; keys 1 and 2."""

ON_LOAD = """
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const usable = (button) => button?.getClientRects().length > 0 &&
    getComputedStyle(button).visibility === "visible";
let waiting = false;
let pressed = false;

const press = (button) => {
    if (waiting || !usable(button)) return;
    waiting = pressed = true;
    element.classList.add("waiting");
    if ("next" in button.dataset) trigger("next");
    else {
        const token = button.closest("[data-token]").dataset.token;
        trigger("choose", { token, chosen: Number(button.dataset.choice) });
    }
    setTimeout(free, 30000);
};
const free = () => {
    waiting = false;
    element.classList.remove("waiting");
};

element.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-choice], button[data-next]");
    if (button) press(button);
});
document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest("input:not([type=radio]), textarea, select")) return;
    const buttons = [...element.querySelectorAll("button[data-key]")];
    press(buttons.find((button) => button.dataset.key === event.key.toUpperCase()));
});

const flash = async () => {
    const trial = element.querySelector(".quiz-trial");
    if (!trial) return;
    const { token } = trial.dataset;
    const here = () => trial.isConnected && trial.dataset.token === token;
    const images = [...trial.querySelectorAll("img")];
    await Promise.allSettled(images.map((image) => image.decode()));
    for (const image of images) {
        await pause(500);
        if (!here()) return;
        image.classList.add("now");
        await pause(1000);
        if (!here()) return;
        image.classList.remove("now");
    }
    trial.querySelector(".quiz-ask").classList.add("now");
    trial.querySelector("[data-focus]").focus({ preventScroll: true });
};

watch("value", () => {
    free();
    if (pressed) element.querySelector("[data-focus]")?.focus({ preventScroll: true });
    flash();
});
"""
"""Clicks, keys, and the timing of the strict test."""


def intro(text: str, button: str | None) -> str:
    """What comes before the first picture; no button where there is nothing to start."""
    start = _next_button(button) if button else ""
    return f'<div class="quiz-card">{text}{start}</div>'


def round_html(round_: Round) -> str:
    """Pictures to choose from."""
    choices = "".join(
        f'<button type="button" class="quiz-choice" data-choice="{place}" '
        f'data-key="{LETTERS[place]}">'
        f"{_image(round_, place, f'Picture {LETTERS[place]}')}"
        f'<span class="quiz-caption" aria-hidden="true">{LETTERS[place]}</span></button>'
        for place in range(round_.k)
    )
    label = f"{round_.k} pictures, one of which is the photo as it was taken"
    return _grid(
        round_,
        choices,
        f'data-token="{round_.token}" data-focus tabindex="-1" role="group" aria-label="{label}"',
    )


def outcome_html(outcome: Outcome, button: str) -> str:
    """The same pictures, and which one was the truth."""
    round_ = outcome.round
    figures = []
    for place in range(round_.k):
        true, chosen = place == round_.truth, place == outcome.chosen
        said = "the photo as it was taken" if true else "colored by the computer"
        kind = "true" if true else "false" if chosen else "other"
        mark = '<span aria-hidden="true">✓</span> ' if true else ""
        name = name_of(outcome, place)
        figures.append(
            f'<figure class="quiz-choice {kind}">{_image(round_, place, f"{name}, {said}")}'
            f'<figcaption class="quiz-caption">{mark}{name}: {said}'
            f"{'; your choice' if chosen else ''}</figcaption></figure>"
        )
    return _grid(round_, "".join(figures), "") + _next_button(button)


def name_of(outcome: Outcome, place: int) -> str:
    """What a picture was called when it was to be chosen."""
    if outcome.mode == "play":
        return f"Picture {LETTERS[place]}"
    return f"The {TIMES[place]} picture"


def trial_html(round_: Round, test: StrictTest) -> str:
    """Two pictures that are shown one after the other, and then the question."""
    images = "".join(_image(round_, place, f"The {TIMES[place]} picture") for place in (0, 1))
    buttons = "".join(
        f'<button type="button" data-choice="{place}" data-key="{place + 1}" '
        f"{'' if place else 'data-focus'}>The {time} one</button>"
        for place, time in enumerate(TIMES)
    )
    where = (
        f"Practice {test.number} of {PRACTICE}"
        if test.mode == "practice"
        else f"Trial {test.number - PRACTICE} of {TRIALS}"
    )
    return (
        f'<div class="quiz-trial" data-token="{round_.token}">'
        f'<p class="quiz-where">{where}</p>'
        f'<progress max="{NEEDED}" value="{test.number - 1}" aria-label="{where}"></progress>'
        f'<div class="quiz-flash" style="{_shape(round_)}"><span aria-hidden="true">+</span>'
        f"{images}</div>"
        '<div class="quiz-ask"><p>Which one was the photo as it was taken?</p>'
        f"<div>{buttons}</div></div></div>"
    )


def score_html(score: Score, kind: Kind, own: Answers | None) -> str:
    """Score of free play, and this player's fooling rate with so many pictures."""
    cells = [
        ("Right", f"{score.right} of {score.rounds}", "in free play"),
        ("In a row", str(score.streak), f"best {score.best}"),
        ("Fooled", *_fooled(kind, own)),
    ]
    return (
        '<dl class="quiz-score">'
        + "".join(
            f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>"
            for name, value, note in cells
        )
        + "</dl>"
    )


def verdict(text: str) -> str:
    """A sentence above the pictures."""
    return f'<p class="quiz-verdict">{html.escape(text)}</p>'


def percent(share: float) -> str:
    """Such as 33 %."""
    return f"{100 * share:.0f} %"


def between(interval: Interval) -> str:
    """Such as 12 to 65 %."""
    return f"{100 * interval.low:.0f} to {percent(interval.high)}"


def chance(kind: Kind) -> float:
    """Share of wrong answers of someone who guesses."""
    return 1 - 1 / kind.k


def _fooled(kind: Kind, own: Answers | None) -> tuple[str, str]:
    guess = f"guessing among {kind.k} gives {percent(chance(kind))}"
    if own is None or own.fooling_rate is None:
        return "–", guess
    return percent(own.fooling_rate), f"95 %: {between(wilson(own))}; {guess}"


def _grid(round_: Round, inside: str, attributes: str) -> str:
    wide = "wide" if round_.width > 1.1 * round_.height else "high"
    return (
        f'<div class="quiz-grid of{round_.k} {wide}" style="{_shape(round_)}" {attributes}>'
        f"{inside}</div>"
    )


def _shape(round_: Round) -> str:
    return f"--ratio:{round_.width / round_.height:.4f}"


def _image(round_: Round, place: int, alt: str) -> str:
    """One picture of the sheet: all others are outside the frame."""
    step = round_.height + 2 * MARGIN
    position = 100 * (place * step + MARGIN) / (round_.k * step - round_.height)
    return (
        f'<img src="{address(round_.sheet)}" alt="{html.escape(alt)}" draggable="false" '
        f'style="object-position:0 {position:.4f}%">'
    )


def address(path: Path) -> str:
    """Where the page's server gives a file of its own folder, seen from the page."""
    return f"gradio_api/file={quote(path.as_posix())}"


def _next_button(text: str) -> str:
    return (
        f'<p class="quiz-next"><button type="button" data-next data-focus>'
        f"{html.escape(text)}</button></p>"
    )
