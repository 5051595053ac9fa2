"""Which photos a person means by a URL."""

from __future__ import annotations

from pathlib import PurePosixPath

from colorflow.batch import store
from colorflow.batch.url import Place, Url
from colorflow.errors import UnreadablePhotoError
from colorflow.photo import PHOTO_SUFFIXES


def find_by_url(url: Url, output: Place, *, recursive: bool) -> list[tuple[Url, PurePosixPath]]:
    """Lists a URL's photos, each with its place below it, by the rules of `find_inputs`.

    What is named like a photo is one: it is looked for only when its turn comes. What has ``*`` in
    it is a pattern. Anything else is a folder, which is listed once.

    Raises:
        UnreadablePhotoError: if there are none, or the folder cannot be listed.
        BatchError: if there is no way to speak to such a store.
    """
    if "*" in url.text:
        photos = [(one, PurePosixPath(one.name)) for one in store.matches(url)]
        nothing = "no photo fits this pattern"
    elif _is_photo(url):
        store.connected(url)
        return [(url, PurePosixPath(url.name))]
    else:
        places = store.files_below(url, recursive=recursive)
        photos = [(url / place, place) for place in sorted(places)]
        nothing = "there are no photos here" + ("" if recursive else "; -r looks into folders, too")
    if isinstance(output, Url) and output != url and output.is_below(url):
        photos = [(one, place) for one, place in photos if not one.is_below(output)]
    photos = [(one, place) for one, place in photos if _is_photo(one)]
    if not photos:
        raise UnreadablePhotoError(str(url), nothing)
    return photos


def _is_photo(url: Url) -> bool:
    return PurePosixPath(url.name).suffix.lower() in PHOTO_SUFFIXES
