"""Environments that see the packages of the running one, so that torch is not installed twice."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path


def borrow_packages(interpreter: Path) -> None:
    """Lets another environment see the packages of the running one, behind its own.

    Path files among them are not followed: an editable install of the checkout stays out of sight.

    Args:
        interpreter: the other environment's Python.
    """
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True)
    packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    path = Path(done.stdout.strip()) / "borrowed.pth"
    path.write_text("\n".join(sorted(packages)), encoding="utf-8")
