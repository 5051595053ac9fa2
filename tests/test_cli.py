"""The command line: options, messages and exit codes, with a stand-in for the Colorizer."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from colorflow import __version__
from colorflow.cli import main
from colorflow.errors import WeightsError
from colorflow.photo import find_photos

COMMANDS = ("colorize", "app", "train", "export", "evaluate", "zoo")


@dataclass
class FakeRecord:
    path: Path
    status: str = "done"
    outputs: list[Path] = field(default_factory=list)
    reason: str | None = None
    seconds: float = 0.25


class FakeColorizer:
    """Remembers how it was called; `results` are the records to give back by file name."""

    loaded: list[Path | None]
    calls: list[tuple[list[Path], Path, dict[str, Any]]]
    results: dict[str, FakeRecord | BaseException]
    load_error: Exception | None = None

    @classmethod
    def load(cls, weights: Path | None = None) -> FakeColorizer:
        cls.loaded.append(weights)
        if cls.load_error:
            raise cls.load_error
        return cls()

    def colorize_many(
        self, paths: list[Path], output: Path, **options: Any
    ) -> Iterator[FakeRecord]:
        photos = find_photos(paths)
        self.calls.append((photos, output, options))
        for path in photos:
            result = self.results.get(path.name)
            if isinstance(result, BaseException):
                raise result
            yield result or FakeRecord(path, outputs=[output / f"{path.stem}_s0.png"])


@pytest.fixture
def colorizer(monkeypatch: pytest.MonkeyPatch) -> type[FakeColorizer]:
    fake = type("Fake", (FakeColorizer,), {"loaded": [], "calls": [], "results": {}})
    module = ModuleType("colorflow.colorize")
    module.Colorizer = fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "colorflow.colorize", module)
    return fake


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.new("L", (8, 6), 90).save(folder / name)
    return folder


def usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end as wrong usage; its message."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    return capsys.readouterr().err


# help, version, usage


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_ends_with_0(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("usage: colorflow " + " ".join(command))


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert set(COMMANDS) <= listed


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"colorflow {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [[], ["paint"], ["colorize"], ["colorize", "a.png"], ["train", "pack", "-o", "r"]]
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert usage_error(arguments, capsys).startswith("usage: colorflow")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("-n", "0"),
        ("-n", "two"),
        ("-n", "1.5"),
        ("--seed", "-1"),
        ("--seed", str(2**32)),
        ("--temperature", "-0.1"),
        ("--temperature", "nan"),
        ("--temperature", "inf"),
        ("--temperature", "warm"),
    ],
)
def test_bad_values_are_named(
    option: str, value: str, capsys: pytest.CaptureFixture[str], colorizer: type[FakeColorizer]
) -> None:
    message = usage_error(["colorize", "a.png", "-o", "out", f"{option}={value}"], capsys)
    assert option in message
    assert repr(value) in message
    assert not colorizer.loaded


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_bad_port_is_named(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert repr(port) in usage_error(["app", "--port", port], capsys)


# colorize


def test_colorize_prints_a_line_a_file_and_a_summary(
    photos: Path, colorizer: type[FakeColorizer], capsys: pytest.CaptureFixture[str]
) -> None:
    out = photos.parent / "out"
    assert main(["colorize", str(photos), "-o", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        f"{photos / 'a.png'} -> {out / 'a_s0.png'} (0.2 s)",
        f"{photos / 'b.jpg'} -> {out / 'b_s0.png'} (0.2 s)",
    ]
    assert lines[2].startswith("2 done in ")
    assert len(lines) == 3


def test_colorize_defaults(photos: Path, colorizer: type[FakeColorizer], tmp_path: Path) -> None:
    main(["colorize", str(photos / "a.png"), "-o", str(tmp_path / "out")])
    assert colorizer.loaded == [None]
    assert colorizer.calls == [
        (
            [photos / "a.png"],
            tmp_path / "out",
            {"n": 1, "temperature": 1.0, "seed": 0, "diverse": False, "force": False},
        )
    ]


def test_colorize_passes_its_options_on(
    photos: Path, colorizer: type[FakeColorizer], tmp_path: Path
) -> None:
    arguments = ["--seed", "7", "-n", "3", "--temperature", "0", "--diverse", "--force"]
    main(["colorize", str(photos), "-o", str(tmp_path), *arguments, "--weights", "w.safetensors"])
    assert colorizer.loaded == [Path("w.safetensors")]
    (_, _, options) = colorizer.calls[0]
    assert options == {"n": 3, "temperature": 0.0, "seed": 7, "diverse": True, "force": True}


def test_a_failed_file_is_named_and_the_others_go_on(
    photos: Path, colorizer: type[FakeColorizer], capsys: pytest.CaptureFixture[str]
) -> None:
    bad = photos / "a.png"
    colorizer.results = {"a.png": FakeRecord(bad, status="failed", reason="the file is cut off")}
    assert main(["colorize", str(photos), "-o", str(photos.parent / "out")]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"{bad}: the file is cut off\n"
    assert "b_s0.png" in printed.out
    assert "1 done, 1 failed in " in printed.out


def test_an_already_coloured_file_is_no_failure(
    photos: Path, colorizer: type[FakeColorizer], capsys: pytest.CaptureFixture[str]
) -> None:
    colorizer.results = {"a.png": FakeRecord(photos / "a.png", status="already-coloured")}
    assert main(["colorize", str(photos), "-o", str(photos.parent / "out")]) == 0
    assert f"{photos / 'a.png'}: already coloured; --force" in capsys.readouterr().out


def test_a_colorflow_error_is_one_line(
    photos: Path, colorizer: type[FakeColorizer], capsys: pytest.CaptureFixture[str]
) -> None:
    colorizer.load_error = WeightsError("w.safetensors: not a weights file of colorflow")
    assert main(["colorize", str(photos), "-o", str(photos.parent / "out")]) == 1
    printed = capsys.readouterr()
    assert printed.err == "colorflow: w.safetensors: not a weights file of colorflow\n"
    assert printed.out == ""


def test_a_file_as_output_is_an_error(
    photos: Path, colorizer: type[FakeColorizer], capsys: pytest.CaptureFixture[str]
) -> None:
    kept = (photos / "b.jpg").read_bytes()
    assert main(["colorize", str(photos / "a.png"), "-o", str(photos / "b.jpg")]) == 1
    assert str(photos / "b.jpg") in capsys.readouterr().err
    assert (photos / "b.jpg").read_bytes() == kept
    assert not colorizer.loaded


def test_an_interruption_ends_with_130(
    photos: Path, colorizer: type[FakeColorizer], capsys: pytest.CaptureFixture[str]
) -> None:
    colorizer.results = {"b.jpg": KeyboardInterrupt()}
    assert main(["colorize", str(photos), "-o", str(photos.parent / "out")]) == 130
    printed = capsys.readouterr()
    assert "a_s0.png" in printed.out
    assert printed.err == "colorflow: interrupted\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_utf8_does_not_stop_the_others(
    photos: Path, colorizer: type[FakeColorizer], capsys: pytest.CaptureFixture[str]
) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    (photos / "a.png").rename(photos / name)
    assert main(["colorize", str(photos), "-o", str(photos.parent / "out")]) == 0
    out = capsys.readouterr().out
    assert "caf\\udce9.png" in out
    assert "b_s0.png" in out


# app


def test_app_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    module = ModuleType("colorflow.ui")
    module.serve = lambda **options: calls.append(options)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "colorflow.ui", module)
    assert main(["app"]) == 0
    assert main(["app", "--host", "0.0.0.0", "--port", "8000", "--weights", "w.safetensors"]) == 0
    assert calls == [
        {"host": "127.0.0.1", "port": 7860, "weights": None},
        {"host": "0.0.0.0", "port": 8000, "weights": Path("w.safetensors")},
    ]
