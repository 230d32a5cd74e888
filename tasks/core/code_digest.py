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
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
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

    All stages share one tree, because most of their files are the same.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.read_file = cache(Path.read_bytes)
        self.imported_files = cache(self._imported_files)
        self.is_plain_file = cache(self._is_plain_file)
        self._is_link = cache(Path.is_symlink)

    def _imported_files(self, path: Path) -> list[Path]:
        try:
            modules = _imported_modules(self.read_file(path))
        except SyntaxError as error:
            raise InputError(f"{path}:{error.lineno}: is no Python that this version reads: {error.msg}") from None
        return [file for module in modules for file in _module_paths(self.root, module) if file.is_file()]

    def _is_plain_file(self, path: Path) -> bool:
        inside = [path, *path.parents[: len(path.relative_to(self.root).parts) - 1]]
        return path.is_file() and not any(map(self._is_link, inside))


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
    modules: set[Path] = set()
    for name in names:
        _add_imports(tree, _module_path(tree.root, name), modules)
    beside = {path for folder in {path.parent for path in modules} for path in _non_python_files(folder)}
    folders = {folder for path in modules for folder in path.parents}
    above = {folder / "__init__.py" for folder in folders if tree.root in folder.parents}
    return sorted(path for path in modules | beside | above if tree.is_plain_file(path))


def _stage_digest(tree: SourceTree, name: str) -> str:
    files = {
        path.relative_to(tree.root).as_posix(): sha256_bytes(tree.read_file(path))
        for path in stage_files_in(tree, name)
    }
    return sha256_bytes(canonical_json(files))


def _module_path(root: Path, module: str) -> Path:
    return root / f"{module.replace('.', '/')}.py"


def _module_paths(root: Path, module: str) -> Iterable[Path]:
    path = _module_path(root, module)
    return path.parent.glob(path.name) if "*" in module else [path]


def _add_imports(tree: SourceTree, path: Path, paths: set[Path]) -> None:
    if path in paths or not path.is_file():
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
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in text.values)


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


def _non_python_files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists():
            yield from (inner for inner in path.rglob("*") if inner.is_file())
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path
