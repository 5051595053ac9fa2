"""The command line: options, messages and exit codes, with a stand-in for the Colorizer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import colorflow.batch
from colorflow import __version__
from colorflow.batch import COLORS, ColoredFile, PhotoOutcome, Plan, Settings, usual_workers
from colorflow.batch.names import EXTENSIONS
from colorflow.cli import main
from colorflow.errors import WeightsError
from colorflow.files import default_weights

COMMANDS = (
    "colorize", "app", "train", "export", "evaluate", "evaluate-hints", "baseline", "zoo",
)  # fmt: skip


class FakeRun:
    """Stands in for `colorflow.batch.run`: remembers how it was called.

    `results` are what becomes of a photo, by its name: changes to an outcome, or an exception.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Plan, dict[str, Any]]] = []
        self.results: dict[str, dict[str, Any] | BaseException] = {}
        self.error: Exception | None = None

    def __call__(self, plan: Plan, **options: Any) -> Iterator[PhotoOutcome]:
        self.calls.append((plan, options))
        if self.error:
            raise self.error
        yield from plan.settled
        for task in plan.tasks:
            result = self.results.get(task.path.name, {})
            if isinstance(result, BaseException):
                raise result
            label = plan.settings.labels[0]
            coloring = ColoredFile(path=task.target(label), label=label, seed=0)
            values = {"status": "done", "colorings": (coloring,), "seconds": 0.25}
            yield PhotoOutcome(path=task.path, **{**values, **result})  # type: ignore[arg-type]


@pytest.fixture
def fake_run(monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    fake = FakeRun()
    monkeypatch.setattr(colorflow.batch, "run", fake)
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
    option: str, value: str, capsys: pytest.CaptureFixture[str], fake_run: FakeRun
) -> None:
    message = usage_error(["colorize", "a.png", "-o", "out", f"{option}={value}"], capsys)
    assert option in message
    assert repr(value) in message
    assert not fake_run.calls


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_bad_port_is_named(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert repr(port) in usage_error(["app", "--port", port], capsys)


# colorize


def test_colorize_prints_a_line_a_file_and_a_summary(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    out = photos.parent / "out"
    assert main(["colorize", str(photos), "-o", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        f"{photos / 'a.png'} -> {out / 'a_a.png'} (0.2 s)",
        f"{photos / 'b.jpg'} -> {out / 'b_a.jpg'} (0.2 s)",
    ]
    assert lines[2].startswith("2 done in ")
    assert len(lines) == 3


def test_colorize_defaults(photos: Path, fake_run: FakeRun, tmp_path: Path) -> None:
    main(["colorize", str(photos / "a.png"), "-o", str(tmp_path / "out")])
    ((plan, options),) = fake_run.calls
    assert plan.settings == Settings()
    assert [task.target("c") for task in plan.tasks] == [tmp_path / "out" / "a_c.png"]
    stop = options.pop("stop")
    assert not stop.is_set()
    assert options == {
        "weights": {COLORS: default_weights()},
        "device": "cpu",
        "workers": usual_workers("cpu"),
    }
    assert usual_workers("cuda") == 1


def test_colorize_passes_its_options_on(photos: Path, fake_run: FakeRun, tmp_path: Path) -> None:
    (photos / "inner").mkdir()
    Image.new("L", (8, 6), 90).save(photos / "inner" / "c.png")
    arguments = [
        *("--seed", "7", "-n", "3", "--temperature", "0", "--diverse", "--force", "--overwrite"),
        *("--weights", "w.safetensors", "--device", "cuda:1", "--workers", "5"),
        *("-r", "--ext", "webp", "--name", "{seed} {stem}.{ext}"),
        *("--report", str(tmp_path / "r.json")),
    ]
    assert main(["colorize", str(photos), "-o", str(tmp_path / "out"), *arguments]) == 0
    ((plan, options),) = fake_run.calls
    assert plan.settings == Settings(
        n=3,
        seed=7,
        temperature=0,
        samples=True,
        diverse=True,
        force=True,
        overwrite=True,
        likelihood=True,
    )
    paths = [task.target("s7").relative_to(tmp_path / "out").as_posix() for task in plan.tasks]
    assert paths == ["7 a.webp", "7 b.webp", "inner/7 c.webp"]
    del options["stop"]
    assert options == {
        "weights": {COLORS: Path("w.safetensors")},
        "device": "cuda:1",
        "workers": 5,
    }
    assert json.loads((tmp_path / "r.json").read_text())["counts"] == {"done": 3}


def test_colorize_passes_hints_on(photos: Path, fake_run: FakeRun, tmp_path: Path) -> None:
    hints = tmp_path / "hints.json"
    hints.write_text('{"a.png": [{"row": 1, "column": 2, "a": 3, "b": 4}]}')
    main(["colorize", str(photos), "-o", str(tmp_path / "out"), "--hints", str(hints)])
    ((plan, _),) = fake_run.calls
    assert [[hint.column for hint in task.hints] for task in plan.tasks] == [[2.0], []]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--name", "{stem}"],
        ["--name", "{x}.{ext}"],
        ["-n", "2", "--name", "{stem}.{ext}"],
        ["-n", "2", "--name", "{stem}{seed}.{ext}"],
        ["--name", "{stem}{seed}.{ext}"],
        ["--ext", "gif"],
        ["--workers", "0"],
    ],
)
def test_colorize_refuses_wrong_usage(
    arguments: list[str], photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    message = usage_error(["colorize", str(photos), "-o", "out", *arguments], capsys)
    assert f"argument {arguments[-2]}: " in message
    assert not fake_run.calls


def test_there_are_sixteen_principal_colorings_and_more_samples(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["colorize", str(photos / "a.png"), "-o", str(photos.parent / "out"), "-n"]
    message = usage_error([*arguments, "17"], capsys)
    assert "argument -n: expected at most 16 principal colorings, got 17; with --samples" in message
    assert not fake_run.calls
    for given in (["16"], ["17", "--samples"], ["17", "--diverse"]):
        assert main([*arguments, *given]) == 0
    labels = [plan.settings.labels for plan, _ in fake_run.calls]
    assert labels[0] == list("abcdefghijklmnop")
    assert labels[1] == [f"s{seed}" for seed in range(17)]
    assert [plan.settings.samples for plan, _ in fake_run.calls] == [False, True, True]


@pytest.mark.parametrize("ext", EXTENSIONS)
def test_colorize_takes_every_extension(ext: str, photos: Path, fake_run: FakeRun) -> None:
    main(["colorize", str(photos / "a.png"), "-o", str(photos.parent / "out"), "--ext", ext])
    (task,) = fake_run.calls[0][0].tasks
    assert task.target("a").name == f"a_a.{'png' if ext == 'auto' else ext}"


def test_names_that_are_too_long(
    photos: Path,
    fake_run: FakeRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["colorize", str(photos), "-o"]
    main([*arguments, "x" * 300])  # found out when it would be made
    assert main([*arguments, "out", "--report", "x" * 300]) == 1
    assert "has a name longer than file systems take" in capsys.readouterr().err
    assert len(fake_run.calls) == 1


def test_a_report_that_cannot_be_written_in_the_end_hides_nothing_else(
    photos: Path, fake_run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "reports" / "r.json"
    report.parent.mkdir()
    fake_run.results = {"a.png": {"status": "failed", "reason": "no"}}

    class Vanishing(FakeRun):
        def __call__(self, plan: Plan, **options: Any) -> Iterator[PhotoOutcome]:
            yield from fake_run(plan, **options)
            report.mkdir()

    colorflow.batch.run = Vanishing()  # type: ignore[assignment]  # `fake_run` puts it back
    arguments = ["colorize", str(photos), "-o", str(tmp_path / "out"), "--report", str(report)]
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "1 done, 1 failed in " in printed.out
    assert printed.err.splitlines() == [
        f"{photos / 'a.png'}: no",
        f"colorflow: {report}: the file cannot be written (Is a directory)",
    ]


def test_failures_are_named_at_the_end_and_the_others_go_on(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = photos / "a.png"
    failure = {"status": "failed", "reason": "the file is cut off", "colorings": ()}
    fake_run.results = {"a.png": failure}
    assert main(["colorize", str(photos), "-o", str(photos.parent / "out")]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"{bad}: the file is cut off\n"
    assert "b_a.jpg" in printed.out
    assert "1 done, 1 failed in " in printed.out


def test_quiet_says_only_what_went_wrong(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_run.results = {"a.png": {"status": "failed", "reason": "no", "remarks": ("page 1 of 2",)}}
    arguments = ["colorize", str(photos), "-q", "-o", str(photos.parent / "out")]
    assert main([*arguments, "--contact-sheet", str(photos.parent / "s.jpg")]) == 1
    assert capsys.readouterr() == ("", f"{photos / 'a.png'}: no\n")
    fake_run.results = {}
    assert main(arguments) == 0
    assert capsys.readouterr() == ("", "")


def test_what_a_sheet_shows_is_told(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = photos.parent / "s.html"
    arguments = ["colorize", str(photos), "-o", str(photos.parent / "out")]
    arguments += ["--contact-sheet", str(sheet)]
    shown = ColoredFile(path=photos / "b.jpg", label="a", seed=0)
    fake_run.results = {"b.jpg": {"colorings": (shown,)}}
    assert main(arguments) == 0  # the result of a.png has gone
    told = f"{sheet}: 1 of 2 photos; its notes say why it does not show the others"
    assert told in capsys.readouterr().out.splitlines()
    sheet.unlink()
    failure = {"status": "failed", "reason": "no", "colorings": ()}
    fake_run.results = {"a.png": failure, "b.jpg": failure}
    assert main(arguments) == 1
    told = f"{sheet}: not written, because there is no result to show"
    assert told in capsys.readouterr().out.splitlines()
    assert not sheet.exists()


def test_what_is_passed_by_is_no_failure(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "inner").mkdir()
    fake_run.results = {
        "a.png": {"status": "already-colored", "reason": "already has colors", "colorings": ()},
        "b.jpg": {"remarks": ("the first of 3 pages",)},
    }
    assert main(["colorize", str(photos), "-o", str(photos.parent / "out")]) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        f"{photos}: has folders inside; -r takes the photos in them, too",
        f"{photos / 'a.png'}: already has colors",
        f"{photos / 'b.jpg'}: the first of 3 pages",
    ]
    assert "1 already-colored, 1 done in " in printed.out


def test_a_full_disk_says_how_to_go_on(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(FakeRun):
        def __call__(self, plan: Plan, **_: Any) -> Iterator[PhotoOutcome]:
            reason = "no space left"
            yield PhotoOutcome(
                path=plan.tasks[0].path, status="failed", reason=reason, ends_the_run=True
            )

    colorflow.batch.run = Full()  # type: ignore[assignment]  # `fake_run` puts it back
    assert main(["colorize", str(photos), "-o", str(photos.parent / "out")]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{photos / 'a.png'}: no space left",
        "colorflow: nothing more can be written, 1 photos are left; make room, and the same "
        "command goes on from here",
    ]


def test_a_dry_run_does_nothing(
    photos: Path, fake_run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["colorize", str(photos), "-o", str(out), "--dry-run"]
    assert main([*arguments, "--report", str(tmp_path / "r.json")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{photos / 'a.png'} -> {out / 'a_a.png'}",
        f"{photos / 'b.jpg'} -> {out / 'b_a.jpg'}",
        "2 to do",
    ]
    assert main(["colorize", str(tmp_path / "absent"), *arguments[1:]]) == 1
    assert "absent: there is no such file" in capsys.readouterr().err
    assert not fake_run.calls
    assert not out.exists()
    assert not (tmp_path / "r.json").exists()


def test_a_colorflow_error_is_one_line(
    photos: Path, fake_run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_run.error = WeightsError("w.safetensors: not a weights file of colorflow")
    report = tmp_path / "r.json"
    report.write_text(of_another_run := '{\n "made_by": "colorflow colorize"}')
    arguments = ["colorize", str(photos), "-o", str(tmp_path / "out"), "--report", str(report)]
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.err == "colorflow: w.safetensors: not a weights file of colorflow\n"
    assert printed.out == ""
    assert report.read_text() == of_another_run


def test_a_file_as_output_is_an_error(
    photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = (photos / "b.jpg").read_bytes()
    assert main(["colorize", str(photos / "a.png"), "-o", str(photos / "b.jpg")]) == 1
    assert str(photos / "b.jpg") in capsys.readouterr().err
    assert (photos / "b.jpg").read_bytes() == kept
    assert not fake_run.calls


@pytest.mark.skipif(sys.platform == "win32", reason="sockets of POSIX")
@pytest.mark.parametrize(
    ("option", "name", "what"),
    [
        ("--report", "absent/r.json", "absent: there is no such folder to write to"),
        ("--report", "photos", "photos: cannot be written (Is a directory)"),
        ("--report", "socket", "socket: cannot be written (it is neither a file nor a stream)"),
        ("--report", "hints.json", "hints.json: cannot be written (a file is there already, and"),
        ("--report", "photos/b.jpg", "b.jpg: cannot be written (a file is there already, and it"),
        ("--report", "out/a_a.png", "a_a.png: is the file of a result; choose another file"),
        ("--contact-sheet", "out/b_a.jpg", "b_a.jpg: is the file of a result; choose another"),
        ("--contact-sheet", "s.gif", "s.gif: a contact sheet is one of .jpg"),
        ("--contact-sheet", "photos/b.jpg", "b.jpg: cannot be written (a file is there already"),
        ("--contact-sheet", "photos/b.jpg/s.jpg", "b.jpg: nothing can be written here"),
        ("--hints", "absent.json", "absent.json: the hints cannot be read"),
    ],
)
def test_files_that_cannot_be_are_refused_before_the_work(
    option: str,
    name: str,
    what: str,
    photos: Path,
    fake_run: FakeRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "hints.json").write_text("{}")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # their names are short
        listener.bind("socket")
    arguments = ["colorize", str(photos), "-o", str(tmp_path / "out")]
    assert main([*arguments, option, str(tmp_path / name)]) == 1
    assert what in capsys.readouterr().err
    assert not fake_run.calls


def test_a_report_and_a_sheet_need_two_files(
    photos: Path, fake_run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["--report", str(tmp_path / "x.jpg"), "--contact-sheet", str(tmp_path / "x.jpg")]
    assert main(["colorize", str(photos), "-o", str(tmp_path / "out"), *both]) == 1
    assert "x.jpg: is named for the report and for the contact sheet" in capsys.readouterr().err
    assert not fake_run.calls


def test_files_that_are_left_out_are_counted_and_named(
    photos: Path, fake_run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["colorize", str(photos), "-o", str(tmp_path / "out")]
    for number in range(7):
        (photos / f"{number}.txt").touch()
    assert main(arguments) == 0
    named = ", ".join(str(photos / f"{number}.txt") for number in range(5))
    said = f"colorflow: 7 files were left out, not named like photos: {named} and 2 more\n"
    assert capsys.readouterr().err == said
    assert main([*arguments, "--dry-run"]) == 0
    assert capsys.readouterr().err == said
    assert main([*arguments, "-q"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["colorize", "a.png", "-o", ""], ["colorize", "", "-o", "out"],
        ["colorize", "a.png", "-o", "out", "--report", ""], ["train", "pack", "-o", ""],
        ["evaluate", "photos", "--json", ""], ["blind", "make", "photos", "-o", ""],
        ["zoo", "table", "run", "pack", "-o", ""], ["app", "--weights", ""],
    ],
)  # fmt: skip
def test_nothing_is_no_name_of_a_folder(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "expected a name, got ''" in usage_error(arguments, capsys)


@pytest.mark.skipif(sys.platform != "linux", reason="a device that is always full")
@pytest.mark.parametrize("printed", ["print('x')", "print('x', flush=True)", "print('x' * 10**6)"])
def test_a_stdout_that_takes_nothing_is_told(printed: str) -> None:
    program = (
        "import sys\n"
        "from types import SimpleNamespace\n"
        "from colorflow import cli\n"
        f"parsed = SimpleNamespace(command=lambda _: {printed})\n"
        "cli._parser = lambda _: SimpleNamespace(parse_args=lambda _: parsed)\n"
        "sys.exit(cli.main([]))\n"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr == "colorflow: nothing more can be printed (No space left on device)\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_stream_gets_nobody_elses_file(closed: str, tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from types import SimpleNamespace\n"
        "from colorflow import cli\n"
        "def command(_):\n"
        "    with open('opened', 'wb') as file:\n"
        "        os.write(1, b'noise')\n"
        "        os.write(2, b'noise')\n"
        "        print('x', file=sys.stderr)\n"
        "        file.write(b'done')\n"
        "    return 0\n"
        "parsed = SimpleNamespace(command=command)\n"
        "cli._parser = lambda _: SimpleNamespace(parse_args=lambda _: parsed)\n"
        "sys.exit(cli.main([]))\n"
    )
    shell = ["bash", "-c", f'"$0" -c "$1" {closed}', sys.executable, program]
    subprocess.run(
        shell,
        cwd=tmp_path,
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (tmp_path / "opened").read_bytes() == b"done"


def test_an_interruption_ends_with_130_and_says_how_to_go_on(
    photos: Path, fake_run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_run.results = {"b.jpg": KeyboardInterrupt()}
    report = tmp_path / "r.json"
    arguments = ["colorize", str(photos), "-o", str(tmp_path / "out"), "--report", str(report)]
    assert main(arguments) == 130
    printed = capsys.readouterr()
    assert "a_a.png" in printed.out
    assert "1 done, 1 left in " in printed.out
    assert printed.err == (
        "colorflow: stopped, 1 photos are left; the same command goes on from here\n"
    )
    content = json.loads(report.read_text())
    assert content["counts"] == {"done": 1}
    assert content["not_reached"] == [str(photos / "b.jpg")]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"caf\xe9.png", "caf\\udce9_a.png"), (b"\xc3\xa9\n\x1b[2J.png", "é\\n\\x1b[2J_a.png")],
)
def test_any_name_is_shown_on_one_line(
    name: bytes, shown: str, photos: Path, fake_run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "a.png").rename(photos / os.fsdecode(name))
    assert main(["colorize", str(photos), "-o", str(photos.parent / "out")]) == 0
    out = capsys.readouterr().out
    assert shown in out
    assert "b_a.jpg" in out
    assert len(out.splitlines()) == 3


# pipes


def test_a_reader_that_has_seen_enough_is_no_traceback() -> None:
    program = (
        "import sys\n"
        "from types import SimpleNamespace\n"
        "from colorflow import cli\n"
        "def shout(_):\n"
        "    for _ in range(100):\n"
        "        print('x' * 100_000)\n"
        "parsed = SimpleNamespace(command=shout)\n"
        "cli._parser = lambda _: SimpleNamespace(parse_args=lambda _: parsed)\n"
        "sys.exit(cli.main([]))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 1
