"""The results of a run in one zip, which appears whole once every photo has had its turn.

Until then they lie in a folder beside it, where the same command goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from colorflow.batch.archive import RESULTS, pack
from colorflow.batch.locations import is_inside
from colorflow.errors import BatchError, WritePhotoError
from colorflow.files import check_replaceable, locked, remove_leftovers


class ZipResults:
    """A zip, and the folder in which its content is made.

    Args:
        archive: the zip.
        overwrite: whether a zip of earlier results is replaced; no other file ever is.

    Raises:
        WritePhotoError: if there is a file that stays in its place.
    """

    def __init__(self, archive: Path, *, overwrite: bool) -> None:
        self.archive = archive
        self.folder = archive.with_name(f"{archive.name}.unfinished")
        try:
            check_replaceable(archive, RESULTS)
            is_there = archive.exists() and archive.stat().st_size > 0
        except OSError as error:
            raise WritePhotoError(archive, f"cannot be written ({error.strerror})") from error
        if is_there and not overwrite:
            raise WritePhotoError(
                archive, "is there already; --overwrite makes it anew, or choose another name"
            )

    def finish(self, files: Sequence[Path]) -> None:
        """Packs files of the folder, and removes them; whatever else is there stays.

        Args:
            files: the results and the contact sheet; without any no zip is written.

        Raises:
            WritePhotoError: if the zip cannot be written; the files stay then.
            BatchError: if another run is writing to the folder.
        """
        if not self.folder.is_dir():
            return
        busy = BatchError(f"{self.folder}: another run of colorflow is writing to this folder")
        with locked(self.folder, busy):
            if files:
                pack(self.folder, self.archive, RESULTS, files)
            for path in files:
                path.unlink()
            folders = {parent for path in files for parent in path.parents}
            for folder in sorted({*folders, self.folder}, reverse=True):
                if is_inside(folder, self.folder):
                    remove_leftovers(folder)
                    with suppress(OSError):  # it holds something else, or is a link
                        folder.rmdir()
