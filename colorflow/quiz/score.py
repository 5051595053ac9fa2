"""Score a blind test: which method judges chose, what they called broken, whether they agree.

A score is plain values for JSON:

    all, judges[i].ways     for each of the two methods: how often it was chosen, plainly broken,
                            and broken to all of several judges
    agreed                  number of pairs on which all judges chose the same side, of those that
                            several answered (answered_by_several)
    by_pair                 pairs with answers: how many judges chose each method, and called it
                            broken; those first where the second method was chosen most
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from colorflow.errors import EvaluationError
from colorflow.files import json_kind
from colorflow.quiz.pictures import SIDES, Side
from colorflow.quiz.sheets import AnswerKey, AnswerSheet, Form, KeyPair, SheetAnswer
from colorflow.quiz.statistics import CONFIDENCE, wilson_interval

COMMAND = "colorflow blind score"
SCORE = json_kind("score of a blind test", COMMAND)

_CHOSEN: dict[Form, str] = {"preference": "preferred", "truth": "taken for true"}


def score(key: AnswerKey, sheets: Sequence[AnswerSheet], judge_note: str | None) -> dict[str, Any]:
    """Count the answers of all sheets.

    Raises:
        EvaluationError: no sheet has an answer.
    """
    pairs = [one for pair in key.pairs if (one := _pair(pair, sheets))["answers"]]
    if not pairs:
        raise EvaluationError("no pair has an answer, so there is nothing to score")
    shared = [pair for pair in pairs if pair["answers"] > 1]
    return {
        "command": COMMAND,
        "asked": key.form,
        "ways": [asdict(method) for method in key.ways],
        "seed": key.seed,
        "pairs": len(key.pairs),
        "date": datetime.date.today().isoformat(),
        "judge_note": judge_note,
        "confidence": CONFIDENCE,
        "all": [_method(key, sheets, index) for index in (0, 1)],
        "agreed": sum(0 in pair["chosen"] for pair in shared),
        "answered_by_several": len(shared),
        "judges": [
            {
                "answers": sheet.judge,
                "answered": len(sheet.answers),
                "ways": [_method(key, [sheet], index) for index in (0, 1)],
                "remarks": sheet.remarks,
                "bad_lines": [asdict(line) for line in sheet.bad_lines],
            }
            for sheet in sheets
        ],
        "by_pair": sorted(pairs, key=lambda one: (-one["chosen"][1] / one["answers"], one["pair"])),
    }


def as_text(score: dict[str, Any]) -> str:
    """Text with all judges together, each alone, their remarks, and the answered pairs."""
    chosen = _CHOSEN[score["asked"]]
    names = [way["text"] for way in score["ways"]]
    lines = []
    if sum(bool(judge["answered"]) for judge in score["judges"]) > 1:
        lines += ["all judges:", *_method_lines(names, chosen, score["all"], several=True)]
        lines += [f"  agreed on {score['agreed']} of {score['answered_by_several']} pairs"]
    for judge in score["judges"]:
        lines += [f"{judge['answers']}: {judge['answered']} of {score['pairs']} answered"]
        if judge["answered"]:
            lines += _method_lines(names, chosen, judge["ways"], several=False)
        lines += [f"  # {remark}" for remark in judge["remarks"]]
    if score["judge_note"]:
        lines.append(f"judges: {score['judge_note']}")
    lines += ["95 % intervals over pairs (Wilson).", "", f"pair   {chosen}  broken  photo"]
    for one in score["by_pair"]:
        first, second = (f"{counts[0]}:{counts[1]}" for counts in (one["chosen"], one["broken"]))
        lines.append(f"{one['pair']:<6} {first:<{len(chosen)}}  {second:<6}  {one['photo']}")
    return "\n".join(lines)


def _answers(pair: KeyPair, sheets: Sequence[AnswerSheet]) -> list[SheetAnswer]:
    return [sheet.answers[pair.pair] for sheet in sheets if pair.pair in sheet.answers]


def _sides(pair: KeyPair) -> tuple[Side, Side]:
    """Sides of the first and the second method."""
    return SIDES if pair.first == "left" else SIDES[::-1]


def _pair(pair: KeyPair, sheets: Sequence[AnswerSheet]) -> dict[str, Any]:
    answers, sides = _answers(pair, sheets), _sides(pair)
    return {
        **asdict(pair),
        "answers": len(answers),
        "chosen": [sum(one.choice == side for one in answers) for side in sides],
        "broken": [sum(one.broken.get(side, False) for one in answers) for side in sides],
    }


def _method(key: AnswerKey, sheets: Sequence[AnswerSheet], index: int) -> dict[str, Any]:
    """How often the first or the second method was chosen, broken, and broken to all judges."""
    chosen, broken = [], []
    for pair in key.pairs:
        side, answers = _sides(pair)[index], _answers(pair, sheets)
        chosen.append([answer.choice == side for answer in answers])
        broken.append([answer.broken[side] for answer in answers if side in answer.broken])
    to_all = sum(
        len(flags) > 1 and len(flags) == len(choices) and all(flags)
        for flags, choices in zip(broken, chosen, strict=True)
    )
    return {"chosen": _count(chosen), "broken": _count(broken), "broken_to_all": to_all}


def _count(pairs: Sequence[Sequence[bool]]) -> dict[str, Any]:
    """Count flags that are grouped by pair; the share and its interval are None without any.

    The interval is Wilson's with pairs as cases: a second judge of a pair is no second case.
    """
    count, answers, cases = sum(map(sum, pairs)), sum(map(len, pairs)), sum(map(bool, pairs))
    share = count / answers if answers else None
    interval = None if share is None else asdict(wilson_interval(share, cases))
    return {
        "count": count,
        "answers": answers,
        "pairs": cases,
        "share": share,
        "interval": interval,
    }


def _method_lines(
    names: list[str], chosen: str, ways: list[dict[str, Any]], *, several: bool
) -> list[str]:
    lines = []
    for name, way in zip(names, ways, strict=True):
        line = f"  {name:<{max(map(len, names))}}  {chosen} {_count_text(way['chosen'])}"
        if way["broken"]["answers"]:
            line += f"; plainly broken {_count_text(way['broken'])}"
            line += f", to all judges {way['broken_to_all']}" if several else ""
        lines.append(line)
    return lines


def _count_text(count: dict[str, Any]) -> str:
    interval = count["interval"]
    return (
        f"{count['count']} of {count['answers']} ({count['share']:.3f}, "
        f"95 % {interval['low']:.3f} to {interval['high']:.3f})"
    )
