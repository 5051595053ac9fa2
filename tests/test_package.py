"""The built wheel, installed away from the checkout, is complete; so is the source archive."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
import urllib.request
import venv
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from benchmarks.page_server import free_port
from colorflow import __version__
from tests.borrowing import borrow_dependencies, packages_of
from tests.ui.page_process import START_SECONDS

ROOT = Path(__file__).resolve().parent.parent
INFO = f"colorflow_cinn-{__version__}.dist-info"

pytestmark = [pytest.mark.slow, pytest.mark.long]

OFFLINE = """
import os, sys

def end_at_the_network(event, arguments):
    if (event == "socket.getaddrinfo" and arguments[0] != "127.0.0.1") or (
        event == "socket.connect"
        and isinstance(arguments[1], tuple)
        and arguments[1][0] != "127.0.0.1"
    ):
        os.write(2, f"NETWORK: {event} {arguments}".encode())
        os._exit(86)

sys.addaudithook(end_at_the_network)
"""
"""Ends any process, workers included, that looks up a name or reaches beyond this machine."""

COLORIZE = """
import sys
import colorflow
from colorflow import Colorizer
from colorflow.files import default_weights

(coloring,) = Colorizer.load().colorize("photo.png", n=1)
coloring.save("python.png")
print(sys.prefix)
print(colorflow.__file__)
print(default_weights())
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command without the caller's Python settings; its output."""
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(kind: str, source: Path, folder: Path) -> Path:
    """Builds a wheel or an sdist without network."""
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder, cwd=source)
    (path,) = folder.iterdir()
    return path


def contents(wheel: Path) -> dict[str, int]:
    """The checksum of each file of a wheel."""
    return {one.filename: one.CRC for one in zipfile.ZipFile(wheel).infolist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with the wheel, what it requires, and no network.

    The required packages are links to those of the running environment. Neither the checkout nor
    anything else of that environment is there.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    interpreter = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(*pip(interpreter), "install", "--no-deps", "--no-index", "--quiet", wheel, cwd=folder)
    metadata = PathDistribution(zipfile.Path(wheel, f"{INFO}/"))
    borrow_dependencies(
        interpreter, [text for text in metadata.requires or () if "extra ==" not in text]
    )
    packages = packages_of(interpreter)
    (packages / "offline.py").write_text(OFFLINE, encoding="utf-8")
    (packages / "offline.pth").write_text("import offline", encoding="utf-8")
    return interpreter


def pip(interpreter: Path) -> tuple[str | Path, ...]:
    """The running environment's pip for another one."""
    return (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", interpreter)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A gray photo."""
    path = tmp_path / "photo.png"
    Image.fromarray(skimage.data.astronaut()).convert("L").resize((160, 120)).save(path)
    return path


def test_the_wheel_holds_the_package_and_the_weights_alone(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "colorflow/weights/README.md" in names, "the model card goes with the weights"
    assert [name for name in names if name.endswith(".safetensors")]
    assert {"colorflow/cli/__main__.py", "colorflow/py.typed"} <= names
    assert {name.split("/")[0] for name in names} == {"colorflow", INFO}


def test_the_sdist_holds_everything_that_the_wheel_is_built_from(
    wheel: Path, tmp_path: Path
) -> None:
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert source.name == f"colorflow_cinn-{__version__}"
    again = build("wheel", source, tmp_path / "wheel")
    assert again.name == wheel.name
    assert contents(again) == contents(wheel)


def test_the_environment_has_what_the_wheel_requires_and_nothing_else(
    python: Path, tmp_path: Path
) -> None:
    assert "No broken requirements" in run(*pip(python), "check", cwd=tmp_path)
    installed = run(*pip(python), "list", "--format=freeze", cwd=tmp_path).splitlines()
    names = {line.partition("==")[0] for line in installed}
    assert {"colorflow-cinn", "torch", "gradio", "pi_heif"} <= names
    assert not names & {"colorflow", "pytest", "ray", "hatchling"}


def test_the_environment_is_offline(python: Path, tmp_path: Path) -> None:
    code = "import socket; socket.create_connection(('localhost', 9))"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 86
    assert done.stderr.startswith(b"NETWORK: socket.getaddrinfo")


def test_the_installed_package_colorizes_a_photo(python: Path, photo: Path) -> None:
    """The command and Python give the same colors, with the weights of the wheel."""
    folder = photo.parent
    colorflow = python.with_name("colorflow")
    assert run(colorflow, "--version", cwd=folder) == f"colorflow {__version__}\n"
    run(colorflow, "colorize", photo.name, "-o", "colored", "-n", "2", cwd=folder)
    prefix, package, weights = run(python, "-c", COLORIZE, cwd=folder).splitlines()
    assert Path(package).is_relative_to(prefix), "the package is not the installed one"
    assert Path(weights).is_relative_to(Path(package).parent), "the weights are not the wheel's"
    first, second, by_python = (
        np.asarray(Image.open(folder / name)).astype(int)
        for name in ("colored/photo_a.png", "colored/photo_b.png", "python.png")
    )
    assert first.shape == second.shape == (120, 160, 3)
    assert np.ptp(first, axis=-1).mean() > 3, "the picture is gray"
    assert np.abs(first - by_python).max() <= 1


def test_the_installed_package_serves_the_page(python: Path, tmp_path: Path) -> None:
    """With what the wheel requires, and nothing that tests or training install beside it."""
    port = free_port()
    log = tmp_path / "log"
    command = [python.with_name("colorflow"), "app", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output)
    try:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            said = log.read_text(encoding="utf-8")
            if "Ctrl-C ends it" in said or process.poll() is not None:
                break
            time.sleep(0.1)
        assert "Ctrl-C ends it" in said, said
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=60) as answer:
            assert b"show-unsure" in answer.read()
    finally:
        process.kill()
        process.wait()
