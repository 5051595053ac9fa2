"""The former place of `colorflow.colorizer`."""

from colorflow.colorizer import (
    MOST_CARDS,
    Card,
    Colorizer,
    Draws,
    Hint,
    Recipe,
    Stage,
    Uncertainty,
    default_weights,
    most_different,
)

__all__ = [
    "MOST_CARDS",
    "Card",
    "Colorizer",
    "Draws",
    "Hint",
    "Recipe",
    "Stage",
    "Uncertainty",
    "default_weights",
    "most_different",
]
