"""The list of bad inputs without a server: each is a sentence that names the file, or works."""

from __future__ import annotations

import html
from pathlib import Path

import pytest

from colorflow.ui.desk import Desk
from colorflow.ui.limits import Limits, UploadSpace
from colorflow.ui.render import render
from colorflow.ui.work import DeskWorker
from tests.ui.bad_inputs import BAD_INPUTS, MEGABYTES, MEGAPIXELS, BadInput
from tests.ui.handling import fulfil

LIMITS = Limits(megabytes=MEGABYTES, megapixels=MEGAPIXELS)


@pytest.mark.parametrize(
    "bad", [bad for bad in BAD_INPUTS if bad.says != "size"], ids=lambda bad: ascii(bad.name[:24])
)
def test_it_is_told_or_works(worker: DeskWorker, desk: Desk, bad: BadInput, tmp_path: Path) -> None:
    worker.budget.pixels = LIMITS.pixels
    worker.space = UploadSpace(tmp_path, LIMITS.megabytes, worker.budget)
    path = tmp_path / bad.name
    path.write_bytes(bad.content)
    worker.open(desk, [path])
    fulfil(desk)
    assert len(desk.photos) == (bad.says is None)
    status = html.unescape(render(desk)["status"])
    assert str(tmp_path) not in status
    assert "<b>" not in "".join(render(desk).values()), "names are shown as text"
    if bad.says:
        assert f"{bad.name}: " in status
        assert bad.says in status
        assert not list(desk.folder.glob("photo-*")), "what could not be read leaves nothing"
