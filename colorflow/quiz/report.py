"""The score of a blind test as text and as JSON."""

from __future__ import annotations

import datetime
from dataclasses import asdict
from typing import Any

from colorflow.files import json_kind
from colorflow.quiz.fooling import CONFIDENCE
from colorflow.quiz.key import Form, Key
from colorflow.quiz.score import Score, Tally, WayScore

_CHOSEN: dict[Form, str] = {"preference": "preferred", "truth": "taken for true"}

COMMAND = "colorflow blind score"
SCORE = json_kind("score of a blind test", COMMAND)


def as_text(score: Score, key: Key, judge_note: str | None) -> str:
    """All judges together, each alone, their remarks, and the pairs that were answered."""
    several = len([sheet for sheet, _ in score.judges if sheet.answers]) > 1
    lines = ["all judges:", *_way_lines(key, score.together, several=several)] if several else []
    if several:
        lines.append(f"  agreed on {score.agreed} of {score.shared} pairs")
    for sheet, ways in score.judges:
        lines += [f"{sheet.judge}: {len(sheet.answers)} of {len(key.pairs)} answered"]
        if sheet.answers:
            lines += _way_lines(key, ways, several=False)
        lines += [f"  # {remark}" for remark in sheet.remarks]
    if judge_note:
        lines.append(f"judges: {judge_note}")
    lines += ["95 % intervals over pairs (Wilson).", ""]
    lines += [f"pair   {_CHOSEN[key.form]}  broken  photo"]
    lines += [
        f"{one.pair.pair:<6} {_of_two(one.chosen):<{len(_CHOSEN[key.form])}}  "
        f"{_of_two(one.broken):<6}  {one.pair.photo}"
        for one in score.pairs
    ]
    return "\n".join(lines)


def as_json(score: Score, key: Key, judge_note: str | None) -> dict[str, Any]:
    """Plain values for JSON."""
    return {
        "command": COMMAND,
        "asked": key.form,
        "ways": [asdict(way) for way in key.ways],
        "seed": key.seed,
        "pairs": len(key.pairs),
        "date": datetime.date.today().isoformat(),
        "judge_note": judge_note,
        "confidence": CONFIDENCE,
        "all": [_way_values(way) for way in score.together],
        "agreed": score.agreed,
        "answered_by_several": score.shared,
        "judges": [
            {
                "answers": sheet.judge,
                "answered": len(sheet.answers),
                "ways": [_way_values(way) for way in ways],
                "remarks": sheet.remarks,
                "bad_lines": [asdict(line) for line in sheet.bad_lines],
            }
            for sheet, ways in score.judges
        ],
        "by_pair": [
            {
                **asdict(one.pair),
                "answers": one.answers,
                "chosen": list(one.chosen),
                "broken": list(one.broken),
            }
            for one in score.pairs
        ],
    }


def _way_lines(key: Key, scores: tuple[WayScore, WayScore], *, several: bool) -> list[str]:
    width = max(len(way.text) for way in key.ways)
    lines = []
    for way, one in zip(key.ways, scores, strict=True):
        line = f"  {way.text:<{width}}  {_CHOSEN[key.form]} {_tally(one.chosen)}"
        if one.broken.answers:
            line += f"; plainly broken {_tally(one.broken)}"
            line += f", to all judges {one.broken_to_all}" if several else ""
        lines.append(line)
    return lines


def _way_values(way: WayScore) -> dict[str, Any]:
    return {
        "chosen": _tally_values(way.chosen),
        "broken": _tally_values(way.broken),
        "broken_to_all": way.broken_to_all,
    }


def _tally_values(tally: Tally) -> dict[str, Any]:
    interval = tally.interval
    return {
        **asdict(tally),
        "share": tally.share,
        "interval": asdict(interval) if interval else None,
    }


def _tally(tally: Tally) -> str:
    interval = tally.interval
    assert interval is not None
    return (
        f"{tally.count} of {tally.answers} ({tally.share:.3f}, "
        f"95 % {interval.low:.3f} to {interval.high:.3f})"
    )


def _of_two(counts: tuple[int, int]) -> str:
    return f"{counts[0]}:{counts[1]}"
