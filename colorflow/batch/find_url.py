"""Which photos a person means by a URL."""

from __future__ import annotations

from pathlib import PurePath, PurePosixPath

from colorflow.batch import store
from colorflow.batch.url import Place, Url
from colorflow.photo import PHOTO_SUFFIXES


def find_by_url(url: Url, output: Place, *, recursive: bool) -> list[tuple[Url, PurePosixPath]]:
    """Lists a URL's files, each with its place below it, by the rules of `find_inputs`.

    What is named like a photo is one: it is looked for only when its turn comes. What has ``*`` in
    it is a pattern. Anything else is a folder, which is listed once.

    Raises:
        UnreadablePhotoError: if the folder cannot be listed.
        BatchError: if there is no way to speak to such a store.
    """
    if "*" in url.text:
        files = [(one, PurePosixPath(one.name)) for one in store.matches(url)]
    elif is_photo(url):
        store.connected(url)
        return [(url, PurePosixPath(url.name))]
    else:
        places = store.files_below(url, recursive=recursive)
        files = [(url / place, place) for place in sorted(places)]
    if isinstance(output, Url) and output != url and output.is_below(url):
        files = [(one, place) for one, place in files if not one.is_below(output)]
    return files


def is_photo(file: PurePath | Url) -> bool:
    """Whether a file of a folder is taken for a photo, by its name."""
    return PurePosixPath(file.name).suffix.lower() in PHOTO_SUFFIXES
