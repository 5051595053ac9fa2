"""The results of a run in one zip, which appears whole once every photo has had its turn.

Until then they lie in a folder beside it, where the next run goes on. Results of earlier runs that
are in the zip already are unpacked there first, so that they are skipped, and packed again.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from colorflow.batch.archive import MOST_FILES, RESULTS, pack, packed_files, unpack, usual_limits
from colorflow.batch.plan import Plan
from colorflow.errors import BatchError, WritePhotoError
from colorflow.files import check_replaceable, is_temporary_name, locked, temporary_name


class ZipResults:
    """A zip, and the folder in which its content is made.

    Args:
        archive: the zip; only one of ours is replaced.
        scratch: an empty folder for the content of a zip that will not change; None if it may.

    Raises:
        WritePhotoError: if another file is in its place, or its content cannot be unpacked.
        BatchError: if it is damaged.
    """

    def __init__(self, archive: Path, scratch: Path | None) -> None:
        self.archive = archive
        self.folder = archive.with_name(f"{archive.name}.unfinished")
        self.count = 0
        """Files in the zip, once it is written."""
        try:
            check_replaceable(archive, RESULTS)
            self._holds_more = self.folder.exists()
            """Whether there is anything in the folder that is not in the zip."""
            if not self._holds_more and archive.exists() and archive.stat().st_size:
                unpacked = archive.with_name(temporary_name()) if scratch is None else scratch / "z"
                unpack(archive, unpacked, usual_limits(archive.parent))
                self.folder = unpacked.rename(self.folder) if scratch is None else unpacked
        except OSError as error:
            raise WritePhotoError(archive, f"cannot be written ({error.strerror})") from error

    def check(self, plan: Plan) -> None:
        """Raises `BatchError` if the results are too many for a zip that is to be read again."""
        if (files := len(plan.tasks) * len(plan.settings.labels)) > MOST_FILES // 2:
            raise BatchError(
                f"{self.archive}: would hold {files} results, and a zip holds {MOST_FILES // 2}; "
                "choose a folder"
            )

    def note_new(self) -> None:
        """Note that there is something in the folder that is not in the zip."""
        self._holds_more = True

    def finish(self, *, is_complete: bool) -> bool:
        """Packs the folder if all photos have had their turn, and removes what nobody needs.

        Returns:
            Whether what is in the folder now is not in the zip.

        Raises:
            WritePhotoError: if the zip cannot be written; the folder stays.
            BatchError: if another run is making its content.
        """
        if not self.folder.is_dir():
            return False
        files = packed_files(self.folder)
        if files and self._holds_more and not is_complete:
            return True
        busy = BatchError(f"{self.folder}: another run of colorflow is writing to this folder")
        with locked(self.folder, busy):
            if files and self._holds_more:
                pack(self.folder, self.archive, RESULTS)
            self.count = len(files)
            _remove(self.folder, files)
        return False


def _remove(folder: Path, files: list[Path]) -> None:
    """Removes a folder with these files and unfinished ones; whatever else is there stays."""
    left = sorted(folder.rglob("*"), reverse=True)
    for path in (*files, *(one for one in left if is_temporary_name(one.name))):
        path.unlink()
    for path in (*(one for one in left if one.is_dir() and not one.is_symlink()), folder):
        with suppress(OSError):
            path.rmdir()
