"""HTML of the quiz: trials of free play and of the strict test, outcomes, the score.

Nothing that is shown before the answer depends on the position of the true picture: `Trial.truth`
is read only from an `Outcome`.
"""

from __future__ import annotations

import html

from colorflow.quiz.free_play import FreePlayScore
from colorflow.quiz.game import Outcome
from colorflow.quiz.statistics import Interval, Tally
from colorflow.quiz.store import GameKind
from colorflow.quiz.strict_test import NEEDED, PRACTICE, TRIALS, StrictTest
from colorflow.quiz.trials import MARGIN, Trial
from colorflow.ui.photos import file_url

LETTERS = "ABCDE"
"""Names and keys of pictures in free play, where all are seen at once."""
TIMES = ("first", "second")
"""Names in the strict test, where pictures are seen one after the other; keys 1 and 2."""

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

// The pictures are as large as the window allows if they begin at its upper edge. They stay where
// they are when their outcome is shown, with a button below it.
const BUTTON = 96;
const bringIntoView = () => {
    if (!element.querySelector("button[data-choice]")) return;
    const { top, bottom } = element.getBoundingClientRect();
    if (top < 0 || bottom + BUTTON > innerHeight)
        document.querySelector("#quiz-round").scrollIntoView();
};

watch("value", () => {
    free();
    if (pressed) {
        element.querySelector("[data-focus]")?.focus({ preventScroll: true });
        bringIntoView();
    }
    flash();
});
"""
"""Script for clicks, keys, and the timing of the strict test."""


def intro(text: str, button: str | None) -> str:
    """What comes before the first picture, with a button unless there is nothing to start."""
    start = _next_button(button) if button else ""
    return f'<div class="quiz-card">{text}{start}</div>'


def free_trial_html(trial: Trial) -> str:
    """A trial of free play: pictures to choose from."""
    choices = "".join(
        f'<button type="button" class="quiz-choice" data-choice="{index}" '
        f'data-key="{LETTERS[index]}">'
        f"{_picture(trial, index, f'Picture {LETTERS[index]}', LETTERS[index])}</button>"
        for index in range(trial.k)
    )
    label = f"{trial.k} pictures, one of which is the photo as it was taken"
    return _grid(
        trial,
        choices,
        f'data-token="{trial.token}" data-focus tabindex="-1" role="group" aria-label="{label}"',
    )


def outcome_html(outcome: Outcome, button: str) -> str:
    """The same pictures, and which one is true."""
    trial = outcome.trial
    figures = []
    for index in range(trial.k):
        true, chosen = index == trial.truth, index == outcome.chosen
        origin = "the photo as it was taken" if true else "colored by the computer"
        kind = "true" if true else "false" if chosen else "other"
        mark = '<span aria-hidden="true">✓</span> ' if true else ""
        name = name_of(outcome, index)
        key = LETTERS[index] if outcome.mode == "play" else str(index + 1)
        figures.append(
            f'<figure class="quiz-choice {kind}">'
            f"{_picture(trial, index, f'{name}, {origin}', key)}"
            f'<figcaption class="quiz-caption">{mark}{key}: {origin}'
            f"{'; your choice' if chosen else ''}</figcaption></figure>"
        )
    return _grid(trial, "".join(figures), "") + _next_button(button)


def name_of(outcome: Outcome, index: int) -> str:
    """Name of a picture when it was to be chosen."""
    if outcome.mode == "play":
        return f"Picture {LETTERS[index]}"
    return f"The {TIMES[index]} picture"


def strict_trial_html(trial: Trial, test: StrictTest) -> str:
    """A trial of the strict test: two pictures one after the other, and then the question."""
    images = "".join(_image(trial, index, f"The {TIMES[index]} picture") for index in (0, 1))
    buttons = "".join(
        f'<button type="button" data-choice="{index}" data-key="{index + 1}" '
        f"{'' if index else 'data-focus'}>The {time} one</button>"
        for index, time in enumerate(TIMES)
    )
    where = (
        f"Practice {test.number} of {PRACTICE}"
        if test.mode == "practice"
        else f"Trial {test.number - PRACTICE} of {TRIALS}"
    )
    return (
        f'<div class="quiz-trial" data-token="{trial.token}">'
        f'<p class="quiz-where">{where}</p>'
        f'<progress max="{NEEDED}" value="{test.number - 1}" aria-label="{where}"></progress>'
        f'<div class="quiz-flash" style="{_shape(trial)}"><span aria-hidden="true">+</span>'
        f"{images}</div>"
        '<div class="quiz-ask"><p>Which one was the photo as it was taken?</p>'
        f"<div>{buttons}</div></div></div>"
    )


def score_html(score: FreePlayScore, kind: GameKind, own: Tally | None) -> str:
    """The score of free play, and the player's fooling rate with this number of pictures."""
    cells = [
        ("Right", f"{score.right} of {score.answered}", "in free play"),
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
    """A share such as 33 %."""
    return f"{100 * share:.0f} %"


def between(interval: Interval) -> str:
    """An interval such as 12 to 65 %."""
    return f"{100 * interval.low:.0f} to {percent(interval.high)}"


def chance(kind: GameKind) -> float:
    """Fooling rate of a player who guesses."""
    return 1 - 1 / kind.k


def _fooled(kind: GameKind, own: Tally | None) -> tuple[str, str]:
    guess = f"guessing among {kind.k} gives {percent(chance(kind))}"
    if own is None or own.fooling_rate is None:
        return "–", guess
    return percent(own.fooling_rate), guess


def _grid(trial: Trial, inside: str, attributes: str) -> str:
    return f'<div class="quiz-grid of{trial.k}" style="{_shape(trial)}" {attributes}>{inside}</div>'


def _shape(trial: Trial) -> str:
    return f"--ratio:{trial.width / trial.height:.4f}"


def _picture(trial: Trial, index: int, alt: str, key: str) -> str:
    """One picture, with the key that chooses it in its corner."""
    return (
        f'<span class="quiz-picture">{_image(trial, index, alt)}'
        f'<kbd aria-hidden="true">{key}</kbd></span>'
    )


def _image(trial: Trial, index: int, alt: str) -> str:
    """One picture of the sheet; the others are outside of the frame."""
    step = trial.height + 2 * MARGIN
    position = 100 * (index * step + MARGIN) / (trial.k * step - trial.height)
    return (
        f'<img src="{file_url(trial.sheet)}" alt="{html.escape(alt)}" draggable="false" '
        f'style="object-position:0 {position:.4f}%">'
    )


def _next_button(text: str) -> str:
    return (
        f'<p class="quiz-next"><button type="button" data-next data-focus>'
        f"{html.escape(text)}</button></p>"
    )
