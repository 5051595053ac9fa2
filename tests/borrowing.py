"""Environments that use packages of the running one, so that torch is not installed twice."""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement


def borrow_packages(interpreter: Path) -> None:
    """Lets another environment see all packages of the running one, behind its own.

    Path files among them are not followed: an editable install of the checkout stays out of sight.

    Args:
        interpreter: the other environment's Python.
    """
    packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    path = packages_of(interpreter) / "borrowed.pth"
    path.write_text("\n".join(sorted(packages)), encoding="utf-8")


def borrow_dependencies(interpreter: Path, requirements: Iterable[str]) -> None:
    """Links what the requirements need, and nothing else, into another environment.

    The other environment is then what pip would have made of it, without network and without
    copies. A package that is used but not required is missing there.

    Args:
        interpreter: the other environment's Python.
        requirements: as in the metadata of a package.
    """
    folder = packages_of(interpreter)
    for package in _needed(requirements):
        tops = {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}
        for top in tops:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(package.locate_file(top))))


def packages_of(interpreter: Path) -> Path:
    """The folder in which an environment has its packages."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def _needed(requirements: Iterable[str]) -> list[Distribution]:
    """The installed packages that requirements name, those that these need, and so on."""
    found: dict[str, Distribution] = {}
    waiting = [("", text) for text in requirements]
    while waiting:
        extra, text = waiting.pop()
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        for name in ("", *requirement.extras):
            key = f"{requirement.name}[{name}]"
            if key not in found:
                found[key] = distribution(requirement.name)
                waiting += [(name, needed) for needed in found[key].requires or ()]
    return list(found.values())
