"""An upload on its way in: what of it counts, before Gradio's parser sees it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request
from starlette.types import Message

from colorflow.ui import limits
from colorflow.ui.access import Held, RefusedError
from colorflow.ui.storage import DiskQuota

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FILE_SECONDS = 0.0005
"""For which others are served before Gradio opens or moves one file of an upload."""
_SLOW_UPLOAD = "The upload took too long to arrive; send smaller or fewer files."
_NO_FORM = "Expected files with their names in the field `files`; docs/api.md shows how."


class Upload:
    """A form of files: counts what arrives, before Gradio's parser sees it.

    Gradio keeps whatever is no file in memory, and each file open until the last has arrived.

    Args:
        request: has the form as its body.
        visitor: who sends it.
        quota: counts bytes and files.
        parts: counts the files of uploads under way.
        turn: is held by one upload at a time, while those who wait for the event loop are served.

    Raises:
        RefusedError: it is no form of files.
    """

    def __init__(
        self, request: Request, visitor: str, quota: DiskQuota, parts: Held, turn: asyncio.Lock
    ) -> None:
        self.more = True
        """Whether the rest has not arrived."""
        self.files = 0
        """That have begun."""
        self._request = request
        self._visitor = visitor
        self._quota = quota
        self._parts = parts
        self._turn = turn
        self._arrived, self._waited = 0, 0.0
        self._name = self._value = self._disposition = b""
        """Of a header, and the header that says what a part is."""
        _, options = parse_options_header(request.headers.get("content-type"))
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._read_name,
            "on_header_value": self._read_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
        }
        try:
            self._parser = MultipartParser(options[b"boundary"], callbacks)
        except (KeyError, FormParserError) as error:
            raise RefusedError(400, _NO_FORM) from error

    async def receive(self) -> Message:
        """The next piece.

        Raises:
            RefusedError: it comes too late, or is none of a form of files.
            ColorflowError: it is more than the quota.
        """
        if not self.more:  # waits until the client goes away
            return await self._request.receive()
        earned = limits.UPLOAD_GRACE_SECONDS + self._arrived / limits.UPLOAD_BYTES_PER_SECOND
        began = time.monotonic()
        try:
            async with asyncio.timeout(min(earned, limits.UPLOAD_SECONDS) - self._waited):
                message = await self._request.receive()
        except TimeoutError as error:
            raise RefusedError(408, _SLOW_UPLOAD) from error
        self._waited += time.monotonic() - began
        self.more = message.get("more_body", False)
        piece = message.get("body", b"")
        self._arrived += len(piece)
        before = self.files
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise RefusedError(400, _NO_FORM) from error
        self._quota.arrived(self._visitor, len(piece), self.files - before)
        # Gradio opens the new files in the event loop, and moves all of them at the end.
        if busy := self.files - before + (0 if self.more else self.files):
            async with self._turn:
                await asyncio.sleep(busy * _FILE_SECONDS)
        return message

    def end(self) -> None:
        """Count its files no longer."""
        self._parts.give_back(self._visitor, self.files)

    def _begin(self) -> None:
        self._disposition = b""

    def _read_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _read_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"filename" not in options:
            raise RefusedError(400, _NO_FORM)
        self._parts.take(self._visitor, 1)
        self.files += 1
