"""Coloring photos with trained weights: every use of the model goes through `Colorizer`.

    recipe.py       what a coloring is made of: seeds, temperature, strengths
    engine.py       between photos and the model: conditions, latents, chroma, likelihood
    stages.py       a coloring on its way from noise to chroma
    uncertainty.py  how far colors are open at each place
    chroma.py       drawing, changing and judging chroma on the 64x64 grid
    colorizer.py    a picture in, colored ones out; many files are the work of `colorflow.batch`

The default answer is a photo's principal colorings, means of its samples and of their modes
(`colorflow.model.principal`). Sample i of a call depends on `seed + i` and the photo alone: not on
how many are drawn, on the batch, or on the order of the photos. Temperatures of the levels come
with the weights; the user's `temperature` multiplies them.
"""

from __future__ import annotations

from colorflow.colorize.colorizer import Colorizer
from colorflow.colorize.recipe import Card, Draws, Recipe
from colorflow.colorize.stages import Stage
from colorflow.colorize.uncertainty import Uncertainty
from colorflow.files import default_weights
from colorflow.limits import MOST_CARDS
from colorflow.model.diverse import most_different
from colorflow.model.hints import Hint

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
