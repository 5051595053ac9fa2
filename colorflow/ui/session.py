"""One visitor's photos and their colorings, kept as files.

What the page shows are small previews. Only the coloring that the visitor chooses is painted at
full size, which takes seconds for a large photo. Between two clicks no pixels stay in memory.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from colorflow.color.full_resolution import lightness_of
from colorflow.errors import ColorflowError
from colorflow.photo import Photo
from colorflow.ui.colorings import Coloring, Colorings, Drawn, Work, provenance_of
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.open_map import openness
from colorflow.ui.opened import OpenPhoto, new_folder, open_photo, paint, reduced, write

if TYPE_CHECKING:
    from colorflow.colorizer import ColoringSpec, Predictions, Uncertainty

_COARSE_GRID = 8
"""Side of the chroma grid up to which levels decide the colors of objects."""


class PhotoColorizer(Protocol):
    """What the tab needs of `colorflow.colorizer.Colorizer`."""

    digest: str

    @property
    def levels(self) -> tuple[int, ...]:
        """Names of the levels, coarse to fine."""
        ...

    def predict(
        self,
        photo: Photo,
        n: int,
        temperature: float,
        seed: int,
        /,
        *,
        samples: bool,
        diverse: bool,
    ) -> Predictions:
        """Draw the colors of n principal colorings or samples, and say the recipe of each."""
        ...

    def resample(
        self, photo: Photo, coloring: ColoringSpec, levels: Collection[int], seed: int, n: int, /
    ) -> Predictions:
        """Draw some levels of a coloring anew, n times."""
        ...

    def uncertainty(self, photo: Photo, /) -> Uncertainty:
        """Tell how far the colors are open at each place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the visitor wants the photo colored."""

    n: int
    """Number of colorings."""
    temperature: float
    """Multiplies the shipped temperatures; 1 is as trained."""
    seed: int
    """Of the first sample; the next ones count on."""
    samples: bool
    """Samples one by one, instead of the principal colorings."""
    diverse: bool
    """Of samples the most different among many, whose seeds are then not in a row."""


class Session:
    """What the server keeps of one visitor: photos, one of which is looked at, and colorings.

    The visitor may go on while something is being made: the methods may run at the same time in
    several threads, and those that find that the visitor has gone on give None.

    Args:
        root: folder in which the session makes its own.
        budget: memory for photos, shared by all visitors.

    Raises:
        ColorflowError: it cannot.
    """

    def __init__(self, root: Path, budget: MemoryBudget) -> None:
        self._folder = new_folder(root, "session-")
        self._budget = budget
        self._lock = threading.Lock()
        self._run: Colorings | None = None
        self.works: Sequence[Work] = ()
        self.current: Work | None = None
        self.beside_truth = True
        """Whether colorings of a photo with colors are compared with these, or with its gray."""

    @property
    def photo(self) -> OpenPhoto | None:
        """The photo that is looked at."""
        return self.current.photo if self.current else None

    @property
    def colorings(self) -> Sequence[Coloring]:
        """Of the photo that is looked at."""
        return self.current.colorings if self.current else ()

    @property
    def chosen(self) -> Coloring | None:
        """The chosen one of these."""
        return self.current.chosen if self.current else None

    # photos

    def add(self, upload: Path) -> Work:
        """Read one more photo; it is looked at if there was none.

        Raises:
            ColorflowError: it cannot be read, or its preview not written.
        """
        photo = open_photo(upload, self._folder, self._budget)
        work = Work(upload=upload, photo=photo)
        self.works = [*self.works, work]
        self.current = self.current or work
        return work

    def look_at(self, work: Work) -> None:
        """Go over to another photo; what is being made of the one before ends, and stays."""
        self.make_way()
        self.current = work

    def keep(self, uploads: Collection[Path]) -> None:
        """Delete all that was made of photos other than these."""
        gone = [work for work in self.works if work.upload not in uploads]
        self.works = [work for work in self.works if work.upload in uploads]
        if self.current in gone:
            self.make_way()
            self.current = self.works[0] if self.works else None
        for work in gone:
            shutil.rmtree(work.photo.folder, ignore_errors=True)

    def close(self) -> None:
        """Delete everything, at once."""
        if self._run:
            self._run.drop()
        self.works, self.current = (), None
        shutil.rmtree(self._folder, ignore_errors=True)

    # colorings

    def colorize(self, colorizer: PhotoColorizer, wish: Wish) -> Colorings:
        """Color the photo that is looked at.

        Raises:
            ColorflowError: there is none.
        """

        def draw(photo: Photo) -> Drawn:
            if wish.samples and not wish.diverse:
                yield from _samples(colorizer, photo, wish.temperature, wish.seed, wish.n)
                return
            # Principal colorings, and the most different samples, come of all samples at once.
            yield from _drawn(
                colorizer.predict(
                    photo,
                    wish.n,
                    wish.temperature,
                    wish.seed,
                    samples=wish.samples,
                    diverse=wish.samples,
                )
            )

        return self._begin(draw, wish.n)

    def more_like(self, colorizer: PhotoColorizer, n: int) -> Colorings:
        """Draw the details of the chosen coloring anew, n times; it stays the first one.

        Raises:
            ColorflowError: there is none.
        """
        chosen, first = self._chosen_and_next_seed()
        fine = [level for level in colorizer.levels if level > _COARSE_GRID]

        def draw(photo: Photo) -> Drawn:
            yield chosen.recipe, chosen.ab, chosen.share
            yield from _drawn(colorizer.resample(photo, chosen.recipe, fine, first, n))

        return self._begin(draw, n + 1)

    def something_else(self, colorizer: PhotoColorizer, n: int) -> Colorings:
        """Draw n samples that are not here yet; the chosen coloring stays the first one.

        Not other principal colorings: the means of other samples are nearly the same pictures.

        Raises:
            ColorflowError: there is none.
        """
        chosen, first = self._chosen_and_next_seed()

        def draw(photo: Photo) -> Drawn:
            yield chosen.recipe, chosen.ab, chosen.share
            yield from _samples(colorizer, photo, chosen.recipe.temperature, first, n)

        return self._begin(draw, n + 1)

    def cancel(self) -> None:
        """End what is being made; what is there stays."""
        if self._run:
            self._run.cancel()

    def make_way(self) -> None:
        """End what is being made, for something else."""
        self._replace_run(None)

    def map_openness(self, colorizer: PhotoColorizer) -> Path | None:
        """Make a picture of how far the photo's colors are open, unless that has been done.

        Returns:
            The picture; None if the visitor looks at another photo by now.

        Raises:
            ColorflowError: there is no photo, or it cannot be read again, or the map not written.
        """
        work = self._looked_at()
        path = work.photo.folder / "open.png"
        try:
            if not path.exists():
                with work.photo.read() as original:
                    small = reduced(original)
                    uncertainty = colorizer.uncertainty(original)
                write(path, openness(lightness_of(small.pixels), uncertainty), small)
        except ColorflowError:
            if self.current is not work:  # its folder may have gone
                return None
            raise
        return path if self.current is work else None

    def choose(self, index: int) -> tuple[Work, Coloring] | None:
        """Choose a coloring; None if there is none of that index, or its files are too old."""
        work = self.current
        if work is None or index >= len(work.colorings):
            return None
        chosen = work.colorings[index]
        if not chosen.preview.exists():
            return None
        work.chosen = chosen
        return work, chosen

    def paint_chosen(self, model: str, suffix: str) -> Path | None:
        """Paint the chosen coloring at full size, unless that has been done.

        Args:
            model: digest of the weights, to be written into the file.
            suffix: .jpg or .png.

        Returns:
            The file; None if nothing is chosen, or another coloring or photo by now.

        Raises:
            ColorflowError: the photo cannot be read again, or the result not written.
        """
        photo, chosen = self.photo, self.chosen
        if photo is None or chosen is None:
            return None
        path = chosen.path(suffix)
        try:
            if not path.exists():
                provenance = provenance_of(chosen.recipe, chosen.share, model)
                paint(photo, chosen.ab, path, provenance)
        except ColorflowError:
            if self.chosen is not chosen:  # its folder may have gone
                return None
            raise
        return path if self.chosen is chosen else None

    def _chosen_and_next_seed(self) -> tuple[Coloring, int]:
        chosen = self.chosen
        if chosen is None:
            raise ColorflowError("There is no coloring here yet; color the photo first.")
        recipes = [one.recipe for one in self.colorings]
        seeds = [seed for recipe in recipes for seed in (recipe.seed, *recipe.seeds)]
        return chosen, 1 + max(seed for seed in seeds if seed is not None)

    def _looked_at(self) -> Work:
        if self.current is None:
            raise ColorflowError("There is no photo here any more; choose it again.")
        return self.current

    def _begin(self, draw: Callable[[Photo], Drawn], wanted: int) -> Colorings:
        run = Colorings(self._looked_at(), draw, wanted)
        self._replace_run(run)
        return run

    def _replace_run(self, run: Colorings | None) -> None:
        with self._lock:
            before, self._run = self._run, run
        if before:
            before.give_way()


def _drawn(draws: Predictions) -> Drawn:
    shares = draws.shares or (None,) * len(draws.specs)
    return zip(draws.specs, draws.ab, shares, strict=True)


def _samples(
    colorizer: PhotoColorizer, photo: Photo, temperature: float, first: int, n: int
) -> Drawn:
    """Samples one by one, so that each shows as soon as it is there."""
    for seed in range(first, first + n):
        yield from _drawn(
            colorizer.predict(photo, 1, temperature, seed, samples=True, diverse=False)
        )
