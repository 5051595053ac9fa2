"""Files, folders and patterns to a list of photos."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path

import pytest

from colorflow.batch import Note
from colorflow.batch.find import Found, find_inputs


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    names = ["b.jpg", "a.PNG", "notes.txt", "c/d.tiff", "c/e/f.webp", ".hidden/g.jpg", "._b.jpg"]
    for name in names:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "tree"


def found(*inputs: object, output: Path = Path("nowhere"), recursive: bool = False) -> Found:
    return find_inputs([str(one) for one in inputs], output, recursive=recursive)


def paths(result: Found) -> list[str]:
    return [photo.relative.as_posix() for photo in result.photos]


def test_a_folder_gives_its_own_photos_and_says_that_there_are_more(tree: Path) -> None:
    result = found(tree)
    assert paths(result) == ["a.PNG", "b.jpg"]
    assert result.notes == [
        Note(path=tree, reason="has folders inside; -r takes the photos in them, too")
    ]


def test_recursive_gives_paths_below_the_folder(tree: Path) -> None:
    result = found(tree, recursive=True)
    assert paths(result) == ["a.PNG", "b.jpg", "c/d.tiff", "c/e/f.webp"]
    assert [photo.path for photo in result.photos][2] == tree / "c" / "d.tiff"
    assert not result.notes


def test_what_is_no_photo_by_its_name_is_listed(tree: Path, tmp_path: Path) -> None:
    (tree / "c" / "clip.MOV").touch()
    (tree / "c" / "b.txt").symlink_to(tmp_path / "outside.txt")
    (tmp_path / "outside.txt").touch()
    assert found(tree).left_out == [tree / "notes.txt"]
    result = found(tree, tree, recursive=True)
    assert result.left_out == [
        tree / "notes.txt", tree / "c" / "b.txt", tree / "c" / "clip.MOV",
    ]  # fmt: skip
    assert found(tree / "*.[jt]*").left_out == [tree / "notes.txt"]
    assert found(tree / "notes.txt", tree).left_out == []  # it is taken, since it was named


def test_each_file_is_taken_once_whatever_way_it_is_named(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    (tree.parent / "alias").symlink_to(tree)
    inputs = ["b.jpg", "./b.jpg", tree, tree.parent / "alias", "*.jpg", "c/../b.jpg"]
    assert paths(found(*inputs)) == ["b.jpg", "a.PNG"]
    assert not found(*inputs).missing


def test_patterns(tree: Path) -> None:
    assert paths(found(tree / "*.[jJ]*")) == ["b.jpg"]
    assert paths(found(tree / "*" / "*.tiff")) == ["d.tiff"]
    assert paths(found(tree / "*")) == ["a.PNG", "b.jpg", "d.tiff"]
    result = found(tree / "*.gif")
    assert [n.reason for n in result.missing] == ["no photo fits this pattern"]


def test_a_pattern_of_too_many_folders_is_named(tree: Path) -> None:
    result = found("*/" * 1500 + "*.jpg", tree / "*.jpg")
    assert paths(result) == ["b.jpg"]
    assert [note.reason.partition(";")[0] for note in result.missing] == [
        "this pattern names too many folders"
    ]


def test_folders_that_are_too_deep_are_named_and_the_others_go_on(
    tree: Path, request: pytest.FixtureRequest
) -> None:
    deep = Path("deep/" + "n/" * 99)
    (tree / deep / "last").mkdir(parents=True)
    (tree / deep / "last.jpg").touch()
    request.addfinalizer(partial(subprocess.run, ["rm", "-r", tree / "deep"], check=True))
    made = os.open(tree / deep / "last", os.O_RDONLY)
    for _ in range(1400):  # at once, Python's own function gives up
        os.mkdir("n", dir_fd=made)
        below = os.open("n", os.O_RDONLY, dir_fd=made)
        os.close(made)
        made = below
    os.close(made)
    result = found(tree, recursive=True)
    assert paths(result) == ["a.PNG", "b.jpg", "c/d.tiff", "c/e/f.webp", str(deep / "last.jpg")]
    assert [(note.path, note.reason) for note in result.missing] == [
        (tree / deep, "holds folders more than 100 deep; they are not entered")
    ]


def test_the_output_folder_inside_is_passed_by(tree: Path) -> None:
    (tree / "c" / "out").mkdir()
    (tree / "c" / "out" / "d_s0.png").touch()
    (tree / "c" / "outside.jpg").touch()
    want = ["a.PNG", "b.jpg", "c/d.tiff", "c/outside.jpg", "c/e/f.webp"]
    assert paths(found(tree, output=tree / "c" / "out", recursive=True)) == want
    crooked = tree / "c" / "e" / ".." / "out"
    assert paths(found(tree, output=crooked, recursive=True)) == want
    (tree.parent / "link").symlink_to(tree / "c" / "out")
    assert paths(found(tree, output=tree.parent / "link", recursive=True)) == want


def test_links_that_lead_outside_are_noted(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.jpg").touch()
    (tmp_path / "tree2").mkdir()  # begins like the folder's own name
    (tmp_path / "tree2" / "z.jpg").touch()
    (tree / "one.jpg").symlink_to(tmp_path / "elsewhere" / "secret.jpg")
    (tree / "two").symlink_to(tmp_path / "elsewhere")
    (tree / "three.jpg").symlink_to(tmp_path / "tree2" / "z.jpg")
    result = found(tree, recursive=True)
    assert paths(result) == ["a.PNG", "b.jpg", "c/d.tiff", "c/e/f.webp"]
    assert [note.path.name for note in result.notes] == ["one.jpg", "three.jpg", "two"]
    assert all("leads outside the folder" in note.reason for note in result.notes)


def test_links_inside_and_loops(tree: Path) -> None:
    (tree / "again.jpg").symlink_to("b.jpg")
    (tree / "c" / "up").symlink_to(tree)
    (tree / "c" / "self").symlink_to("self")
    (tree / "c" / "self.jpg").symlink_to("self.jpg")
    for number in range(1500):  # Python would follow them all
        (tree / f".{number}").symlink_to(f".{number + 1}")
    (tree / "chain.jpg").symlink_to(".0")
    result = found(tree, recursive=True)
    want = ["a.PNG", "again.jpg", "b.jpg", "chain.jpg", "c/d.tiff", "c/self.jpg", "c/e/f.webp"]
    assert paths(result) == want
    assert not result.notes


def test_what_is_not_there_is_named(tree: Path) -> None:
    (tree / "empty").mkdir()
    result = found(tree / "nowhere.jpg", tree / "empty", "x" * 5000, "a\nb")
    assert [(n.path.name[:11], n.reason) for n in result.missing] == [
        ("nowhere.jpg", "there is no such file or folder"),
        ("empty", "the folder holds no photos"),
        ("x" * 11, "there is no such file or folder"),
        ("a\nb", "there is no such file or folder"),
    ]


def test_a_folder_that_cannot_be_read_is_named_and_the_others_go_on(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path) == tree / "c":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    result = found(tree, recursive=True)
    assert paths(result) == ["a.PNG", "b.jpg"]
    assert [(n.path, n.reason) for n in result.missing] == [
        (tree / "c", "the folder cannot be read (Permission denied)")
    ]
