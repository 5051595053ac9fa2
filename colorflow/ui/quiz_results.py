"""Fooling rates of the quiz as HTML: a plot and the same in words."""

from __future__ import annotations

import html
from collections.abc import Mapping

from colorflow.quiz.fooling import (
    BOOTSTRAP_SEED,
    Answers,
    Interval,
    fooling_rate,
    two_level_bootstrap,
    wilson,
)
from colorflow.quiz.store import Kind
from colorflow.ui.quiz_stage import between, chance, percent

ABOUT = (
    "Fooled means that a coloring was taken for the photo as it was taken. Your first answer to "
    "each photo counts; practice, a test that was not finished, answers within half a second or "
    "after ten minutes, and colorings of other weights do not. Visitors who share a network "
    "address count as one. The dashed line is what guessing gives: colorings that nobody can tell "
    "from the truth come close to it."
)


def results_html(
    all_players: Mapping[Kind, Mapping[str, Answers]],
    own: Mapping[Kind, Answers],
    origin: str,
) -> str:
    """One part for each way to play that has answers.

    Args:
        all_players: by way to play and player.
        own: of the player who looks at it.
        origin: a sentence on where the photos are from.
    """
    kinds = sorted(all_players.keys() | own.keys(), key=lambda kind: (kind.mode != "test", kind.k))
    if not kinds:
        return '<div class="quiz-card"><p>Nobody has played yet.</p></div>'
    parts = [_part(kind, all_players.get(kind, {}), own.get(kind)) for kind in kinds]
    return f'<p class="quiz-about">{html.escape(f"{ABOUT} {origin}")}</p>{"".join(parts)}'


def title(kind: Kind) -> str:
    """The way to play, for people."""
    if kind.mode == "test":
        return "Strict test: two pictures, one second each"
    return f"Free play with {kind.k} pictures"


def _part(kind: Kind, players: Mapping[str, Answers], own: Answers | None) -> str:
    lanes, words = [], []
    if own is not None and own.fooling_rate is not None:
        interval = wilson(own)
        lanes.append(_lane("you", "You", own.fooling_rate, interval))
        words.append(
            f"You: {own.wrong} of {own.answered} ({percent(own.fooling_rate)}), "
            f"95 % interval {between(interval)} (Wilson)."
        )
    judges = list(players.values())
    if judges:
        rate, over = fooling_rate(judges), _over_players(judges)
        lanes.append(_lane("all", "All", rate, over))
        words.append(_all_in_words(judges, rate, over))
    guess = f"Guessing gives {percent(chance(kind))}."
    said = html.escape(" ".join([*words, guess]))
    return (
        f'<section class="quiz-result"><h3>{title(kind)}</h3>'
        f'<div class="quiz-plot" role="img" aria-label="{said}">{"".join(lanes)}'
        f'<div class="axis">{_axis()}</div>'
        f'<span class="chance" style="--at:{chance(kind):.4f}"></span></div>'
        + "".join(f"<p>{html.escape(word)}</p>" for word in words)
        + "</section>"
    )


def _over_players(judges: list[Answers]) -> Interval | None:
    return two_level_bootstrap(judges, BOOTSTRAP_SEED) if len(judges) > 1 else None


def _all_in_words(judges: list[Answers], rate: float, interval: Interval | None) -> str:
    wrong, answered = sum(one.wrong for one in judges), sum(one.answered for one in judges)
    share = f"{wrong} of {answered} ({percent(rate)})"
    if interval is None:
        return f"All: one player so far, {share}; an interval over players needs two."
    return (
        f"All {len(judges)} players: {share}, 95 % interval {between(interval)} "
        "(bootstrap over players and their answers)."
    )


def _lane(kind: str, name: str, rate: float, interval: Interval | None) -> str:
    bar = (
        f'<span class="bar" style="--from:{interval.low:.4f};--to:{interval.high:.4f}"></span>'
        if interval
        else ""
    )
    return (
        f'<div class="lane {kind}"><span class="name">{name}</span><div class="track">{bar}'
        f'<span class="dot" style="--at:{rate:.4f}"></span></div></div>'
    )


def _axis() -> str:
    return "".join(
        f'<span style="--at:{share}">{percent(share)}</span>' for share in (0, 0.25, 0.5, 0.75, 1)
    )
