"""Report the score of a blind test as text and as JSON."""

from __future__ import annotations

import datetime
from dataclasses import asdict
from typing import Any

from colorflow.files import json_kind
from colorflow.quiz.answer_key import AnswerKey, Form
from colorflow.quiz.score import BlindScore, Count, MethodScore
from colorflow.quiz.statistics import CONFIDENCE

_CHOSEN: dict[Form, str] = {"preference": "preferred", "truth": "taken for true"}

COMMAND = "colorflow blind score"
SCORE = json_kind("score of a blind test", COMMAND)


def as_text(score: BlindScore, key: AnswerKey, judge_note: str | None) -> str:
    """Text with all judges together, each alone, their remarks, and the answered pairs."""
    several = len([sheet for sheet, _ in score.judges if sheet.answers]) > 1
    lines = ["all judges:", *_method_lines(key, score.together, several=several)] if several else []
    if several:
        lines.append(f"  agreed on {score.agreed} of {score.shared} pairs")
    for sheet, both in score.judges:
        lines += [f"{sheet.judge}: {len(sheet.answers)} of {len(key.pairs)} answered"]
        if sheet.answers:
            lines += _method_lines(key, both, several=False)
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


def as_json(score: BlindScore, key: AnswerKey, judge_note: str | None) -> dict[str, Any]:
    """Plain values for JSON."""
    return {
        "command": COMMAND,
        "asked": key.form,
        "ways": [asdict(method) for method in key.ways],
        "seed": key.seed,
        "pairs": len(key.pairs),
        "date": datetime.date.today().isoformat(),
        "judge_note": judge_note,
        "confidence": CONFIDENCE,
        "all": [_method_values(one) for one in score.together],
        "agreed": score.agreed,
        "answered_by_several": score.shared,
        "judges": [
            {
                "answers": sheet.judge,
                "answered": len(sheet.answers),
                "ways": [_method_values(one) for one in both],
                "remarks": sheet.remarks,
                "bad_lines": [asdict(line) for line in sheet.bad_lines],
            }
            for sheet, both in score.judges
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


def _method_lines(
    key: AnswerKey, scores: tuple[MethodScore, MethodScore], *, several: bool
) -> list[str]:
    width = max(len(method.text) for method in key.ways)
    lines = []
    for method, one in zip(key.ways, scores, strict=True):
        line = f"  {method.text:<{width}}  {_CHOSEN[key.form]} {_count(one.chosen)}"
        if one.broken.answers:
            line += f"; plainly broken {_count(one.broken)}"
            line += f", to all judges {one.broken_to_all}" if several else ""
        lines.append(line)
    return lines


def _method_values(score: MethodScore) -> dict[str, Any]:
    return {
        "chosen": _count_values(score.chosen),
        "broken": _count_values(score.broken),
        "broken_to_all": score.broken_to_all,
    }


def _count_values(count: Count) -> dict[str, Any]:
    interval = count.interval
    return {
        **asdict(count),
        "share": count.share,
        "interval": asdict(interval) if interval else None,
    }


def _count(count: Count) -> str:
    interval = count.interval
    assert interval is not None
    return (
        f"{count.count} of {count.answers} ({count.share:.3f}, "
        f"95 % {interval.low:.3f} to {interval.high:.3f})"
    )


def _of_two(counts: tuple[int, int]) -> str:
    return f"{counts[0]}:{counts[1]}"
