"""Lists the files whose functions run when the command colors one JPEG.

    python -m benchmarks.files_of_one_photo [--list]

A file counts if one of its functions runs after the imports; what a module's body calls does not
count. The command and its worker process are counted apart, and together.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import print_machine, print_table

ROOT = Path(__file__).resolve().parent.parent

_HOOK = """
import atexit, os, sys, threading

package = os.environ["COLORFLOW_PACKAGE"] + os.sep
role = "worker" if sys.argv[0] == "-c" else "command"
seen, told = set(), set()
file = open(os.environ["COLORFLOW_CALLS"], "a", buffering=1)  # once: it may be gone at the end

def profile(frame, event, arg):
    code = frame.f_code
    if event != "call" or code in seen:
        return
    name = code.co_filename
    if name in told or not name.startswith(package) or not code.co_flags & 1:  # a body of a class
        seen.add(code)
        return
    caller = frame
    while caller is not None:
        if caller.f_code.co_name == "<module>" and caller.f_code.co_filename.startswith(package):
            if not caller.f_code.co_filename.endswith("__main__.py"):
                return  # at import
        caller = caller.f_back
    told.add(name)
    file.write(f"{role} {name.removeprefix(package)}\\n")

threading.setprofile(profile)
sys.setprofile(profile)
atexit.register(sys.setprofile, None)  # what ends later cannot write
"""
"""A `sitecustomize` that writes down each file of the package when it runs its first function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Files of the package whose functions ran, by process."""

    command: frozenset[str]
    worker: frozenset[str]


def main() -> None:
    """Prints the table, and the files if asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print the files, too")
    options = parser.parse_args()
    print_machine()
    calls = files_of_one_photo()
    rows = {"the command": calls.command, "the worker": calls.worker}
    rows["either"] = calls.command | calls.worker
    print_table(("files run in", ""), [(name, str(len(files))) for name, files in rows.items()])
    for name in sorted(rows["either"]) if options.list else ():
        roles = [role for role in ("command", "worker") if name in getattr(calls, role)]
        print(f"{name:40} {', '.join(roles)}")


def files_of_one_photo() -> Calls:
    """Colors one gray JPEG with the command, and notes which files run."""
    from benchmarks.measuring import gray_photo, save_gray

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sitecustomize.py").write_text(_HOOK)
        calls = folder / "calls"
        photo, results = folder / "photo.jpg", folder / "results"
        save_gray(photo, gray_photo(320, 240))
        subprocess.run(
            [sys.executable, "-m", "colorflow.cli", "colorize", photo, "-o", results],
            cwd=folder,
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join([name, str(ROOT)]),
                "COLORFLOW_PACKAGE": str(ROOT / "colorflow"),
                "COLORFLOW_CALLS": str(calls),
            },
            check=True,
            stdout=subprocess.DEVNULL,
        )
        lines = [line.split(maxsplit=1) for line in calls.read_text().splitlines()]
    return Calls(
        command=frozenset(file for role, file in lines if role == "command"),
        worker=frozenset(file for role, file in lines if role == "worker"),
    )


if __name__ == "__main__":
    main()
