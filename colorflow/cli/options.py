"""Types of values, and options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from colorflow.errors import ColorflowError
from colorflow.limits import LARGEST_SEED

Options = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Decorators of a command's function."""


class Whole(click.IntRange):
    """A whole number in a range."""

    name = "whole number"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "N"


class Number(click.FloatRange):
    """A finite number in a range."""

    name = "number"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number", param, ctx)
        return number


POSITIVE = Number(min=0, min_open=True)


class Name(click.Path[Any]):
    """A file, folder or pattern; never empty."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not value:
            self.fail("expected a name, got ''", param, ctx)
        return super().convert(value, param, ctx)


class LocalPath(Name):
    """A path of this machine; never empty."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return Path(super().convert(value, param, ctx))


def numbers(kind: Callable[[str], float]) -> Callable[[str], list[float]]:
    """A type: numbers of at least 0, separated by commas."""

    def parse(text: str) -> list[float]:
        try:
            parsed = [kind(part) for part in text.split(",")]
        except ValueError:
            parsed = [-1]
        if not all(0 <= number < math.inf for number in parsed):
            raise click.BadParameter(f"expected numbers such as 4,8, got {text!r}")
        return parsed

    return parse


def together(*options: Options) -> Options:
    """One decorator of several, in the order of the help."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def file_option(*names: str, help: str, exists: bool = False, **settings: Any) -> Options:
    """An option that names a file, which has to be there if it is to be read."""
    return click.option(
        *names, type=LocalPath(exists=exists), **{"metavar": "FILE", **settings}, help=help
    )


def output_option(metavar: str, help: str) -> Options:
    """The required option for the folder that a command makes."""
    return click.option(
        *("-o", "--output"),
        type=LocalPath(file_okay=False),
        required=True,
        metavar=metavar,
        help=help,
    )


def path_argument(
    name: str, metavar: str, help: str, *, nargs: int = 1, exists: bool = True
) -> Options:
    """A path by position, usually of what is there; one and more of them if `nargs` is -1."""
    return click.argument(
        name, nargs=nargs, required=True, type=LocalPath(exists=exists), metavar=metavar, help=help
    )


def seed_option(meaning: str) -> Options:
    """The option for a seed, with what it is the seed of."""
    return click.option("--seed", type=Whole(0, LARGEST_SEED), default=0, help=meaning)


WEIGHTS = file_option("--weights", exists=True, help="weights file (default: the shipped one)")


@contextmanager
def wrong_usage(option: str = "") -> Iterator[None]:
    """Errors within the context are of what the command line says, or an option of it."""
    try:
        yield
    except ColorflowError as error:
        raise click.UsageError(f"{option}: {error}" if option else str(error)) from error
