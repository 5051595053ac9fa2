"""Makes an environment with the oldest dependencies: `python -m tests.oldest_versions FOLDER`.

It gets the oldest release series of each dependency that pyproject.toml admits. torch,
which takes gigabytes, and the tools of the tests are those of the running environment.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from packaging.requirements import Requirement

from tests.borrowing import borrow_packages

ROOT = Path(__file__).resolve().parent.parent
BORROWED = {"torch"}
EXTRAS = ("train", "eval")
"""What the package itself uses, without Ray, whose tests are too slow to be done twice."""


def requirements() -> list[Requirement]:
    """What the package and its extras need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    texts = [*project["dependencies"], *(text for name in EXTRAS for text in extras[name])]
    return [Requirement(text) for text in texts]


def constraints() -> list[str]:
    """For pip: the oldest release series of each requirement."""
    return sorted(
        {
            f"{requirement.name}=={bound.version}.*"
            for requirement in requirements()
            for bound in requirement.specifier
            if bound.operator == ">=" and requirement.name not in BORROWED
        }
    )


def make(folder: Path) -> None:
    """Makes the environment; one that is there already is made anew."""
    venv.create(folder, clear=True)
    interpreter = folder.resolve() / "bin" / "python"
    borrow_packages(interpreter)
    pinned = folder / "constraints.txt"
    pinned.write_text("\n".join(constraints()), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", interpreter, "--disable-pip-version-check"]
    package = f".[{','.join(EXTRAS)}]"
    command = [*pip, "install", "--constraint", pinned.resolve(), "--editable", package]
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
