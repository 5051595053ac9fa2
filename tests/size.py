"""How much there is to keep: ``python -m tests.size``, printed by ``make test``.

Lines of code are those of colorflow/ without docstrings, comments and blank lines; lines of tests
are all lines.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

from benchmarks.files_of_one_photo import files_of_one_photo

ROOT = Path(__file__).resolve().parent.parent
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def lines_of_code(source: str) -> int:
    """Lines that hold more than comments and docstrings."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def main() -> None:
    """Prints the table."""
    lines: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for path in sorted((ROOT / "colorflow").rglob("*.py")):
        folder, *rest = path.relative_to(ROOT / "colorflow").parts
        name = f"{folder}/" if rest else "(top)"
        lines[name] += lines_of_code(path.read_text(encoding="utf-8"))
        modules[name] += 1
    for name, n in lines.most_common():
        print(f"{name:12} {n:6,} lines of code {modules[name]:4} modules")
    tests = sum(
        len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "tests").rglob("*.py")
    )
    print(f"{'colorflow/':12} {lines.total():6,} lines of code {modules.total():4} modules")
    print(f"{'tests/':12} {tests:6,} lines")
    files = files_of_one_photo()
    print(f"files whose functions run for one photo: {len(files.worker)} with the model,", end=" ")
    print(f"{len(files.command | files.worker)} with the command")


if __name__ == "__main__":
    main()
