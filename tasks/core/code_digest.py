"""Digest of the code that can affect the output of a stage.

This code consists of the modules that start the stage, the stage's module with everything that it imports from
`tasks/`, directly or indirectly, the `__init__.py` of their packages, and other files in the same folders, such as word
lists and templates. A call `importlib.import_module(f"tasks.…{name}…")` counts as an import of every module whose name
matches. The sandbox of a stage does not contain any other files of the repository. The digest covers all bytes of a
file, because code can read its own docstrings, comments and line numbers.

inputs/stages.json contains the digest of each stage. DVC compares it to decide whether to run the stage again. For a
run, the file is written when inputs are resolved (tasks/runs/requests/resolution.py). If stages are run by hand, stage
`code` of dvc.yaml writes it.
"""

import ast
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.files import sha256_bytes, write_json
from tasks.core.graph import DVC_STAGES, STAGES
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout

STAGE_STARTING_MODULES = ("tasks.stages.start", "tasks.stages.runner")
"""Modules that start a stage. They are part of the code of every stage."""


class SourceTree:
    """Source tree that caches the content and the imports of files.

    All stages share one tree, because most of their files are the same. Paths are strings: with `Path` objects the
    digests took three times as long.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.read_file = cache(_read_file)
        self.file_digest = cache(self._file_digest)
        self.imported_files = cache(self._imported_files)
        self.non_python_files = cache(self._non_python_files)
        self.is_plain_file = cache(self._is_plain_file)
        self._has_link = cache(self._is_link_or_below_one)

    def module_path(self, module: str) -> str:
        return f"{self.root}/{module.replace('.', '/')}.py"

    def folders_of(self, path: str) -> Iterator[str]:
        """Yield the folders above a file, up to, but not including, the root."""
        while len(path := os.path.dirname(path)) > len(str(self.root)):
            yield path

    def _file_digest(self, path: str) -> str:
        return sha256_bytes(self.read_file(path))

    def _imported_files(self, path: str) -> list[str]:
        try:
            modules = _imported_modules(self.read_file(path))
        except SyntaxError as error:
            raise InputError(f"{path}:{error.lineno}: is no Python that this version reads: {error.msg}") from None
        return [file for module in modules for file in self._module_paths(module) if os.path.isfile(file)]

    def _module_paths(self, module: str) -> Iterable[str]:
        path = self.module_path(module)
        return map(str, Path(path).parent.glob(os.path.basename(path))) if "*" in module else [path]

    def _non_python_files(self, folder: str) -> list[str]:
        found = list[str]()
        for entry in os.scandir(folder):
            if entry.is_dir() and entry.name != "__pycache__" and not os.path.exists(f"{entry.path}/__init__.py"):
                found += [str(inner) for inner in Path(entry.path).rglob("*") if inner.is_file()]
            elif entry.is_file() and os.path.splitext(entry.name)[1] not in (".py", ".pyc"):
                found.append(entry.path)
        return found

    def _is_plain_file(self, path: str) -> bool:
        return os.path.isfile(path) and not self._has_link(path)

    def _is_link_or_below_one(self, path: str) -> bool:
        return os.path.islink(path) or any(map(self._has_link, islice(self.folders_of(path), 1)))


def stage_digest(root: Path, name: str) -> str:
    return _stage_digest(SourceTree(root), name)


def stage_digests(root: Path) -> dict[str, str]:
    tree = SourceTree(root)
    each = {name: _stage_digest(tree, name) for name in STAGES}
    return {run: each[stage.name] for run, stage in DVC_STAGES.items()}


def all_stages_digest(root: Path) -> str:
    return sha256_bytes(canonical_json(stage_digests(root)))


def write_digests(layout: Layout) -> None:
    write_json(layout.stage_digests_path, stage_digests(layout.root))


def stage_files(root: Path, name: str) -> list[Path]:
    """Return the files that contain the code of a stage, sorted.

    Symbolic links are left out, because their targets can change.
    """
    return stage_files_in(SourceTree(root), name)


def stage_files_in(tree: SourceTree, name: str) -> list[Path]:
    """Return the files that contain the code of a stage, sorted. `tree` can be reused for several stages."""
    return module_files(tree, (STAGES[name].module_name, *STAGE_STARTING_MODULES))


def module_files(tree: SourceTree, names: Iterable[str]) -> list[Path]:
    """Return the files that contain the code of modules.

    These are the modules and their imports, the `__init__.py` of their packages, and other files in their folders.

    Raises:
        InputError: A file is not valid Python.
    """
    modules = set[str]()
    for name in names:
        _add_imports(tree, tree.module_path(name), modules)
    folders = {folder for path in modules for folder in tree.folders_of(path)}
    beside = {path for folder in set(map(os.path.dirname, modules)) for path in tree.non_python_files(folder)}
    above = {f"{folder}/__init__.py" for folder in folders}
    return [Path(path) for path in sorted(modules | beside | above) if tree.is_plain_file(path)]


def _stage_digest(tree: SourceTree, name: str) -> str:
    start = len(f"{tree.root}/")
    files = {path[start:]: tree.file_digest(path) for path in map(str, stage_files_in(tree, name))}
    return sha256_bytes(canonical_json(files))


def _read_file(path: str) -> bytes:
    return Path(path).read_bytes()


def _add_imports(tree: SourceTree, path: str, paths: set[str]) -> None:
    if path in paths or not os.path.isfile(path):
        return
    paths.add(path)
    for imported in tree.imported_files(path):
        _add_imports(tree, imported, paths)


@lru_cache(2_000)
def _imported_modules(source: bytes) -> frozenset[str]:
    """Return the modules of `tasks` that a source file imports.

    The result also contains the names imported from modules, because these can be modules themselves. A module name
    that the code computes becomes a pattern with `*` for each computed part.
    """
    imported = set[str]()
    for node in _walk_nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "import_module":
            imported |= {_module_pattern(argument) for argument in node.args if isinstance(argument, ast.JoinedStr)}
    return frozenset(name for name in imported if name.startswith("tasks."))


def _module_pattern(text: ast.JoinedStr) -> str:
    """Return a pattern for the module names that an f-string can produce.

    Consecutive dots are merged into one, since `tasks..a` is imported from the same file as `tasks.a`.
    """
    name = "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in text.values)
    return re.sub(r"\.+", ".", name)


def _walk_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes of a syntax tree in arbitrary order, in half the time of `ast.walk`."""
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        yield node
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                left.append(value)
            elif isinstance(value, list):
                left += [each for each in value if isinstance(each, ast.AST)]
