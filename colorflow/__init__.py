"""Several plausible colorings for a gray photo, sampled from a conditional normalizing flow.

    from colorflow import Colorizer
    for coloring in Colorizer.load().colorize("gray.jpg", n=4):
        coloring.image.show()

Importing the package loads nothing heavy: torch comes with the first use of a class.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from colorflow.version import __version__

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.photo import Photo
    from colorflow.recipe import ColoringSpec, Hint, Recipe
    from colorflow.repair.repairer import Repairer
    from colorflow.restorer import Restorer
    from colorflow.result import Result

__all__ = [
    "ColoringSpec",
    "Colorizer",
    "Enlarger",
    "Hint",
    "Photo",
    "Recipe",
    "Repairer",
    "Restorer",
    "Result",
    "__version__",
]


_MODULES = {
    "Colorizer": "colorizer",
    "ColoringSpec": "recipe",
    "Enlarger": "enlarge.enlarger",
    "Hint": "recipe",
    "Photo": "photo",
    "Recipe": "recipe",
    "Repairer": "repair.repairer",
    "Restorer": "restorer",
    "Result": "result",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
