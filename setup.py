"""Packages of the distribution; a wheel has all of them below the one package `hallmark`.

In the repository `tasks`, `flows` and `infra` are at the top, and import each other by these names. Other projects and
people's scripts have modules of these names too. So a wheel has them as `hallmark.tasks`, `hallmark.flows` and
`hallmark.infra`, and their import statements are rewritten as they are copied. Names of stages in tables are not: a run
imports its stages from its own commit, which has `tasks` at the top. `hallmark/source/tasks` is `tasks` as it is in the
repository, for stages that are tried outside of runs (tasks/scratch). An editable install uses the repository as it is.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setuptools import find_namespace_packages, setup
from setuptools.command.build_py import build_py

MOVED = ("flows", "infra", "tasks")
"""Top-level packages of the repository that a wheel has below `hallmark`."""
SOURCE = "hallmark.source.tasks"
DATA = ["*.yaml", "dashboard.json", "*.html", "*.css", "*.j2", "*.js", "*.svg", "*.txt", "README.md", "py.typed"]
CHART = ["hallmark/*", "hallmark/*/*"]
UNITS = ["*.service", "*.timer", "*.target", "*.env"]
OWN_MODULE = re.compile(rb"(?:from\s+|import\s+|[fF]?[\"'])?(?=(?:%s)\b)" % b"|".join(each.encode() for each in MOVED))
"""Pattern of what comes before the name of an own module in an import statement or as a string."""


def rewrite_imports(source: bytes) -> bytes:
    """Return the source of a module in which imports of MOVED name them below `hallmark`.

    Imports are the statements, and calls of `import_module` with a string that begins with one of the names.

    Raises:
        ValueError: A statement binds the top-level name itself, which would need another name in the code.
    """
    lines = source.splitlines(keepends=True)
    for line, column in sorted(set(_places(ast.parse(source))), reverse=True):
        begins = OWN_MODULE.match(lines[line - 1], column)
        if begins:
            lines[line - 1] = lines[line - 1][: begins.end()] + b"hallmark." + lines[line - 1][begins.end() :]
    return b"".join(lines)


def _places(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """Yield line and column, in bytes, of each place where an import may name an own module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield node.lineno, node.col_offset
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in MOVED and alias.asname is None:
                    raise ValueError(f"line {node.lineno}: write `from … import`: `import {alias.name}` binds a name")
                yield alias.lineno, alias.col_offset
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            texts = (each for each in node.args[:1] if isinstance(each, ast.Constant | ast.JoinedStr))
            yield from ((text.lineno, text.col_offset) for text in texts)


class BuildPy(build_py):
    """Copy of modules into a wheel, with their imports rewritten."""

    def build_module(self, module: str, module_file: str, package: str) -> Any:
        done = super().build_module(module, module_file, package)
        if not (package == SOURCE or package.startswith(f"{SOURCE}.")):
            target = Path(self.get_module_outfile(self.build_lib, package.split("."), module))
            target.write_bytes(rewrite_imports(target.read_bytes()))
        return done


def found(*names: str) -> list[str]:
    packages = find_namespace_packages(include=[pattern for name in names for pattern in (name, f"{name}.*")])
    return [each for each in packages if "__pycache__" not in each]


def describe_wheel() -> dict[str, Any]:
    return {
        "packages": [*found("hallmark"), *(f"hallmark.{each}" for each in found(*MOVED)),
                     *(f"hallmark.source.{each}" for each in found("tasks"))],
        "package_dir": {SOURCE: "tasks"} | {f"hallmark.{each}": each for each in MOVED},
        "package_data": {"": DATA, "hallmark.infra.kubernetes": CHART, "hallmark.infra.systemd": UNITS},
        "cmdclass": {"build_py": BuildPy},
    }  # fmt: skip


def describe_editable() -> dict[str, Any]:
    data = {"": DATA, "infra.kubernetes": CHART, "infra.systemd": UNITS}
    return {"packages": found("hallmark", *MOVED), "package_data": data}


if __name__ == "__main__":
    setup(**(describe_editable() if "editable_wheel" in sys.argv else describe_wheel()))
