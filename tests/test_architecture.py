"""Imports point one way, and importing the package loads nothing heavy."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

import colorflow
from tests.small_weights import save_small_weights

ROOT = Path(__file__).resolve().parent.parent

# A module imports only from its own layer and from those before it.
LAYERS = (
    "version",
    "errors",
    "limits",
    "device",
    "files",
    "color",
    "recipe",
    "photo",
    "result",
    "scan",
    "flows",
    "model",
    "zoo",
    "training",
    "photo_model",
    "open_photo",
    "colorizer",
    "enlarge",
    "repair",
    "run",
    "restorer",
    "evaluation",
    "quiz",
    "worker",
    "batch",
    "ui",
    "cli",
)

# Forbidden although the order would allow it: flows know nothing of photos, and those who talk to
# people color through `colorizer` alone.
NEVER = {
    "flows": {"photo", "color"},
    "zoo": {"photo", "color"},
    "quiz": {"flows", "zoo", "model"},
    "batch": {"flows", "zoo", "model"},
    "ui": {"flows", "zoo", "model"},
    "cli": {"flows", "zoo", "model"},
}

# What the tool that makes training packs may use of the package; a name covers all below it.
DATA_PREP_MAY_USE = (
    "colorflow.device",
    "colorflow.errors",
    "colorflow.files",
    "colorflow.photo",
    "colorflow.color",
    "colorflow.enlarge.patches",
    "colorflow.model.condition",
    "colorflow.model.heads",
    "colorflow.model.segmentation",
    "colorflow.model.weights",
    "colorflow.repair.prints",
    "colorflow.training.pack",
    "colorflow.training.pixels",
    "colorflow.training.heads",
    "colorflow.training.large_pack",
)

# Names of the package itself, and the layers that they come from.
OFFERED = {
    "Colorizer": "colorizer",
    "Enlarger": "enlarge",
    "Repairer": "repair",
    "Restorer": "restorer",
    "Result": "result",
    "Recipe": "recipe",
    "Hint": "recipe",
    "ColoringSpec": "recipe",
    "Photo": "photo",
    "__version__": "version",
}

OUTSIDE = {"data_prep", "tests", "app"}
HEAVY = ("torch", "gradio", "cv2", "PIL", "numpy", "skimage", "numba")
UNNEEDED = (
    "gradio", "skimage", "scipy", "pandas", "matplotlib", "ray", "kornia", "torchvision", "sympy",
    "torch._dynamo", "torch._inductor", "numba",
)  # fmt: skip
"""What no process of `colorflow colorize` needs for one photo."""

parsed = cache(ast.parse)


@cache
def modules() -> dict[str, Path]:
    """All modules of the package by dotted name, the package itself as ``colorflow``."""
    found = {}
    for path in sorted((ROOT / "colorflow").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a module imports; none of them is relative.

    Those inside functions and ``if TYPE_CHECKING`` count, too. `from a import b` gives ``a.b``,
    which may be a module or something in one.
    """
    for node in ast.walk(parsed(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def own_imports(path: Path) -> list[str]:
    """Names from colorflow itself that a module imports."""
    return [name for name in imports(path) if name.split(".")[0] == "colorflow"]


def layer_of(name: str) -> str | None:
    """The layer of a dotted name; None for the package itself, which offers names of several."""
    parts = name.split(".")
    return (OFFERED | {"__main__": "cli"}).get(parts[1], parts[1]) if len(parts) > 1 else None


def breach(module: str, imported: str) -> str | None:
    """What is wrong with one import, or None."""
    above, below = layer_of(module), layer_of(imported)
    if above is None or below is None or above == below:
        return None
    if below not in LAYERS:
        return f"{module} imports {imported}, which is in no known layer"
    if LAYERS.index(below) > LAYERS.index(above):
        return f"{module} imports {imported}, which stands after it"
    if below in NEVER.get(above, ()):
        return f"{module} must not know {imported}"
    return None


def test_every_module_has_a_layer() -> None:
    layers = {layer_of(module) for module in modules()} - {None}
    assert {"errors", "photo", "flows", "cli"} <= layers, "the modules are not found"
    assert layers <= set(LAYERS)


def test_imports_point_one_way() -> None:
    breaches = [
        problem
        for module, path in modules().items()
        for imported in own_imports(path)
        if (problem := breach(module, imported))
    ]
    assert not breaches, "\n".join(breaches)


def test_no_import_cycles() -> None:
    known = modules()
    graph: dict[str, set[str]] = {}
    for module, path in known.items():
        names = own_imports(path)
        # `from a import b`: the module a.b if there is one, otherwise a name inside a.
        targets = {name if name in known else name.rpartition(".")[0] for name in names}
        graph[module] = targets - {module}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_data_prep_uses_its_part_of_the_package_only() -> None:
    paths = sorted((ROOT / "data_prep").rglob("*.py"))
    assert paths
    breaches = []
    for path in paths:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for name in own_imports(path):
            if not any(f"{name}.".startswith(f"{allowed}.") for allowed in DATA_PREP_MAY_USE):
                breaches.append(f"{module} imports {name}")
    assert not breaches, "\n".join(breaches)


def test_the_package_does_not_use_data_prep_or_the_tests() -> None:
    for module, path in modules().items():
        outside = {name for name in imports(path) if name.split(".")[0] in OUTSIDE}
        assert not outside, f"{module} imports {outside}"


@pytest.mark.parametrize(
    ("module", "imported", "is_breach"),
    [
        ("colorflow.photo.photo", "colorflow.color.cie.rgb_to_lab", False),
        ("colorflow.color.cie", "colorflow.photo.photo.Kind", True),
        ("colorflow.flows.coupling", "colorflow.photo.Photo", True),
        ("colorflow.training.levels", "colorflow.Colorizer", True),
        ("colorflow.ui.page", "colorflow.model.pyramid", True),
        ("colorflow.ui.page", "colorflow.helpers.thing", True),
    ],
)
def test_breach_tells_right_from_wrong(module: str, imported: str, *, is_breach: bool) -> None:
    assert (breach(module, imported) is not None) == is_breach


def loaded_by(code: str, names: tuple[str, ...]) -> list[str]:
    """Which of the top-level modules `names` a fresh interpreter has loaded after `code`."""
    report = (
        f"import sys; print(*[name for name in {names} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stderr.split()


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import colorflow", HEAVY) == []


def test_help_loads_nothing_heavy() -> None:
    code = """
from colorflow.cli import COMMANDS, main
for command in [[], *([name] for name in COMMANDS), ["blind", "compare"]]:
    assert main([*command, "--help"]) == 0
"""
    assert loaded_by(code, HEAVY) == []


def test_the_first_worker_starts_before_the_command_loads_anything_heavy() -> None:
    code = f"""
import subprocess, sys
from colorflow.cli import main
def started(*arguments, **options):
    print(*[name for name in {HEAVY} if name in sys.modules])
    raise OSError
subprocess.Popen = started
main(["colorize", "absent.jpg", "-o", "absent"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.splitlines()[:1] == [""], done.stderr


@pytest.mark.slow
def test_coloring_a_photo_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """Neither the command, which has no torch, nor its worker."""
    Image.new("L", (48, 32), 90).save(tmp_path / "a.png")
    weights = save_small_weights(tmp_path / "small.safetensors")
    arguments = [str(tmp_path / "a.png"), "-o", str(tmp_path / "out")]
    command = f"""
from colorflow.cli import main
assert main(["colorize", *{arguments}, "--weights", {str(weights)!r}, "-q"]) == 0
"""
    assert loaded_by(command, (*UNNEEDED, "torch")) == []
    worker = f"""
from pathlib import Path
from colorflow.batch import COLORS, Settings, make_plan
from colorflow.batch.models import WorkerConfig, load_models
from colorflow.batch.one_photo import work_on
settings = Settings(overwrite=True)
weights = {{COLORS: Path({str(weights)!r})}}
models = load_models(WorkerConfig(weights=weights, device="cpu", threads=1, settings=settings))
(task,) = make_plan([{arguments[0]!r}], {arguments[2]!r}, settings).tasks
assert work_on(models, task, settings).status == "done"
"""
    assert loaded_by(worker, UNNEEDED) == []


def test_reading_and_rendering_photos_does_not_load_torch() -> None:
    code = "import colorflow.photo, colorflow.color.full_resolution"
    assert loaded_by(code, ("torch", "gradio", "numba")) == []


def test_the_package_offers_its_classes() -> None:
    assert set(colorflow.__all__) == set(OFFERED)
    for name in set(OFFERED) - {"__version__"}:
        assert getattr(colorflow, name).__name__ == name


def test_no_two_public_classes_have_one_name() -> None:
    names = Counter(
        node.name
        for folder in ("colorflow", "data_prep")
        for path in (ROOT / folder).rglob("*.py")
        for node in parsed(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_lists_of_modules_are_complete() -> None:
    """A package whose docstring lists its modules lists all of them."""
    lists = 0
    for path in (ROOT / "colorflow").rglob("__init__.py"):
        docstring = ast.get_docstring(parsed(path.read_text(encoding="utf-8"))) or ""
        listed = set(re.findall(r"[\w/]+\.py\b", docstring))
        if listed:
            lists += 1
            assert listed == {one.name for one in path.parent.glob("*.py")} - {path.name}, path
    assert lists >= 5
