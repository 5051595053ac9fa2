"""HTML of the quiz's results: fooling rates as a plot and in words."""

from __future__ import annotations

import html
from collections.abc import Mapping

from colorflow.quiz.statistics import (
    BOOTSTRAP_SEED,
    Interval,
    Tally,
    total,
    two_level_bootstrap,
)
from colorflow.quiz.store import GameKind
from colorflow.ui.quiz_html import between, chance, percent

ABOUT = (
    "Fooled means that a coloring was taken for the photo as it was taken. Your first answer to "
    "each photo counts; practice, a test that was not finished, answers within half a second or "
    "after ten minutes, and colorings of other weights do not. Visitors who share a network "
    "address count as one. The dashed line is what guessing gives: colorings that nobody can tell "
    "from the truth come close to it."
)


def results_html(
    all_players: Mapping[GameKind, Mapping[str, Tally]],
    own: Mapping[GameKind, Tally],
    origin: str,
) -> str:
    """A section for each way to play that has answers.

    Args:
        all_players: tallies of all players, by way to play and player.
        own: tallies of the player who sees the results.
        origin: a sentence on where the photos are from.
    """
    kinds = sorted(all_players.keys() | own.keys(), key=lambda kind: (kind.mode != "test", kind.k))
    if not kinds:
        return '<div class="quiz-card"><p>Nobody has played yet.</p></div>'
    parts = [_part(kind, all_players.get(kind, {}), own.get(kind)) for kind in kinds]
    return f'<p class="quiz-about">{html.escape(f"{ABOUT} {origin}")}</p>{"".join(parts)}'


def title(kind: GameKind) -> str:
    """Name of a way to play."""
    if kind.mode == "test":
        return "Strict test: two pictures, one second each"
    return f"Free play with {kind.k} pictures"


def _part(kind: GameKind, players: Mapping[str, Tally], own: Tally | None) -> str:
    lanes, sentences = [], []
    if own is not None and own.interval is not None:
        lanes.append(_lane("you", "You", own, own.interval))
        sentences.append(f"You: {_share(own)}, 95 % interval {between(own.interval)} (Wilson).")
    judges = list(players.values())
    if judges:
        interval = two_level_bootstrap(judges, BOOTSTRAP_SEED) if len(judges) > 1 else None
        lanes.append(_lane("all", "All", total(judges), interval))
        sentences.append(_all_in_words(judges, interval))
    guess = f"Guessing gives {percent(chance(kind))}."
    label = html.escape(" ".join([*sentences, guess]))
    return (
        f'<section class="quiz-result"><h3>{title(kind)}</h3>'
        f'<div class="quiz-plot" role="img" aria-label="{label}">{"".join(lanes)}'
        f'<div class="axis">{_axis()}</div>'
        f'<span class="chance" style="--at:{chance(kind):.4f}"></span></div>'
        + "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)
        + "</section>"
    )


def _all_in_words(judges: list[Tally], interval: Interval | None) -> str:
    share = _share(total(judges))
    if interval is None:
        return f"All: one player so far, {share}; an interval over players needs two."
    return (
        f"All {len(judges)} players: {share}, 95 % interval {between(interval)} "
        "(bootstrap over players and their answers)."
    )


def _share(tally: Tally) -> str:
    return f"{tally.wrong} of {tally.answered} ({percent(tally.fooling_rate or 0)})"


def _lane(kind: str, name: str, tally: Tally, interval: Interval | None) -> str:
    bar = (
        f'<span class="bar" style="--from:{interval.low:.4f};--to:{interval.high:.4f}"></span>'
        if interval
        else ""
    )
    return (
        f'<div class="lane {kind}"><span class="name">{name}</span><div class="track">{bar}'
        f'<span class="dot" style="--at:{tally.fooling_rate:.4f}"></span></div></div>'
    )


def _axis() -> str:
    return "".join(
        f'<span style="--at:{share}">{percent(share)}</span>' for share in (0, 0.25, 0.5, 0.75, 1)
    )
