"""The built wheel, installed away from the checkout, is complete."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from colorflow import __version__
from tests.borrowing import borrow_packages

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow

LOAD = """
import sys
import colorflow
from colorflow import Colorizer
from colorflow.colorizer import default_weights

Colorizer.load()
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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without network."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with the wheel.

    It sees the dependencies of the running environment, but not the checkout.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    interpreter = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(
        *(sys.executable, "-m", "pip", "--python", interpreter, "install"),
        *("--no-deps", "--no-index", "--quiet", wheel),
        cwd=folder,
    )
    borrow_packages(interpreter)
    return interpreter


def test_the_wheel_holds_the_package_and_the_weights_alone(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "colorflow/weights/README.md" in names, "the model card goes with the weights"
    assert [name for name in names if name.endswith(".safetensors")]
    assert {"colorflow/cli/__main__.py", "colorflow/py.typed"} <= names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"colorflow", f"colorflow-{__version__}.dist-info"}


def test_the_installed_package_loads_its_own_weights(python: Path, tmp_path: Path) -> None:
    prefix, package, weights = run(python, "-c", LOAD, cwd=tmp_path).splitlines()
    folder = Path(package).parent
    assert folder.is_relative_to(prefix), "the package is not the installed one"
    assert not folder.is_relative_to(ROOT)
    assert Path(weights).is_relative_to(folder), "the weights are not those in the package"


def test_the_installed_command_runs(python: Path, tmp_path: Path) -> None:
    assert run(python.with_name("colorflow"), "--version", cwd=tmp_path) == (
        f"colorflow {__version__}\n"
    )
