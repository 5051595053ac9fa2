"""Where results go, and what is in zips: folders and URLs as they are, zips by folders of ours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import click

from colorflow.batch import Location, location_of
from colorflow.batch.archive import RESULTS, pack
from colorflow.batch.find import is_zip
from colorflow.batch.locations import is_inside, is_local
from colorflow.errors import BatchError, WritePhotoError
from colorflow.files import check_replaceable, locked, remove_leftovers


@dataclass(slots=True, kw_only=True)
class Places:
    """Where a run leaves results, and finds what is in zips.

    Attributes:
        output: the folder for results, or its URL.
        scratch: a temporary folder for what is in zips; None where there are none.
        zipped: the zip that results are packed into.
        known_as: how people know what lies in other places, by its path.
    """

    output: Location
    scratch: Path | None = None
    zipped: ZipResults | None = None
    known_as: dict[Path, str] = field(default_factory=dict)


@contextmanager
def opened_places(options: SimpleNamespace) -> Iterator[Places]:
    """Opens the places that the options name; what is temporary is removed at the end.

    Raises:
        ColorflowError: if one of them cannot be used.
        UsageError: if they do not go together, or with other options.
    """
    output = location_of(options.output)
    to_zip = is_zip(output) and not os.path.isdir(str(output))
    if not to_zip and os.path.exists(str(output)) and not os.path.isdir(str(output)):
        raise WritePhotoError(str(output), "is a file, but -o names a folder for the results")
    from_zip = any(is_zip(location_of(one)) for one in options.inputs)
    if options.engine == "ray" and (to_zip or from_zip):
        raise click.UsageError("--engine: ray takes folders, not zips, for all nodes")
    places = Places(output=output)
    if to_zip:
        zipped = places.zipped = _open_zip(output, options)
        places.output = zipped.folder
        places.known_as[zipped.folder] = str(zipped.archive)
    if not from_zip:
        yield places
        return
    with _temporary_folder() as scratch:
        places.scratch = Path(scratch)
        yield places


def _temporary_folder() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="colorflow-", ignore_cleanup_errors=True)
    except OSError as error:
        raise BatchError(f"no temporary folder can be made ({error.strerror})") from error


def _open_zip(archive: Location, options: SimpleNamespace) -> ZipResults:
    """The zip for the results; a contact sheet is to lie in it."""
    if not is_local(archive):
        raise WritePhotoError(str(archive), "a zip is written on this machine; choose a folder")
    for given in options.inputs:
        if os.path.exists(given) and os.path.exists(archive) and os.path.samefile(given, archive):
            raise WritePhotoError(archive, "is itself an input; choose another name for results")
    sheet = options.contact_sheet
    if sheet and sheet.name != str(sheet):
        raise WritePhotoError(sheet, "the contact sheet lies in the zip; give its name alone")
    zipped = ZipResults(archive, overwrite=options.overwrite)
    if sheet:
        options.contact_sheet = zipped.folder / sheet
    return zipped


class ZipResults:
    """A zip of results, which appears whole once every photo has had its turn.

    Until then they lie in a folder beside it, where the same command goes on.

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
