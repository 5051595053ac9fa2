"""One visitor's photo, the photo that its colors come from, and the result, kept as files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of, render
from colorflow.errors import ColorflowError, PhotoError
from colorflow.photo import Kind, Photo, Provenance
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.opened import OpenPhoto, new_folder, open_photo, paint, reduced, write

if TYPE_CHECKING:
    from colorflow.colorizer import Predictions

Role = Literal["photo", "reference"]


class ReferenceColorizer(Protocol):
    """What the tab needs of `colorflow.colorizer.Colorizer`."""

    digest: str

    def predict(
        self,
        photo: Photo,
        n: int,
        temperature: float,
        seed: int,
        /,
        *,
        samples: bool,
        reference: Photo,
        strength: float,
    ) -> Predictions:
        """Draw the colors of n samples."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Carried:
    """The photo with colors of the other."""

    photo: OpenPhoto
    seed: int
    ab: NDArray[np.float32]
    """Its colors, CIELAB (2, 64, 64)."""
    preview: Path
    path: Path
    """Where it is written in full size when that is asked for."""


class ReferenceSession:
    """What the server keeps of one visitor of the tab.

    Args:
        root: folder in which the session makes its own.
        budget: memory for photos, shared by all visitors.

    Raises:
        ColorflowError: it cannot.
    """

    def __init__(self, root: Path, budget: MemoryBudget) -> None:
        self._folder = new_folder(root, "reference-")
        self._budget = budget
        self._opened: dict[Role, OpenPhoto] = {}
        self.result: Carried | None = None

    def open(self, role: Role, upload: Path) -> OpenPhoto:
        """Read another photo; the one before in its role is forgotten even if that fails.

        Raises:
            ColorflowError: it cannot be read, its preview not written, or the reference is gray.
        """
        self.forget(role)
        opened = open_photo(upload, self._folder, self._budget)
        if role == "reference" and opened.kind is Kind.GRAY:
            shutil.rmtree(opened.folder, ignore_errors=True)
            raise PhotoError(
                upload, "has no colors that could be carried over; choose a color photo"
            )
        self._opened[role] = opened
        return opened

    @property
    def is_complete(self) -> bool:
        """Whether both photos are there."""
        return len(self._opened) == 2

    def carry(self, colorizer: ReferenceColorizer, strength: float, seed: int) -> Carried | None:
        """Color the photo with the colors of the other.

        Args:
            colorizer: does it.
            strength: how far colors go towards those of the other, in [0, 1].
            seed: of what the other photo does not decide.

        Returns:
            The result; None if the visitor has opened another photo meanwhile.

        Raises:
            ColorflowError: a photo is missing, or cannot be read again, or the result not written.
        """
        photo, other = self._opened.get("photo"), self._opened.get("reference")
        if photo is None or other is None:
            raise ColorflowError("Two photos are needed: one to be colored, and one in color.")
        try:
            made = _carried(photo, other, colorizer, strength, seed)
        except ColorflowError:
            if self._opened.get("photo") is not photo:  # its folder has gone
                return None
            raise
        if self._opened.get("photo") is not photo:
            return None
        before, self.result = self.result, made
        if before:
            shutil.rmtree(before.path.parent, ignore_errors=True)
        return made

    def paint(self, model: str) -> Path | None:
        """Paint the result in full size, unless that has been done.

        Args:
            model: digest of the weights, to be written into the file.

        Returns:
            The file; None if there is no result, or another by now.

        Raises:
            ColorflowError: the photo cannot be read again, or the result not written.
        """
        made = self.result
        if made is None:
            return None
        try:
            if not made.path.exists():
                paint(made.photo, made.ab, made.path, Provenance(made.seed, 1.0, model))
        except ColorflowError:
            if self.result is not made:  # its folder may have gone
                return None
            raise
        return made.path if self.result is made else None

    def forget(self, role: Role) -> None:
        """Delete what was made of one of the two photos."""
        before = self._opened.pop(role, None)
        if role == "photo":
            self.result = None
        if before:
            shutil.rmtree(before.folder, ignore_errors=True)

    def close(self) -> None:
        """Delete everything."""
        self._opened, self.result = {}, None
        shutil.rmtree(self._folder, ignore_errors=True)


def _carried(
    opened: OpenPhoto,
    other: OpenPhoto,
    colorizer: ReferenceColorizer,
    strength: float,
    seed: int,
) -> Carried:
    with other.read() as whole:  # both at once would need room twice
        reference = reduced(whole)
    with opened.read() as photo:
        draws = colorizer.predict(
            photo, 1, 1.0, seed, samples=True, reference=reference, strength=strength
        )
        small = reduced(photo)
    folder = new_folder(opened.folder, "run-")
    return Carried(
        photo=opened,
        seed=seed,
        ab=draws.ab[0],
        preview=write(
            folder / "preview.png", render(lightness_of(small.pixels), draws.ab[0]), small
        ),
        path=folder / f"{opened.upload.stem}_like_{other.upload.stem}{opened.suffix}",
    )
