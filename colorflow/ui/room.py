"""The former names of `limits.MemoryBudget` and its method."""

from colorflow.ui.limits import MemoryBudget as Room
from colorflow.ui.limits import size_of

__all__ = ["Room", "size_of"]
