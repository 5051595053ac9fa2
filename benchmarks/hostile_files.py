"""Has files that are made to crash, hang, or fill the memory read by the command and by the page.

    python -m benchmarks.hostile_files                  every kind of `benchmarks.hostile_kinds`
    python -m benchmarks.hostile_files jpeg exif        kinds with these words in their name

The command colors each file, and the page opens it, in this process, as its tabs do. Prints what
becomes of each, the seconds, and the most memory of all processes together beyond what they take
before the file is read (Linux). Exits with 1 if a file ends the command or the page otherwise than
by reading it or by one sentence that names it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmarks.hostile_kinds import kinds
from benchmarks.measuring import print_machine, print_table, watched
from colorflow.errors import ColorflowError

_LONGEST_REASON = 60


@dataclass(slots=True)
class Result:
    """What became of a file."""

    outcome: str
    is_bad: bool
    seconds: float
    megabytes: float


def main() -> None:
    """Prints the table; exits with 1 if a file did harm."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="in the names of the kinds to try")
    words = parser.parse_args().words
    chosen = {
        name: make
        for name, make in kinds().items()
        if not words or any(word in name for word in words)
    }
    print_machine(("tifffile", "imagecodecs", "pi_heif"))
    print_table(("file", "kB", "command", "s", "MB", "page", "s", "MB"), [])
    is_bad = False
    with tempfile.TemporaryDirectory() as folder:
        for name, size, command, page in results_of(chosen, Path(folder)):
            cells = (name, f"{size / 1000:.0f}", *_cells(command), *_cells(page))
            print("| " + " | ".join(cells) + " |", flush=True)
            is_bad |= command.is_bad or page.is_bad
    sys.exit(is_bad)


def results_of(
    chosen: dict[str, Callable[[], bytes]], folder: Path
) -> Iterator[tuple[str, int, Result, Result]]:
    """Name, bytes, and what became of each file in the command and on the page."""
    plain = folder / "plain.png"
    Image.effect_noise((8, 8), 50).save(plain)
    usual = by_command(plain)
    by_page(plain)  # imports, and starts the server
    for name, make in chosen.items():
        path = folder / name
        path.write_bytes(make())
        command, page = by_command(path), by_page(path)
        command.seconds = max(0.0, command.seconds - usual.seconds)
        command.megabytes = max(0.0, command.megabytes - usual.megabytes)
        yield name, path.stat().st_size, command, page
        path.unlink()


def by_command(path: Path) -> Result:
    """Colors a file with the command; its seconds and memory are those of the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "colorflow.cli", "colorize", str(path), "-o", folder, "-n", "1",
            "--workers", "1", "--report", str(report),
        ]  # fmt: skip
        with watched(os.getpid()) as peak:
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - began
        is_bad = "Traceback" in done.stderr or done.returncode not in (0, 1) or not report.exists()
        reason = done.stderr.strip()[-_LONGEST_REASON:]
        if not is_bad:
            (photo,) = json.loads(report.read_text())["files"]
            reason = photo["reason"] or photo["status"]
            is_bad = "worker" in reason  # it ended with the file
    return Result(reason, is_bad, seconds, peak())


def by_page(path: Path) -> Result:
    """Opens a file as the tabs of the page do."""
    from colorflow.ui.limits import Limits, MemoryBudget
    from colorflow.ui.photos import open_photo

    with tempfile.TemporaryDirectory() as folder, watched(os.getpid()) as peak:
        began = time.perf_counter()
        is_bad = False
        try:
            photo = open_photo(path, Path(folder), MemoryBudget(Limits().pixels))
            reason = f"read, {photo.width} x {photo.height}"
        except ColorflowError as error:
            reason = str(error).partition(": ")[2] or str(error)
            is_bad = "\n" in str(error)
        except Exception as error:
            reason, is_bad = repr(error), True
        seconds = time.perf_counter() - began
    return Result(reason, is_bad, seconds, peak())


def _cells(result: Result) -> tuple[str, str, str]:
    words = " ".join(result.outcome.split())
    short = words if len(words) <= _LONGEST_REASON else f"{words[:_LONGEST_REASON]}..."
    mark = "**harm**: " if result.is_bad else ""
    return f"{mark}{short}", f"{result.seconds:.1f}", f"{result.megabytes:.0f}"


if __name__ == "__main__":
    main()
