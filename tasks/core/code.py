"""Which code decides the bytes that a stage leaves, and its digest.

That is what its module imports of `tasks/`, directly or through others, and the files of another kind beside these
modules: word lists, templates. Docstrings, comments and blank lines count for nothing, so that they may be mended
without a run being made again. Of `__init__.py` nothing counts: here they hold no code.

    inputs/stages.json   the digest of each stage, by which DVC knows whether it has to run again; of a run the
                         supervisor writes it (`tasks.runs.resolve`), by hand the stage `code` of dvc.yaml
"""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from tasks.core.files import canonical_json, sha256_bytes, sha256_file, write_json
from tasks.core.graph import RUNS, STAGES
from tasks.core.layout import Layout


def of_stage(root: Path, name: str) -> str:
    """SHA-256 of the code of a stage, `predict` for all of its variants."""
    return sha256_bytes(canonical_json(_digests(root, STAGES[name].module)))


def of_stages(root: Path) -> dict[str, str]:
    """By the name that DVC knows."""
    each = {name: of_stage(root, name) for name in STAGES}
    return {run: each[stage.name] for run, stage in RUNS.items()}


def digest(root: Path) -> str:
    """SHA-256 of the code of all stages."""
    return sha256_bytes(canonical_json(of_stages(root)))


def write(layout: Layout) -> None:
    """Write inputs/stages.json."""
    write_json(layout.stages, of_stages(layout.root))


def files_of(root: Path, module: str) -> list[Path]:
    """The files that decide what a module does, sorted."""
    modules: set[Path] = set()
    _follow(root, _file(root, module), modules)
    beside = {path for folder in {path.parent for path in modules} for path in _other_files(folder)}
    return sorted(modules | beside)


def _digests(root: Path, module: str) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): sha256_bytes(what_runs(path.read_bytes()))
        if path.suffix == ".py"
        else sha256_file(path)
        for path in files_of(root, module)
    }


def _file(root: Path, module: str) -> Path:
    return root / f"{module.replace('.', '/')}.py"


def _follow(root: Path, path: Path, paths: set[Path]) -> None:
    if path in paths or not path.is_file():
        return
    paths.add(path)
    for module in _imported(path.read_bytes()):
        _follow(root, _file(root, module), paths)


@lru_cache(2_000)
def _imported(source: bytes) -> frozenset[str]:
    """Modules of `tasks`, and names in modules, which may be modules themselves."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(name for name in names if name.startswith("tasks."))


def _other_files(folder: Path) -> Iterator[Path]:
    """Files of a package that are no Python, in folders of its own that are no packages too."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists():
            yield from (inner for inner in path.rglob("*") if inner.is_file())
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path


@lru_cache(2_000)
def what_runs(source: bytes) -> bytes:
    """The source without what says something to readers alone."""
    lines = source.decode().split("\n")
    for start, start_column, end, end_column in sorted(_remarks(source), reverse=True):
        head, tail = lines[start - 1].encode()[:start_column], lines[end - 1].encode()[end_column:]
        lines[start - 1 : end] = [(head + tail).decode()]
    return "\n".join(line.rstrip() for line in lines if line.strip()).encode()


def _remarks(source: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Where docstrings and comments stand: first line and column, last line and column, in bytes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            assert node.end_lineno is not None and node.end_col_offset is not None
            yield node.lineno, node.col_offset, node.end_lineno, node.end_col_offset
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            first = len(token.line[: token.start[1]].encode())
            yield line, first, line, first + len(token.string.encode())
