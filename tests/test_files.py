"""Files appear whole, and replace nothing but their own kind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from colorflow import files
from colorflow.files import (
    FileKind,
    default_weights,
    is_temporary_name,
    json_kind,
    remove_leftovers,
    temporary_name,
    text_kind,
    whole_file,
    whole_folder,
    write_whole,
)

NOTE = text_kind("note", "<!-- note -->\n")
NUMBERS = json_kind("numbers", "colorflow measure")
OWN = b"<!-- note -->\nold"

posix = pytest.mark.skipif(sys.platform == "win32", reason="files of POSIX")


@pytest.mark.parametrize("kind", [NOTE, NUMBERS])
@pytest.mark.parametrize(
    "content",
    [
        b"mine", b" <!-- note -->\n", b"[]", b"{}", b"null", b"\xff", b"[[1]]",
        b'{"command": "colorflow measure-more"}', b'{"of": {"command": "colorflow measure"}}',
        b'[{"command": "colorflow measure"}, {}]', b"[" * 10**5,
    ],
)  # fmt: skip
def test_anything_else_stays(content: bytes, kind: FileKind, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(FileExistsError) as error:
        write_whole(path, b"new", kind)
    assert error.value.strerror == (
        f"a file is there already, and it is no {kind.name} that colorflow made; "
        "move it away, or choose another name"
    )
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (OWN, NOTE),
        (b'{"n": 1, "command": "colorflow measure"}', NUMBERS),
        (json.dumps([{"command": "colorflow measure a --json b"}] * 2).encode(), NUMBERS),
        (b"", NOTE), (b"", NUMBERS),
        (b"mine", None),
    ],
)  # fmt: skip
def test_what_may_be_replaced(content: bytes, kind: FileKind | None, tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_whole(path, content, kind)
    write_whole(path, b"new", kind)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_finished_is_not_seen_and_one_that_comes_meanwhile_stays(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x"
    for content, error in ((OWN, KeyboardInterrupt), (b"mine", FileExistsError)):
        path.write_bytes(OWN)
        with pytest.raises(error), whole_file(path, NOTE) as file:  # noqa: PT012
            file.write(b"half")
            file.flush()
            assert path.read_bytes() == OWN
            path.write_bytes(content)
            if error is KeyboardInterrupt:
                raise KeyboardInterrupt
        assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]


@posix
def test_links_are_written_through(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "x", tmp_path / "link"
    link.symlink_to(target)
    write_whole(link, OWN, NOTE)
    write_whole(link, OWN + b"er", NOTE)
    assert link.is_symlink()
    assert target.read_bytes() == OWN + b"er"
    target.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_whole(link, OWN, NOTE)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="Too many levels"):
        write_whole(tmp_path / "loop", OWN, NOTE)
    assert target.read_bytes() == b"mine"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["link", "loop", "there", "x"]


@posix
def test_folders_and_devices_are_never_replaced(tmp_path: Path) -> None:
    write_whole(Path(os.devnull), OWN, NOTE)
    assert Path(os.devnull).is_char_device()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, OWN, NOTE)
    os.mkfifo(tmp_path / "pipe")
    read = os.open(tmp_path / "pipe", os.O_RDWR)
    write_whole(tmp_path / "pipe", OWN, NOTE)
    assert os.read(read, 1000) == OWN
    os.close(read)
    assert (tmp_path / "pipe").is_fifo()
    assert list(tmp_path.iterdir()) == [tmp_path / "pipe"]


def test_all_shipped_weights_are_named() -> None:
    names = {name: value for name, value in vars(files).items() if name.endswith("_WEIGHTS")}
    shipped = default_weights().parent.glob("*.safetensors")
    assert set(names.values()) == {path.name for path in shipped}
    assert set(re.findall(r"`(\w+_WEIGHTS)`", default_weights.__doc__ or "")) == set(names)


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new"
    with suppress(RuntimeError), whole_folder(target) as folder:
        (folder / "half").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    target.mkdir()  # an empty folder may be replaced
    with whole_folder(target) as folder:
        (folder / "a").write_bytes(b"1")
        assert is_temporary_name(folder.name)
        assert list(target.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert (target / "a").read_bytes() == b"1"
    (target / "b").touch()
    with pytest.raises(OSError), whole_folder(target) as folder:  # noqa: PT011
        pass
    assert {path.name for path in target.iterdir()} == {"a", "b"}
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@posix
def test_only_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    """Not what a living one writes, nor what a link of such a name leads to."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "photo").touch()
    links = [tmp_path / temporary_name() for _ in range(2)]
    for link, target in zip(links, (mine, mine / "photo"), strict=True):
        link.symlink_to(target)
    others = {mine, *links, tmp_path / ".colorflow-notes.tmp"}
    (tmp_path / ".colorflow-notes.tmp").touch()
    (tmp_path / temporary_name()).write_bytes(b"half a picture")
    (tmp_path / temporary_name() / "inner").mkdir(parents=True)
    with whole_file(tmp_path / "file", None) as file, whole_folder(tmp_path / "folder") as folder:
        before = set(tmp_path.iterdir())
        remove_leftovers(tmp_path)
        now = set(tmp_path.iterdir())
        assert len(before - now) == 2
        assert now - others == {folder, Path(file.name)}
    assert set(tmp_path.iterdir()) == {*others, tmp_path / "file", tmp_path / "folder"}
    assert [path.name for path in mine.iterdir()] == ["photo"]


@posix
def test_what_another_process_writes_is_no_leftover(tmp_path: Path) -> None:
    """Until it is killed, at whatever moment that is."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from colorflow.files import whole_file\n"
        "with whole_file(Path(sys.argv[1]), None): print('open', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "x")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"open\n"
        remove_leftovers(tmp_path)
        (left,) = tmp_path.iterdir()
        process.kill()
    remove_leftovers(tmp_path)
    assert not left.exists()


def test_a_file_that_was_taken_for_a_leftover_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another process, between its creation and its lock."""
    touch, made = Path.touch, []

    def touch_late(path: Path, **options: bool) -> None:
        touch(path, **options)
        made.append(path)
        if len(made) == 1:
            remove_leftovers(tmp_path)

    monkeypatch.setattr(Path, "touch", touch_late)
    write_whole(tmp_path / "x", OWN, NOTE)
    assert len(set(made)) == (1 if sys.platform == "win32" else 2)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
