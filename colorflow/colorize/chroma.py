"""Chroma of photos on the 64x64 grid: all that the model can do, without painting.

Dimensions: n colorings of one photo.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from colorflow.color.grid import to_grid
from colorflow.colorize.engine import Engine, Latents
from colorflow.colorize.recipe import Card, Draws, Recipe, check_seed
from colorflow.colorize.stages import Stage
from colorflow.colorize.uncertainty import Uncertainty
from colorflow.limits import DIVERSE_POOL, MOST_CARDS
from colorflow.model.condition import Condition
from colorflow.model.config import FINEST_GRID
from colorflow.model.diverse import COARSE_LEVELS
from colorflow.model.hints import Hint
from colorflow.model.intervals import NOMINAL_LEVELS, central_interval, check_draws
from colorflow.model.latents import slerp
from colorflow.model.principal import POOL
from colorflow.model.weights import LoadedWeights
from colorflow.photo import Photo

DEFAULT_STRENGTH = 0.7
"""How far colors go towards those of a reference photo, unless something else is said."""


class ChromaColorizer:
    """Draws, changes and judges the chroma of photos.

    Several methods share these arguments:

    - `hints`: colors of points, in pixels of the upright photo; the later of two in one cell of
      the 64x64 grid wins.
    - `reference`: a color photo whose colors are carried over through its latents. The two
      coarsest levels, which decide the colors of objects, go the share `strength` of the way from
      their drawn latents to the reference's; the fine levels are drawn. Latents say how the colors
      at each place differ from what lightness suggests there, so a photo of a like scene serves
      best; between unlike ones colors may well turn into others.

    They raise `WeightsError` if there are hints and the weights take none, `PhotoError` if the
    reference is gray, and `ValueError` if an argument is out of range or a hint lies outside the
    photo.

    Args:
        weights: what `load_weights` gave.
        device: where to compute.
    """

    def __init__(self, weights: LoadedWeights, device: str = "cpu") -> None:
        self._engine = Engine(weights, torch.device(device))
        self._interval_factors = weights.interval_factors
        self.digest = weights.digest
        self.temperatures = weights.temperatures

    @property
    def takes_hints(self) -> bool:
        """Whether the weights take color hints."""
        return self._engine.pyramid.config.takes_hints

    @property
    def levels(self) -> tuple[int, ...]:
        """Names of the levels, coarse to fine: the sides of the chroma grids that they complete."""
        first, *others = self._engine.pyramid.config.levels
        return first.grid, *(2 * level.grid for level in others)

    def recipe(self, seed: int = 0, temperature: float = 1.0, strength: float = 0.0) -> Recipe:
        """The recipe of a plain coloring: one seed for all levels.

        Args:
            seed: from 0.
            temperature: multiplies the shipped temperatures.
            strength: of a reference photo; more than 0 asks for one.
        """
        check_seed(seed)
        strengths = (strength,) * COARSE_LEVELS + (0.0,) * (len(self.levels) - COARSE_LEVELS)
        return Recipe(
            seeds=(seed,) * len(self.levels), temperature=temperature, strengths=strengths
        )

    def draw(
        self,
        photo: Photo,
        n: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        *,
        samples: bool = False,
        diverse: bool = False,
        hints: Sequence[Hint] = (),
        reference: Photo | None = None,
        strength: float = DEFAULT_STRENGTH,
    ) -> Draws:
        """Gives the principal colorings of a photo, or samples.

        Args:
            photo: the photo; its own colors, if it has some, play no part.
            n: number of colorings; at most 16 principal ones.
            temperature: multiplies the shipped temperatures of the samples, those that principal
                colorings are means of too; 0 gives n times the same colors.
            seed: sample i depends on `seed + i` and the photo alone; principal colorings are means
                of the 64 samples from `seed` on.
            samples: independent samples of the distribution instead of its principal colorings.
            diverse: of 8n samples the n that differ most.
            hints: see the class.
            reference: see the class.
            strength: of the reference, in [0, 1]; 0 is the draw without one.
        """
        if n < 1:
            raise ValueError(f"n: expected at least 1, got {n}")
        check_seed(seed, following=max(n * DIVERSE_POOL, POOL))
        plain = self.recipe(seed, temperature, strength)
        if reference is None:
            plain = replace(plain, strengths=())
        if not samples and not diverse:
            if n > MOST_CARDS:
                raise ValueError(
                    f"n: expected at most {MOST_CARDS} principal colorings, got {n}; "
                    "there may be any number of samples"
                )
            ab, shares = self._principal(photo, plain, n, hints, reference)
            cards = [self._card(plain, number, n) for number in range(n)]
            return Draws(recipes=cards, ab=ab, shares=tuple(map(float, shares)))
        pool = n * DIVERSE_POOL if diverse and n > 1 else n
        seeds = range(seed, seed + pool)
        recipes = [replace(plain, seeds=(s,) * len(self.levels)) for s in seeds]
        condition = self._engine.condition(photo, hints)
        latents = self._latents(recipes, condition, reference)
        if pool > n:
            chosen = self._engine.most_different(latents, condition, n)
            recipes, latents = [recipes[i] for i in chosen], [latents[i] for i in chosen]
        return Draws(recipes=recipes, ab=self._engine.decode(latents, condition))

    def draw_recipes(
        self,
        photo: Photo,
        recipes: Sequence[Recipe],
        *,
        hints: Sequence[Hint] = (),
        reference: Photo | None = None,
    ) -> Draws:
        """Makes the colorings of one or more recipes; `hints` and `reference`: see the class."""
        if not recipes:
            raise ValueError("recipes: expected at least one, got none")
        cards = self._cards(photo, recipes, hints, reference)
        condition = self._engine.condition(photo, hints)
        ab = self._made(recipes, condition, reference, cards)
        return Draws(recipes=list(recipes), ab=ab)

    def redraw(
        self,
        photo: Photo,
        coloring: int | Recipe,
        levels: Collection[int],
        seed: int,
        n: int = 1,
        *,
        hints: Sequence[Hint] = (),
        reference: Photo | None = None,
    ) -> Draws:
        """Draws some levels of a coloring anew and keeps the others.

        With fine levels drawn anew, such as (16, 32, 64), the mood stays and the details change.
        With coarse ones the colors change, and details keep their latents.

        Args:
            photo: the photo.
            coloring: its recipe, or the seed of a plain draw.
            levels: some of the names in `levels`.
            seed: coloring i has `seed + i` in these levels.
            n: number of colorings.
            hints: see the class.
            reference: see the class.
        """
        names = self.levels
        if not levels or not set(levels) <= set(names):
            raise ValueError(
                f"levels: expected some of {', '.join(map(str, names))}, got {list(levels)}"
            )
        if n < 1:
            raise ValueError(f"n: expected at least 1, got {n}")
        check_seed(seed, following=n)
        recipe, indices = self._recipe(coloring), [names.index(name) for name in levels]
        recipes = [recipe.redrawn(indices, s) for s in range(seed, seed + n)]
        return self.draw_recipes(photo, recipes, hints=hints, reference=reference)

    def walk(
        self,
        photo: Photo,
        start: int | Recipe,
        end: int | Recipe,
        steps: int,
        *,
        hints: Sequence[Hint] = (),
        reference: Photo | None = None,
    ) -> NDArray[np.float32]:
        """Goes from one coloring to another, in every level on the arc between their latents.

        Args:
            photo: the photo.
            start: a recipe, or the seed of a plain draw.
            end: likewise.
            steps: number of colorings, both ends among them; at least 2.
            hints: see the class.
            reference: see the class.

        Returns:
            (steps, 2, 64, 64) CIELAB units. The ends are, to the bit, what `draw_recipes` makes of
            each of the two recipes alone.
        """
        if steps < 2:
            raise ValueError(f"steps: expected at least 2, got {steps}")
        ends = [self._recipe(start), self._recipe(end)]
        condition = self._engine.condition(photo, hints)
        cards = self._cards(photo, ends, hints, reference)
        first, last = self._latents(ends, condition, reference, cards)
        between = [
            [slerp(a, b, step / (steps - 1)) for a, b in zip(first, last, strict=True)]
            for step in range(1, steps - 1)
        ]
        # The ends by themselves: last bits depend on how many are decoded at once.
        outer = [self._made([end], condition, reference, cards) for end in ends]
        inner = [self._engine.decode(between, condition)] if between else []
        return np.concatenate([outer[0], *inner, outer[1]])

    def stages(
        self, photo: Photo, coloring: int | Recipe, *, hints: Sequence[Hint] = ()
    ) -> list[Stage]:
        """Shows how a coloring without a reference comes to be: one stage a level, coarse to fine.

        The chroma of the last one is, to the bit, what `draw_recipes` makes of the recipe of a
        sample alone, and close to a card's.

        Args:
            photo: the photo.
            coloring: its recipe, or the seed of a plain draw.
            hints: see the class; they take effect at the last level, which completes the grid.
        """
        recipe = self._recipe(coloring)
        condition = self._engine.condition(photo, hints)
        cards = self._cards(photo, [recipe], hints, None)
        (latents,) = self._latents([recipe], condition, None, cards)
        return [
            Stage(latents=z.numpy(), ab=self._engine.decode([latents[: index + 1]], condition)[0])
            for index, z in enumerate(latents)
        ]

    def uncertainty(
        self,
        photo: Photo,
        draws: int = 64,
        seed: int = 0,
        *,
        level: float = NOMINAL_LEVELS[-1],
        hints: Sequence[Hint] = (),
    ) -> Uncertainty:
        """Tells how far the colors are open at each place.

        Central intervals of draws at std 1, the model itself: temperatures are a taste, and would
        make it look surer than it is. They are stretched by the factor in the weights that made
        their coverage nominal on photos beside the training.

        Args:
            photo: the photo.
            draws: how many; 64 in the calibration, at least 19 for the interval of 0.9.
            seed: draw i depends on `seed + i` alone.
            level: share of values that their intervals shall hold, 0.5 or 0.9.
            hints: see the class.
        """
        if level not in NOMINAL_LEVELS:
            known = " or ".join(f"{share:g}" for share in NOMINAL_LEVELS)
            raise ValueError(f"level: expected {known}, got {level}")
        check_draws(draws, level)
        check_seed(seed, following=draws)
        condition, std1 = self._engine.condition(photo, hints), [1.0] * len(self.levels)
        latents = [
            self._engine.latents(self.recipe(s), condition.lightness, temperatures=std1)
            for s in range(seed, seed + draws)
        ]
        ab = self._engine.decode(latents, condition, gain=1.0)
        middle, half_width = central_interval(torch.from_numpy(ab), level)
        factor = self._interval_factors.get(level, 1.0)
        return Uncertainty(
            level=level,
            middle=middle.numpy(),
            half_width=(factor * half_width).numpy(),
            calibrated=level in self._interval_factors,
        )

    def log_prob(
        self,
        photo: Photo,
        ab: NDArray[np.float32] | None = None,
        *,
        hints: Sequence[Hint] = (),
    ) -> NDArray[np.float64]:
        """Log density of colors given the photo's lightness and the hints, exact in the model.

        Of the chroma as it is. Reported bits per dimension are of chroma with noise of std 1 on
        every pixel, and differ.

        Args:
            photo: the photo.
            ab: (n, 2, 64, 64) CIELAB units, within +-128; None for the photo's own colors, which
                are zero everywhere in a gray one.
            hints: see the class.

        Returns:
            (n,) nats, density per CIELAB unit of each of 8192 numbers; n is 1 without `ab`.
        """
        if ab is None:
            ab = to_grid(photo.pixels)[None]
        self._check_chroma(ab)
        return self._engine.log_prob(ab, self._engine.condition(photo, hints))

    def bits_per_dim(
        self,
        photo: Photo,
        ab: NDArray[np.float32] | None = None,
        *,
        hints: Sequence[Hint] = (),
    ) -> NDArray[np.float64]:
        """-log2 of the same density, a number of the 64x64 grid's two planes; as `log_prob`."""
        dimensions = 2 * FINEST_GRID**2
        return -self.log_prob(photo, ab, hints=hints) / (dimensions * math.log(2))

    def rank(self, photo: Photo, draws: Draws, *, hints: Sequence[Hint] = ()) -> Draws:
        """Sorts colorings of a photo by their `log_prob`, the most likely first.

        The density is that of the model itself, whatever the temperatures of the draws. It favors
        calm colors: the most likely coloring is more typical than most draws.

        Args:
            photo: the photo of the draws.
            draws: colorings of it.
            hints: those that it was colored with.
        """
        order = np.argsort(-self.log_prob(photo, draws.ab, hints=hints), kind="stable")
        return Draws(recipes=[draws.recipes[i] for i in order], ab=draws.ab[order])

    def _recipe(self, coloring: int | Recipe) -> Recipe:
        return coloring if isinstance(coloring, Recipe) else self.recipe(coloring)

    def _made(
        self,
        recipes: Sequence[Recipe],
        condition: Condition,
        reference: Photo | None,
        cards: Mapping[Recipe, NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """The chroma of recipes, given the cards that they are made of: (n, 2, 64, 64)."""
        drawn = [i for i, recipe in enumerate(recipes) if not recipe.is_card]
        chroma: dict[int, NDArray[np.float32]] = {
            i: cards[self._whole(recipe)] for i, recipe in enumerate(recipes) if recipe.is_card
        }
        if drawn:
            latents = self._latents([recipes[i] for i in drawn], condition, reference, cards)
            chroma |= dict(zip(drawn, self._engine.decode(latents, condition), strict=True))
        return np.stack([chroma[i] for i in range(len(recipes))])

    def _latents(
        self,
        recipes: Sequence[Recipe],
        condition: Condition,
        reference: Photo | None,
        cards: Mapping[Recipe, NDArray[np.float32]] | None = None,
    ) -> list[Latents]:
        """Of each recipe: drawn ones, and the cards' own where a level has no seed."""
        other = None if reference is None else self._engine.latents_of(reference)
        made = []
        for recipe in recipes:
            seeds = tuple(recipe.seed if seed is None else seed for seed in recipe.seeds)
            latents = self._engine.latents(replace(recipe, seeds=seeds), condition.lightness, other)
            if recipe.card is not None:
                assert cards is not None
                (own,) = self._engine.encode(cards[self._whole(recipe)][None], condition)
                latents = [
                    z if seed is None else drawn
                    for z, drawn, seed in zip(own, latents, recipe.seeds, strict=True)
                ]
            made.append(latents)
        return made

    def _card(self, plain: Recipe, number: int, of: int) -> Recipe:
        """The recipe of a principal coloring, given that of its first sample."""
        card = Card(number=number, of=of, seed=plain.seed)
        return replace(plain, seeds=(None,) * len(self.levels), card=card)

    def _principal(
        self,
        photo: Photo,
        first: Recipe,
        k: int,
        hints: Sequence[Hint],
        reference: Photo | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Chroma and shares of k principal colorings, given the recipe of the first sample."""
        both = self._engine.condition(photo, hints, mirrored=True)
        other = None if reference is None else self._engine.latents_of(reference)
        seeds = range(first.seed, first.seed + POOL)
        recipes = [replace(first, seeds=(seed,) * len(self.levels)) for seed in seeds]
        lightness = both.lightness[:1]
        pool = [self._engine.latents(recipe, lightness, other) for recipe in recipes]
        return self._engine.principal(pool, both, k)

    def _cards(
        self,
        photo: Photo,
        recipes: Sequence[Recipe],
        hints: Sequence[Hint],
        reference: Photo | None,
    ) -> dict[Recipe, NDArray[np.float32]]:
        """Chroma of all cards that recipes are made of, by the cards' own recipes.

        Cards of one set are made at once.
        """
        found: dict[Recipe, NDArray[np.float32]] = {}
        for recipe in recipes:
            card = recipe.card
            if card is None or self._whole(recipe) in found:
                continue
            first = replace(recipe, seeds=(card.seed,) * len(self.levels), card=None)
            ab, _ = self._principal(photo, first, card.of, hints, reference)
            found |= {self._card(first, i, card.of): ab[i] for i in range(card.of)}
        return found

    def _whole(self, recipe: Recipe) -> Recipe:
        """The recipe of the card that some levels of a recipe are taken from."""
        return replace(recipe, seeds=(None,) * len(self.levels))

    def _check_chroma(self, ab: NDArray[np.float32]) -> None:
        if ab.ndim != 4 or ab.shape[1:] != (2, FINEST_GRID, FINEST_GRID) or len(ab) == 0:
            raise ValueError(
                f"ab: expected shape (n, 2, {FINEST_GRID}, {FINEST_GRID}), got {ab.shape}"
            )
        limit = self._engine.pyramid.config.chroma_limit
        if not (np.abs(ab) < limit).all():
            raise ValueError(f"ab: expected values within +-{limit:g}, got some outside")
