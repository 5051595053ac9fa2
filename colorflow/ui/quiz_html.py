"""HTML of the quiz: trials, their outcomes, the score, and the results as plots and in words.

Nothing that is shown before the answer depends on the position of the true picture: `Trial.truth`
is read only from an `Outcome`.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

from colorflow.quiz.game import Outcome, Score
from colorflow.quiz.statistics import Interval, Tally, bootstrap_interval, total
from colorflow.quiz.trials import MARGIN, Trial
from colorflow.ui.photos import file_url

LETTERS = "ABCDE"
"""Names and keys of pictures."""

_ABOUT = (
    "Fooled means that a coloring was taken for the photo as it was taken. Your first answer to "
    "each photo counts, in free play and in the test; a test that was not finished, answers within "
    "half a second or after ten minutes, and colorings of other weights do not. Visitors who share "
    "a network address count as one. Colorings that nobody can tell from the truth come close to "
    "what guessing gives. The interval is Wilson's for one player; for several it is a bootstrap "
    "over players and their answers."
)


def intro(text: str, button: str | None) -> str:
    """What comes before the first picture, with a button unless there is nothing to start."""
    start = _next_button(button) if button else ""
    return f'<div class="quiz-card">{text}{start}</div>'


def trial_html(trial: Trial) -> str:
    """A trial: pictures to choose from."""
    choices = "".join(
        f'<button type="button" class="quiz-choice" data-choice="{index}" '
        f'data-key="{LETTERS[index]}">{_picture(trial, index, f"Picture {LETTERS[index]}")}'
        "</button>"
        for index in range(trial.k)
    )
    label = f"{trial.k} pictures, one of which is the photo as it was taken"
    return _grid(
        trial,
        choices,
        f'data-token="{trial.token}" data-focus tabindex="-1" role="group" aria-label="{label}"',
    )


def outcome_html(outcome: Outcome) -> str:
    """The same pictures, and which one is true."""
    trial = outcome.trial
    figures = []
    for index, letter in enumerate(LETTERS[: trial.k]):
        true, chosen = index == trial.truth, index == outcome.chosen
        origin = "the photo as it was taken" if true else "colored by the computer"
        kind = "true" if true else "false" if chosen else "other"
        mark = '<span aria-hidden="true">✓</span> ' if true else ""
        figures.append(
            f'<figure class="quiz-choice {kind}">'
            f"{_picture(trial, index, f'Picture {letter}, {origin}')}"
            f'<figcaption class="quiz-caption">{mark}{letter}: {origin}'
            f"{'; your choice' if chosen else ''}</figcaption></figure>"
        )
    return _grid(trial, "".join(figures), "") + _next_button("Next")


def score_html(score: Score) -> str:
    """The score of a game; nothing before the first answer."""
    if not score.answered:
        return ""
    return (
        f'<p class="quiz-score"><strong>{score.right} of {score.answered} right</strong>; guessing '
        f"gives {score.guessed:.1f}. Right in a row: {score.streak}, at best {score.best}.</p>"
    )


def test_result(tally: Tally, trials: int) -> str:
    """How often a player was fooled in a test of so many trials."""
    sentences = []
    if tally.answered:
        sentences.append(
            f"In {tally.wrong} of {tally.answered} trials you took the computer's colors for the "
            f"photo's: {_percent(tally.fooling_rate)}, 95 % interval {_between(tally.interval)}. "
            "Guessing gives 50 %."
        )
    if missed := trials - tally.answered:
        sentences.append(f"{missed} answers came too soon or too late to count.")
    return f"<h3>That was the test</h3><p>{' '.join(sentences)}</p>"


def results_html(tallies: Mapping[int, Mapping[str, Tally]], own: str, origin: str) -> str:
    """Fooling rates as a table.

    Args:
        tallies: of all players, by number of pictures and player.
        own: the player who sees the results.
        origin: a sentence on where the photos are from.
    """
    if not tallies:
        return '<div class="quiz-card"><p>Nobody has played yet.</p></div>'
    rows = [("Pictures", "Player", "Fooled", "95 % interval", "Guessing")]
    for k, players in sorted(tallies.items()):
        judges = list(players.values())
        everybody = judges[0].interval if len(judges) == 1 else bootstrap_interval(judges)
        shown = [(f"All ({len(judges)})", total(judges), everybody)]
        if mine := players.get(own):
            shown.insert(0, ("You", mine, mine.interval))
        for who, tally, interval in shown:
            fooled = f"{tally.wrong} of {tally.answered} ({_percent(tally.fooling_rate)})"
            rows.append((f"{k}", who, fooled, _between(interval), _percent(1 - 1 / k)))
    lines = [
        f'<th scope="row">{k}</th><td>{"</td><td>".join(cells)}</td>' for k, *cells in rows[1:]
    ]
    head = "".join(f'<th scope="col">{name}</th>' for name in rows[0])
    body = "".join(f"<tr>{one}</tr>" for one in lines)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f'<p class="quiz-about">{html.escape(f"{_ABOUT} {origin}")}</p>'
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _between(interval: Interval) -> str:
    """An interval such as 12 to 65 %."""
    return f"{100 * interval.low:.0f} to {_percent(interval.high)}"


def _grid(trial: Trial, inside: str, attributes: str) -> str:
    ratio = f"--ratio:{trial.width / trial.height:.4f}"
    return f'<div class="quiz-grid of{trial.k}" style="{ratio}" {attributes}>{inside}</div>'


def _picture(trial: Trial, index: int, alt: str) -> str:
    """One picture of the sheet, with its key in the corner; the others are outside of the frame."""
    step = trial.height + 2 * MARGIN
    position = 100 * (index * step + MARGIN) / (trial.k * step - trial.height)
    return (
        f'<span class="quiz-picture"><img src="{file_url(trial.sheet)}" alt="{html.escape(alt)}" '
        f'draggable="false" style="object-position:0 {position:.4f}%">'
        f'<kbd aria-hidden="true">{LETTERS[index]}</kbd></span>'
    )


def _next_button(text: str) -> str:
    return (
        f'<p class="quiz-next"><button type="button" data-next data-focus>'
        f"{html.escape(text)}</button></p>"
    )
