"""Photos and results by URL, with fsspec's file system in memory."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from colorflow.batch import Settings, Url, location_of, make_plan
from colorflow.batch.locations import (
    check_writable,
    deliver,
    has_content,
    is_inside,
    list_files,
    store_of,
)
from colorflow.cli import main
from colorflow.errors import BatchError, PhotoError, WritePhotoError
from tests.batch.store import IN, OUT, put

pytestmark = pytest.mark.usefixtures("memory")

# locations


@pytest.mark.parametrize(
    ("given", "location"),
    [
        ("album/a.jpg", Path("album/a.jpg")),
        ("C:/album", Path("C:/album")),
        ("C://album", Path("C://album")),
        ("file:///a/two%20words.jpg", Path("/a/two words.jpg")),
        ("FILE:///a", Path("/a")),
        ("s3://b/a.jpg", Url("s3://b/a.jpg")),
        ("s3://b/album/", Url("s3://b/album")),
        ("s3://b/100%25 #1?.jpg", Url("s3://b/100%25 #1?.jpg")),
        ("memory://", Url("memory://")),
        (Url("s3://b"), Url("s3://b")),
    ],
)
def test_locations(given: str | Url, location: Path | Url) -> None:
    assert location_of(given) == location


def test_parts_of_urls() -> None:
    url = location_of("S3://b/album/a.b.jpg")
    assert isinstance(url, Url)
    assert (url.scheme, url.name, str(url.parent)) == ("s3", "a.b.jpg", "S3://b/album")
    assert str(Url("s3://b") / PurePosixPath("x/y.png")) == "s3://b/x/y.png"
    assert str(Url("memory://") / "y") == "memory://y"
    assert Url("s3://b") / PurePosixPath() == Url("s3://b")
    assert is_inside(Url("s3://b/in/x"), Url("s3://b/in"))
    assert not is_inside(Url("s3://b/inner"), Url("s3://b/in"))
    assert not is_inside(Url("s3://b/inner"), Path("s3:/b"))


# finding


def test_a_folder_gives_its_photos(memory: MemoryFileSystem) -> None:
    put(memory, "in/b.png", "in/a.JPG", "in/inner/c.png", "in/.hidden.png", "in/../out.png")
    put(memory, "in/results/a_a.png", "inside/x.png")
    memory.pipe_file("/in/notes.txt", b"x")
    flat = make_plan([IN], OUT, Settings())
    assert list(map(str, flat.inputs)) == ["memory://in/a.JPG", "memory://in/b.png"]
    assert list(map(str, flat.left_out)) == ["memory://in/notes.txt"]
    nested = make_plan([f"{IN}/"], f"{IN}/results", Settings(), recursive=True)
    assert [str(task.target("a")) for task in nested.tasks] == [
        "memory://in/results/a_a.jpg",
        "memory://in/results/b_a.png",
        "memory://in/results/inner/c_a.png",
    ]


def test_patterns_names_and_what_is_not_there(memory: MemoryFileSystem) -> None:
    put(memory, "in/a1.png", "in/a2.png", "in/b.png", "in/chain::b.png")
    inputs = [f"{IN}/a*.png", f"{IN}/a1.png", f"{IN}/absent.png", f"{IN}/z*", "memory://no"]
    inputs.append(f"{IN}/c*")
    plan = make_plan(inputs, OUT, Settings())
    names = ["a1.png", "a2.png", "absent.png", "chain::b.png"]
    assert [task.path.name for task in plan.tasks] == names
    assert str(plan.tasks[-1].target("a")) == f"{OUT}/chain::b_a.png"
    assert store_of(Url(f"{IN}/chain::b.png"))[1] == "/in/chain::b.png"
    assert {str(outcome.path): outcome.reason for outcome in plan.settled} == {
        f"{IN}/z*": "no photo fits this pattern",
        "memory://no": "there are no photos here; -r takes the photos in them, too",
    }


def test_names_in_a_store_do_not_lead_out_of_the_folder(
    memory: MemoryFileSystem, tmp_path: Path
) -> None:
    put(memory, "in/x/../../../evil.png", "in/good.png")
    plan = make_plan([IN], tmp_path / "out", Settings(), recursive=True)
    assert [str(task.target("a")) for task in plan.tasks] == [str(tmp_path / "out" / "good_a.png")]


# stores


def test_a_file_is_seen_only_when_it_is_whole(
    memory: MemoryFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender that breaks off leaves what was there, and nothing that could be taken for it."""
    (tmp_path / "x").write_bytes(b"new")
    memory.pipe_file("/out/x.png", b"old")
    put_file = MemoryFileSystem.put_file

    def break_off(self: MemoryFileSystem, source: str, target: str, **_: object) -> None:
        put_file(self, source, target)
        assert self.cat_file("/out/x.png") == b"old"
        raise ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "put_file", break_off)
        with pytest.raises(WritePhotoError, match=r"x\.png: cannot be written \(gone\)"):
            deliver(tmp_path / "x", Url(f"{OUT}/x.png"))
    assert memory.find("/out") == ["/out/x.png"]
    deliver(tmp_path / "x", Url(f"{OUT}/x.png"))
    assert memory.cat_file("/out/x.png") == b"new"
    assert memory.find("/out") == ["/out/x.png"]


def test_files_by_url_on_a_disk(tmp_path: Path) -> None:
    """``local://`` goes the way of a store that renames."""
    (tmp_path / "x").write_bytes(b"new")
    folder = Url(f"local://{tmp_path}/a b")
    check_writable(folder)
    assert list((tmp_path / "a b").iterdir()) == []
    deliver(tmp_path / "x", folder / "inner/x.png")
    assert (tmp_path / "a b" / "inner" / "x.png").read_bytes() == b"new"
    (tmp_path / "a b" / "empty.png").touch()
    assert list_files(folder) == [PurePosixPath("empty.png"), PurePosixPath("inner/x.png")]
    assert has_content(folder / "inner/x.png")
    assert not has_content(folder / "empty.png")
    assert not has_content(folder / "absent.png")
    assert not has_content(folder / "inner")


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), RuntimeError("no\nidea")])
def test_whatever_a_store_raises_is_a_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(MemoryFileSystem, "find", fail)
    (outcome,) = make_plan([IN], OUT, Settings()).settled
    assert outcome.status == "failed"
    assert str(outcome.reason).startswith("cannot be listed (")
    assert "\n" not in str(outcome.reason)
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", fail)
    with pytest.raises(PhotoError, match=r"memory://out: nothing can be written here \("):
        check_writable(Url(OUT))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://b/a", r"s3://b/a: s3:// needs a package .*s3fs.*pip"),
        ("x1://b/a", r"x1://b/a: x1:// cannot be used \(Protocol not known"),
        ("data://x", "where files do not appear as a whole"),
    ],
)
def test_a_store_that_cannot_be_used_is_told(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(BatchError, match=said):
        check_writable(Url(url))


# the command


def test_the_command_takes_urls(
    memory: MemoryFileSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    put(memory, "in/a.png")
    assert main(["colorize", IN, "-o", OUT, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{IN}/a.png -> {OUT}/a_a.png", "1 to do"]
    assert main(["colorize", "x1://b/a.png", "-o", OUT]) == 1
    assert "colorflow: x1://b/a.png: x1:// cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the engine ray needs the package Ray: pip install 'colorflow-cinn[ray]'"),
        (("--device", "cuda:1"), "device cuda:1: on a cluster it is cpu or cuda; Ray chooses"),
        (("--weights", "absent.safetensors"), "absent.safetensors: the weights cannot be read"),
    ],
)
def test_what_the_ray_engine_needs_is_said_at_once(
    arguments: tuple[str, ...],
    message: str,
    album: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    out = tmp_path / "out"
    assert main(["colorize", str(album), "-o", str(out), "--engine", "ray", *arguments]) == 1
    assert f"colorflow: {message}" in capsys.readouterr().err
    assert not os.path.exists(out)


def test_an_address_where_nobody_answers_is_told(
    album: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ray = SimpleNamespace(is_initialized=lambda: False, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)
    with socket.socket() as unused:  # bound, but nobody listens
        unused.bind(("127.0.0.1", 0))
        for address in (f"127.0.0.1:{unused.getsockname()[1]}", "nonsense"):
            monkeypatch.setenv("RAY_ADDRESS", address)
            out = tmp_path / "out"
            assert main(["colorize", str(album), "-o", str(out), "--engine", "ray"]) == 1
            said = capsys.readouterr().err
            assert f"no Ray cluster answers at {address}, as RAY_ADDRESS says (" in said
