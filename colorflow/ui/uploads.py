"""How Gradio reads uploads."""

from __future__ import annotations

from pathlib import Path

from gradio import route_utils
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException

_NO_FIELDS = "An upload has files alone, each with its name; docs/api.md shows how."


class FileParser(route_utils.GradioMultiPartParser):
    """Takes files alone: Gradio 6.31 keeps a field in memory, three times, however long it is."""

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        if self._current_part.file is None:
            raise MultiPartException(_NO_FIELDS)

    async def parse(self) -> FormData:
        try:
            return await super().parse()
        except BaseException:  # also if the client goes
            for file in self._files_to_close_on_error:
                file.close()
                Path(file.name).unlink(missing_ok=True)
            raise


def take_files_alone() -> None:
    """Let Gradio read all uploads so."""
    route_utils.GradioMultiPartParser = FileParser  # type: ignore[misc]
