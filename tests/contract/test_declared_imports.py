"""Every package that the code imports is declared in pyproject.toml, also if another dependency brings it.

That commands which verify need the base dependencies alone is tested in tests/registry/test_small_install.py.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ROOMS = ("tasks", "flows", "infra", "hallmark")
UNDECLARED = {"vllm", "gliner"}
"""vLLM asks for a torch of its own, and GLiNER is for owners who have such a model: people install them where they use
them (docs/guides/cluster.md, docs/reference/data-rules.md)."""


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (each for name, extra in project["optional-dependencies"].items() if name != "dev" for each in extra)
    return {canonicalize_name(Requirement(each).name) for each in (*project["dependencies"], *extras)}


def imported() -> Iterator[tuple[str, Path]]:
    """Yield the top-level module of each import of a third party, with the file."""
    for path in (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for top in {module.partition(".")[0] for module in modules} - {*ROOMS, *sys.stdlib_module_names}:
                yield top, path.relative_to(ROOT)


def test_each_import_of_a_third_party_is_declared() -> None:
    known, distributions = declared(), packages_distributions()
    missing = {
        f"{module}: {path}"
        for module, path in imported()
        if module not in UNDECLARED
        and not known & {canonicalize_name(each) for each in distributions.get(module, [module])}
    }
    assert missing == set()
