"""The Restorer: a scan in, its prints out, each with all that it needs."""

from __future__ import annotations

import os
from dataclasses import replace

from colorflow.photo import Picture, read_picture
from colorflow.recipe import ColoringSpec, Colors, Crop, Enlargement, Recipe, Repair
from colorflow.result import Result
from colorflow.run import Models, run_all
from colorflow.scan import find_frames, is_doubtful


class Restorer:
    """Does with scans what `colorflow restore` does.

    Args:
        models: a colorizer, an enlarger and a repairer.
    """

    def __init__(self, models: Models) -> None:
        self.models = models

    @classmethod
    def load(
        cls,
        colors: str | os.PathLike[str] | None = None,
        detail: str | os.PathLike[str] | None = None,
        repair: str | os.PathLike[str] | None = None,
        *,
        device: str = "auto",
    ) -> Restorer:
        """Reads weights files, the shipped ones by default; `device` is as of `Colorizer.load`.

        Raises:
            WeightsError: if a file is missing, foreign, or does not fit.
            DeviceError: if there is no such device.
        """
        from colorflow.colorizer import Colorizer
        from colorflow.enlarge.enlarger import Enlarger
        from colorflow.repair.repairer import Repairer

        colorizer = Colorizer.load(colors, device=device)
        enlarger = Enlarger.load(detail, device=device)
        return cls(Models(colorizer, enlarger, Repairer.load(repair, device=device)))

    def restore(
        self,
        picture: Picture,
        *,
        crop: bool = True,
        repair: bool = True,
        sensitivity: int = 0,
        fading: bool = True,
        color: bool = True,
        force: bool = False,
        scale: int = 1,
        isolated: bool = False,
    ) -> list[Result]:
        """Restores the prints of a scan, or a photo.

        Args:
            picture: as `Colorizer` takes it.
            crop: cut prints out; otherwise the scan is taken as a whole.
            repair: find damage and fill it.
            sensitivity: of repair, -2 for what is surely damage, to 2 for all that may be.
            fading: bring faded tones back.
            color: color it, unless it has colors.
            force: color it even if it has colors.
            scale: how many times larger each side becomes: 1, 2 or 4.
            isolated: whether to read a file in a process of its own, as of `Colorizer.colorize`.

        Returns:
            A result of each print.

        Raises:
            PhotoError: if the picture cannot be read, or is too small or too large for a step.
            ValueError: if an argument is out of range.
        """
        photo, digest = read_picture(picture, isolated=isolated)
        recipe = Recipe(
            repair=Repair(sensitivity=sensitivity) if repair else None,
            unfaded=fading,
            colors=self._colors(keeps=not force) if color else None,
            enlargement=Enlargement(scale=scale) if scale != 1 else None,
        )
        frames = find_frames(photo) if crop else []
        frames = [] if is_doubtful(photo, frames) else frames
        crops = [Crop(number=number, frame=frame.numbers) for number, frame in enumerate(frames, 1)]
        return [
            made
            for each in crops or [Crop()]
            for made in run_all(
                photo,
                [replace(recipe, crop=each)],
                self.models,
                digest=digest,
                prints=len(frames) if crop else None,
            )
            if isinstance(made, Result)
        ]

    def _colors(self, *, keeps: bool) -> Colors:
        """The first principal coloring."""
        assert self.models.colorizer
        first = ColoringSpec(seeds=(0,) * len(self.models.colorizer.levels))
        return Colors(spec=first.principal_spec(0, 1), keeps=keeps)
