"""What all tests share."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import chain, zip_longest
from pathlib import Path

# As the command does, before NumPy is imported: worker processes inherit it from the first test to
# call the command, and on some processors the number of threads changes the last bit of a product.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import nn

from colorflow.colorizer import Colorizer
from colorflow.enlarge.enlarger import Enlarger
from colorflow.repair.repairer import Repairer
from tests.small_weights import save_small_enlarge_weights, save_small_weights, small_repairer

SEED = 0
settings.register_profile(
    "unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")  # a busy machine may take any time for an example
_LONG_FILES = {"test_tour_browser.py": 140.0, "test_own_machine_browser.py": 80.0}
"""Seconds of files whose tests take longer than others of their kind."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that at the end no process is left alone with one of them.

    Those of the browser mostly wait and the others compute: taken in turns, both run all the time.
    """
    files: defaultdict[Path, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.path].append(item)
    ordered = sorted(files.values(), key=_seconds, reverse=True)
    waiting = [file for file in ordered if any(map(_is_of_browser, file))]
    computing = [file for file in ordered if not any(map(_is_of_browser, file))]
    turns = zip_longest(waiting, computing, fillvalue=[])
    items[:] = chain.from_iterable(chain.from_iterable(turns))


def _is_of_browser(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None


def _seconds(file: list[pytest.Item]) -> float:
    """About what the tests of a file take."""
    return _LONG_FILES.get(file[0].path.name) or sum(
        8.0 if _is_of_browser(item) else 2.0 if item.get_closest_marker("slow") else 0.05
        for item in file
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where the time goes: seconds by folder, and the longest files."""
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    if len(seconds) == 1:
        return
    folders: Counter[str] = Counter()
    for file, spent in seconds.items():
        folders[str(Path(file).parent)] += spent
    terminalreporter.section("seconds by folder, and of the longest files")
    for name, spent in [*folders.most_common(), *seconds.most_common(25)]:
        terminalreporter.write_line(f"{spent:7.1f} {name}")


def _randomize(module: nn.Module, gain: float = 0.7) -> nn.Module:
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for parameter in module.parameters():
            scale = gain / parameter[0].numel() ** 0.5  # keeps activations of order one
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(scale * noise.to(parameter))
        for name, buffer in module.named_buffers():
            kind = name.rpartition(".")[2]
            if kind in ("mean", "std"):
                noise = torch.randn(buffer.shape, generator=generator, dtype=torch.float64)
                buffer.copy_(noise if kind == "mean" else (0.5 * noise).exp())
    return module.eval()


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Networks so small gain nothing from more, and the sums are the same everywhere."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed() -> None:
    """The same initial parameters in every order of tests."""
    torch.manual_seed(SEED)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small weights with random parameters, so that every sample has colors of its own."""
    return save_small_weights(tmp_path_factory.mktemp("weights") / "small.safetensors")


@pytest.fixture(scope="session")
def colorizer(weights: Path) -> Colorizer:
    return Colorizer.load(weights)


@pytest.fixture(scope="session")
def detail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small weights for enlarging."""
    return save_small_enlarge_weights(tmp_path_factory.mktemp("detail") / "detail.safetensors")


@pytest.fixture(scope="session")
def enlarger(detail: Path) -> Enlarger:
    return Enlarger.load(detail)


@pytest.fixture(scope="session")
def repairer() -> Repairer:
    return small_repairer()


@pytest.fixture
def randomize() -> Callable[..., nn.Module]:
    """Gives a module random parameters and statistics, in evaluation mode.

    Layers that start at zero make a flow the identity and hide every fault, so no test of a
    bijection may run without this.
    """
    return _randomize
