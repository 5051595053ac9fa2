"""Links, file names, commands and options in the documents exist; so do names and numbers."""

from __future__ import annotations

import functools
import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path

import pytest

from colorflow import flows, zoo
from colorflow.cli import COMMANDS, main
from data_prep.__main__ import main as data_prep
from tests.test_architecture import LAYERS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (".", "docs", "weights", "deploy/huggingface")
    for path in (ROOT / folder).glob("*.md")
)
FLOWS_PAGE = (ROOT / "docs" / "flows.md").read_text(encoding="utf-8")
PACKAGES = {"flows": flows, "zoo": zoo}

FOLDERS = "benchmarks|colorflow|data_prep|deploy|docs|notebooks|tests|weights"
"""Folders of the repository whose files the documents name."""
RECORDS = {"CHANGELOG.md", "docs/experiments.md", "weights/README.md"}
"""Documents whose commands are those of their time; they name the commit that has their options."""
MOVED = re.compile(r"`git show [0-9a-f]{7}:(benchmarks/\w+\.py)`")
"""How docs/experiments.md names a benchmark that only an earlier commit has."""


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def code_of(document: str) -> Iterator[str]:
    """Lines of code blocks, continued ones joined, and inline code."""
    parts = re.split(r"^```.*\n", text_of(document), flags=re.MULTILINE)
    for prose, block in zip(parts[::2], [*parts[1::2], ""], strict=True):
        yield from (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))
        yield from block.replace("\\\n", " ").splitlines()


def anchors_of(document: Path) -> set[str]:
    """What `#...` may name in a document, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.*)", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@functools.cache
def help_of(*command: str) -> str:
    """The help of a command of `colorflow`, or of ``data_prep``."""
    call, arguments = (data_prep, ()) if command == ("data_prep",) else (main, command)
    with redirect_stdout(StringIO()) as printed, suppress(SystemExit):
        call([*arguments, "--help"])
    return printed.getvalue()


def options_of(help_text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", help_text))


def subcommands(help_text: str) -> set[str]:
    """Names in the lists of commands."""
    commands = help_text.partition("Commands:")[2]
    return set(re.findall(r"^ {2}([a-z][\w-]*)(?: |$)", commands, re.MULTILINE))


def commands_in(document: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Commands that a document shows, and the options that they are given."""
    for code in code_of(document):
        code = re.sub(r"\s#.*", "", code)
        for call in re.findall(r"(?:^|[ /\\])(?<!from )colorflow(?:\.cli --)? ([a-z].*)", code):
            words, command = call.split(), tuple[str, ...]()
            while words and re.fullmatch(r"[a-z-]+", words[0]) and len(command) < 2:
                if words[0] not in subcommands(help_of(*command)):
                    break
                command = (*command, words.pop(0))
            if not command and document in RECORDS:
                continue
            assert command, f"{document}: no command {call!r}"
            yield command, [word for word in words if re.match(r"--?[a-z]", word)]
        for call in re.findall(r"python -m data_prep (.*)", code):
            yield ("data_prep",), re.findall(r"(?<![\w-])--?[a-z][\w-]*", call)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    text = text_of(document)
    for link in re.findall(r"(?:\]\(|src=\")(?!https?:)([^)\"]+)", text):
        path, _, anchor = link.partition("#")
        target = folder / path if path else ROOT / document
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_and_modules_exist(document: str) -> None:
    moved = set(MOVED.findall(text_of("docs/experiments.md")))
    for code in code_of(document):
        for name in re.findall(rf"(?<![\w/:.-])((?:{FOLDERS})/[\w/.-]*\w)", code):
            assert name in moved or (ROOT / name).exists(), name
        for name in re.findall(r"python (?:-m )?benchmarks[./](\w+)", code):
            file = f"benchmarks/{name}.py"
            assert file in moved or (ROOT / file).exists(), file


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_their_options_exist(document: str) -> None:
    for command, options in commands_in(document):
        unknown = {option.partition("=")[0] for option in options} - options_of(help_of(*command))
        assert not unknown or document in RECORDS, command


@pytest.mark.parametrize("document", ["docs/commands.md", "docs/training.md"])
def test_options_by_themselves_exist(document: str) -> None:
    commands = ["data_prep", *COMMANDS]
    known = set().union(*(options_of(help_of(command)) for command in commands))
    alone = {code.split()[0] for code in code_of(document) if re.match(r"--?[a-z]", code)}
    assert alone
    assert alone <= known


@pytest.mark.parametrize("document", DOCUMENTS)
def test_benchmarks_have_the_options(document: str) -> None:
    for code in code_of(document):
        for name, call in re.findall(r"python -m benchmarks\.(\w+)(.*)", code):
            if (path := ROOT / "benchmarks" / f"{name}.py").exists():
                source = path.read_text(encoding="utf-8")
                for option in re.findall(r"(?<![\w-])--?[a-z][\w-]*", call):
                    assert f'"{option}"' in source, f"{name} {option}"


def test_nobody_is_sent_to_another_project_s_package() -> None:
    sources = [*ROOT.glob("*.py"), ROOT / "pyproject.toml", ROOT / "Makefile"]
    for folder in ("benchmarks", "colorflow", "data_prep"):
        sources += sorted((ROOT / folder).rglob("*.py"))
    names = [path.relative_to(ROOT).as_posix() for path in sources]
    assert {"app.py", "colorflow/evaluation/judge.py"} <= set(names)
    for name in [*DOCUMENTS, *names]:
        text = re.sub(r'"\s+f?"', "", text_of(name))  # strings that continue on the next line
        assert not re.search(r"pip install (?:-\S+ )*['\"]?colorflow(?![\w/-])", text), name


def test_the_architecture_s_picture_has_the_layers_in_order() -> None:
    picture = re.search(r"```\n(version.*?)```", text_of("docs/architecture.md"), re.DOTALL)
    assert picture
    assert re.findall(r"^(\w+)", picture[1], re.MULTILINE) == list(LAYERS)


def test_files_of_the_architecture_define_what_it_says() -> None:
    text = text_of("docs/architecture.md")
    found = re.findall(r"`([\w.]+)`\s+\(`(colorflow/[\w/]+\.py)`\)", text)
    assert len(found) >= 10
    for name, path in found:
        own = name.rpartition(".")[2]
        assert re.search(rf"^ *(?:def|class) {own}\b", text_of(path), re.MULTILINE), (name, path)


def test_messages_name_this_distribution_and_its_extras() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "colorflow").rglob("*.py")]
    named = [name for text in sources for name in re.findall(r"(colorflow[\w-]*)\[(\w+)\]", text)]
    assert named
    for distribution, extra in named:
        assert distribution == project["name"]
        assert extra in project["optional-dependencies"]


def references(pattern: str) -> list[str]:
    found = sorted(set(re.findall(pattern, FLOWS_PAGE)))
    assert found
    return found


@pytest.mark.parametrize("name", references(r"`((?:flows|zoo)\.\w+)`"))
def test_names_exist(name: str) -> None:
    package, attribute = name.split(".")
    assert hasattr(PACKAGES[package], attribute)


@pytest.mark.parametrize("reference", references(r"`(tests/[\w/]+\.py(?:::\w+)?)`"))
def test_tests_exist(reference: str) -> None:
    path, _, test = reference.partition("::")
    source = (ROOT / path).read_text(encoding="utf-8")
    assert not test or f"\ndef {test}(" in source


def test_every_bijection_is_on_the_page() -> None:
    bases = (flows.Bijection, flows.ElementwiseTransform, flows.MatrixStructure)
    classes = {
        name
        for name, value in vars(flows).items()
        if isinstance(value, type) and issubclass(value, bases) and not value.__abstractmethods__
    }
    missing = {name for name in classes if f"`flows.{name}`" not in FLOWS_PAGE}
    assert missing == set()


def documented(key: str) -> str:
    """The docstring of an architecture's function."""
    build = zoo.ARCHITECTURES[key].build
    while isinstance(build, functools.partial):
        build = build.func
    assert build.__doc__
    return " ".join(build.__doc__.split())


def test_docstrings_have_the_numbers_of_the_tables() -> None:
    images = {key for key, value in zoo.ARCHITECTURES.items() if value.images}
    docs = ROOT / "docs"
    rows = json.loads((docs / "zoo.json").read_text(encoding="utf-8"))
    assert {row["key"] for row in rows} == images
    for row in rows:
        expected = f"Here: {row['bits_per_dim_dev']:.2f} bits/dim on ab at 16x16"
        assert expected in documented(row["key"]), row["key"]
    toys = json.loads((docs / "zoo_toys.json").read_text(encoding="utf-8"))
    assert {row["key"] for row in toys} == set(zoo.ARCHITECTURES)
    for row in toys:
        expected = f"Here: {row['nats']['two moons']:.2f} nats on two moons"
        assert row["key"] in images or expected in documented(row["key"]), row["key"]
