"""The results of a run in one zip, which appears whole once every photo has had its turn.

Until then they lie in a folder beside it, where the next run goes on. Results of earlier runs that
are in the zip already are unpacked there first, so that they are skipped, and packed again.

The folder is made with a file that says so. Nothing is taken out of a folder without that file, of
one that a link leads to, or of one that holds anything but results, since it may be a person's own.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from colorflow.batch import locations
from colorflow.batch.archive import MOST_FILES, RESULTS, pack, unpack, usual_limits
from colorflow.batch.plan import Plan
from colorflow.batch.sheet import SHEET
from colorflow.errors import BatchError, WritePhotoError
from colorflow.files import (
    check_replaceable,
    is_temporary_name,
    locked,
    remove_leftovers,
    whole_folder,
)
from colorflow.photo import names_colorflow

_MARKER = ".colorflow-zip.json"
"""The file in the folder that says who made it, and what came out of the zip."""
_MADE_BY = "colorflow"


class ZipResults:
    """A zip, and the folder in which its content is made.

    Args:
        archive: the zip; only one of ours is replaced.
        scratch: an empty folder for the content of a zip that will not change; None if it may.

    Raises:
        WritePhotoError: if another file is in its place, another folder in that of its folder, or
            its content cannot be unpacked.
        BatchError: if it is damaged.
    """

    def __init__(self, archive: Path, scratch: Path | None) -> None:
        self.archive = archive
        self.folder = archive.with_name(f"{archive.name}.unfinished")
        self.count = 0
        """Files in the zip, once it is written."""
        self._may_change = scratch is None
        try:
            check_replaceable(archive, RESULTS)
            if self._may_change:
                remove_leftovers(archive.parent)
            self._holds_more = os.path.lexists(self.folder)
            """Whether there is anything in the folder that is not in the zip."""
            if self._holds_more:
                self._own_files()
            elif archive.exists() and archive.stat().st_size:
                self.folder = scratch / "z" if scratch else self.folder
                self.make_folder()
        except OSError as error:
            raise WritePhotoError(archive, f"cannot be written ({error.strerror})") from error

    def check(self, plan: Plan) -> None:
        """Raises `BatchError` if the results are too many for a zip that is to be read again."""
        if (files := len(plan.tasks) * len(plan.settings.labels)) > MOST_FILES // 2:
            raise BatchError(
                f"{self.archive}: would hold {files} results, and a zip holds {MOST_FILES // 2}; "
                "choose a folder"
            )

    def make_folder(self) -> None:
        """Makes the folder with the content of the zip, if there is none yet.

        Raises:
            WritePhotoError: if it cannot be made.
            BatchError: if the zip is damaged.
        """
        if os.path.lexists(self.folder):
            return
        locations.make_folder(self.folder.parent)
        try:
            with whole_folder(self.folder) as new:
                unpacked: list[Path] = []
                if self.archive.exists() and self.archive.stat().st_size:
                    unpacked = unpack(self.archive, new, usual_limits(self.archive.parent)).files
                said = {"command": _MADE_BY, "unpacked": [path.as_posix() for path in unpacked]}
                with open(new / _MARKER, "x", encoding="ascii") as file:
                    json.dump(said, file)
        except OSError as error:
            reason = f"the folder cannot be made ({error.strerror})"
            raise WritePhotoError(self.folder, reason) from error

    def note_new(self) -> None:
        """Note that there is something in the folder that is not in the zip."""
        self._holds_more = True

    def finish(self, *, is_complete: bool) -> bool:
        """Packs the folder if all photos have had their turn, and removes what nobody needs.

        Returns:
            Whether what is in the folder now is not in the zip.

        Raises:
            WritePhotoError: if the zip cannot be written, or something else is in the folder, which
                stays.
            BatchError: if another run is making its content.
        """
        if not (self._may_change and self.folder.is_dir()):
            return False
        busy = BatchError(f"{self.folder}: another run of colorflow is writing to this folder")
        with locked(self.folder, busy):
            files = self._own_files()
            if files and self._holds_more:
                if not is_complete:
                    return True
                pack(self.folder, self.archive, RESULTS, files)
            self.count = len(files)
            self._remove(files)
        return False

    def _own_files(self) -> list[Path]:
        """The results and contact sheets in the folder.

        Raises:
            WritePhotoError: unless a run made the folder and everything in it.
        """
        unpacked = self._unpacked()
        files = []
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            is_link = path.is_symlink()
            if not is_link and (path.is_dir() or name == _MARKER or is_temporary_name(path.name)):
                continue
            if is_link or not (path.is_file() and (name in unpacked or _is_result(path))):
                raise WritePhotoError(
                    self.folder,
                    f"holds {name}, which colorflow did not make; move it to another place, and "
                    "run the command again",
                )
            files.append(path)
        return files

    def _unpacked(self) -> set[str]:
        """What came out of the zip, as the file in the folder says."""
        marker = self.folder / _MARKER
        with suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
            said = json.loads(marker.read_bytes())
            if said["command"] == _MADE_BY and not any(map(os.path.islink, (self.folder, marker))):
                return set(said["unpacked"])
        raise WritePhotoError(
            self.folder,
            f"results are collected under this name until {self.archive.name} is written, but "
            "colorflow did not make what is there; move it away, or choose another name for the "
            "zip",
        )

    def _remove(self, files: list[Path]) -> None:
        """Removes the folder with these files and unfinished ones; whatever else is there stays."""
        for path in (*files, self.folder / _MARKER):
            path.unlink()
        inside = sorted(self.folder.rglob("*"), reverse=True)
        for folder in (*(one for one in inside if one.is_dir()), self.folder):
            if not folder.is_symlink():
                remove_leftovers(folder)
                with suppress(OSError):
                    folder.rmdir()


def _is_result(path: Path) -> bool:
    """Whether a file says that it is a result of any command, or a contact sheet."""
    with suppress(OSError, ValueError):
        return names_colorflow(path) or SHEET.is_one(path)
    return False
