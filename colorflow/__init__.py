"""Several plausible colorings for a gray photo, sampled from a conditional normalizing flow.

    from colorflow import Colorizer
    for coloring in Colorizer.load().colorize("gray.jpg", n=4):
        coloring.image.show()

Importing the package loads nothing heavy: torch comes with the first use of `Colorizer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

__all__ = ["Colorizer", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "Colorizer":
        from colorflow.colorizer import Colorizer

        return Colorizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
