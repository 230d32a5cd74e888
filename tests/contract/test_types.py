"""Types, as `make lint` checks them. Here it runs beside other tests, since mypy takes half a minute of one core."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_types_hold_in_all_of_the_project() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_code_imports_what_mypy_does_not_read() -> None:
    """There everything would pass: pyproject.toml names modules of libraries that only libraries import."""
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    skipped, read = (
        [name for each in overrides if each.get("follow_imports") == how for name in each["module"]]
        for how in ("skip", "normal")
    )
    ours = [path for room in ("tasks", "flows", "infra", "hallmark") for path in sorted((ROOT / room).rglob("*.py"))]
    imported = {name: path for path in ours for name in _imported(path)}
    assert "transformers" in imported, "it looks inside functions too"
    assert not {name: path for name, path in imported.items() if _is_one(name, skipped) and not _is_one(name, read)}, (
        "take it out of `skip` in pyproject.toml"
    )


def _is_one(module: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(module, pattern) or module == pattern.removesuffix(".*") for pattern in patterns)


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
