"""`colorflow evaluate`, which measures colorings."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from colorflow.cli.options import (
    WEIGHTS,
    Whole,
    file_option,
    path_argument,
    seed_option,
)

BASELINES = "baselines"
"""Folder beside the shipped weights."""


@click.command(short_help="measure colorings on a folder of color photos")
@path_argument("folder", "FOLDER", "color photos")
@file_option("--json", "json_file", required=True, help="file for the numbers")
@click.option(
    "--limit", type=Whole(1), help="number of photos, evenly spread over the folder (default: all)"
)
@click.option(
    "--samples",
    "n",
    type=Whole(2),
    default=8,
    help="samples of each photo, for the best of n and the like",
)
@seed_option("seed of samples and of the degradation")
@WEIGHTS
@file_option("--markdown", "markdown_file", help="the same as a table")
@click.option(
    "--degrade",
    "degraded",
    is_flag=True,
    help="show the model the lightness of an old, damaged print",
)
def evaluate(folder: Path, weights: Path | None, degraded: bool, **options: Any) -> int:
    """Color the photos of a folder as if they were gray, and compare the results with their own
    colors and with simpler ways of coloring. Unreadable photos and photos without colors are named
    and left out. The same seed gives the same numbers."""
    from colorflow.colorizer import default_weights
    from colorflow.evaluation.run import run_evaluation

    given = {
        "--json": options["json_file"],
        "--limit": options["limit"],
        "--weights": weights,
        "--samples": options["n"],
        "--seed": options["seed"],
    }
    words = ["colorflow", "evaluate", str(folder)]
    for option, value in given.items():
        words += [] if value is None else [option, str(value)]
    evaluation = run_evaluation(
        folder,
        weights=weights or default_weights(),
        baselines=default_weights().parent / BASELINES,
        degraded=degraded,
        command=shlex.join([*words, *["--degrade"] * degraded]),
        **options,
    )
    return int(any(item.why != "not colored" for item in evaluation.left_out))
