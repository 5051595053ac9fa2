"""What tests of batches ask of results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from colorflow.batch import PhotoOutcome

Save = Callable[..., Path]
Run = Callable[..., dict[str, PhotoOutcome]]
Work = Callable[..., dict[str, PhotoOutcome]]
Printed = pytest.CaptureFixture[str]


def difference(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
