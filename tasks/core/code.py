"""Which code decides the bytes that a stage leaves, and its digest.

That is what starts it and what its module imports of `tasks/`, directly or through others, with the `__init__.py` above
them, and the files of another kind beside these modules: word lists, templates. Nothing else of a tree is shown to a
stage. Docstrings, comments and blank lines count for nothing, so that they may be mended and no run is made again.

    inputs/stages.json   the digest of each stage, by which DVC knows whether it has to run again; of a run the
                         supervisor writes it (`tasks.runs.resolve`), by hand the stage `code` of dvc.yaml
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from tasks.core.errors import InputError
from tasks.core.files import canonical_json, sha256_bytes, sha256_file, write_json
from tasks.core.graph import RUNS, STAGES
from tasks.core.layout import Layout

STARTS = ("tasks.stages.start", "tasks.stages.runner")
"""What a stage is started by, besides its own module."""
AMBIGUOUS = re.compile(rb"[\r\f\0]|\\\n|\A\xef\xbb\xbf|\A(.*\n)?.*coding[:=]")
"""By which Python may read a source otherwise than what is worked out here: of such a file every byte counts."""


READS_ITSELF = re.compile(rb"__doc__|getsource|linecache|getdoc|\bexec\b|\beval\b")
"""By which code may do what stands in a docstring or a comment: then every byte of all of it counts."""


class Tree:
    """The files of a tree, each looked at once: stages share most of theirs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.read = cache(Path.read_bytes)
        self.imported = cache(self._imported)
        self.is_plain = cache(self._is_plain)
        self._is_link = cache(Path.is_symlink)

    def _imported(self, path: Path) -> list[Path]:
        """The files of modules that a file imports. Raises InputError for no Python."""
        try:
            modules = _parsed(self.read(path)).imported
        except SyntaxError as error:
            raise InputError(f"{path}:{error.lineno}: is no Python that this version reads: {error.msg}") from None
        return [file for file in (_file(self.root, module) for module in modules) if file.is_file()]

    def _is_plain(self, path: Path) -> bool:
        """Whether it is a file that no link leads to from the root on."""
        inside = [path, *path.parents[: len(path.relative_to(self.root).parts) - 1]]
        return path.is_file() and not any(map(self._is_link, inside))


def of_stage(root: Path, name: str) -> str:
    """SHA-256 of the code of a stage, `predict` for all of its variants."""
    return _digest(Tree(root), name)


def of_stages(root: Path) -> dict[str, str]:
    """By the name that DVC knows."""
    tree = Tree(root)
    each = {name: _digest(tree, name) for name in STAGES}
    return {run: each[stage.name] for run, stage in RUNS.items()}


def digest(root: Path) -> str:
    """SHA-256 of the code of all stages."""
    return sha256_bytes(canonical_json(of_stages(root)))


def write(layout: Layout) -> None:
    """Write inputs/stages.json."""
    write_json(layout.stages, of_stages(layout.root))


def files_of(root: Path, name: str) -> list[Path]:
    """The files that decide what a stage does, sorted. A link is none of them: what it leads to may change."""
    return files_in(Tree(root), name)


def files_in(tree: Tree, name: str) -> list[Path]:
    """The same of a tree that is looked at more than once."""
    return files_behind(tree, (STAGES[name].module, *STARTS))


def files_behind(tree: Tree, names: Iterable[str]) -> list[Path]:
    """The same of modules."""
    modules: set[Path] = set()
    for name in names:
        _follow(tree, _file(tree.root, name), modules)
    beside = {path for folder in {path.parent for path in modules} for path in _other_files(folder)}
    folders = {folder for path in modules for folder in path.parents}
    above = {folder / "__init__.py" for folder in folders if tree.root in folder.parents}
    return sorted(path for path in modules | beside | above if tree.is_plain(path))


def _digest(tree: Tree, name: str) -> str:
    files = {path.relative_to(tree.root).as_posix(): path for path in files_in(tree, name)}
    sources = {place: tree.read(path) for place, path in files.items() if path.suffix == ".py"}
    whole = any(map(READS_ITSELF.search, sources.values()))
    digests = {
        place: sha256_bytes(what_runs(sources[place])) if place in sources and not whole else sha256_file(path)
        for place, path in files.items()
    }
    return sha256_bytes(canonical_json(digests))


def _file(root: Path, module: str) -> Path:
    return root / f"{module.replace('.', '/')}.py"


def _follow(tree: Tree, path: Path, paths: set[Path]) -> None:
    if path in paths or not path.is_file():
        return
    paths.add(path)
    for imported in tree.imported(path):
        _follow(tree, imported, paths)


class _Parsed(NamedTuple):
    """What is worked out of a source in one go: to parse each is most of the time that all of this takes."""

    imported: frozenset[str]
    """Modules of `tasks`, and names in modules, which may be modules themselves."""
    in_strings: frozenset[int]
    """The lines that end inside a text: their spaces, and whether they are blank, say something to the program."""
    docstrings: tuple[tuple[int, int, int, int], ...]
    """Where they stand: first line and column, last line and column, in bytes."""


@lru_cache(2_000)
def _parsed(source: bytes) -> _Parsed:
    imported, in_strings, docstrings = set[str](), set[int](), list[tuple[int, int, int, int]]()
    for node in _nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno is not None:
            in_strings.update(range(node.lineno, node.end_lineno))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            assert node.end_lineno is not None and node.end_col_offset is not None
            docstrings.append((node.lineno, node.col_offset, node.end_lineno, node.end_col_offset))
    ours = frozenset(name for name in imported if name.startswith("tasks."))
    return _Parsed(ours, frozenset(in_strings), tuple(docstrings))


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """As `ast.walk`, in another order and in half the time."""
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
    if AMBIGUOUS.search(source):
        return source
    parsed = _parsed(source)
    lines = [(line, number in parsed.in_strings) for number, line in enumerate(source.decode().split("\n"), start=1)]
    for start, start_column, end, end_column in sorted((*parsed.docstrings, *_comments(source)), reverse=True):
        head, tail = lines[start - 1][0].encode()[:start_column], lines[end - 1][0].encode()[end_column:]
        lines[start - 1 : end] = [((head + tail).decode(), lines[end - 1][1])]
    return "\n".join(line if whole else line.rstrip() for line, whole in lines if whole or line.strip()).encode()


def _comments(source: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Where they stand, as docstrings do."""
    if b"#" not in source:
        return
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            first = len(token.line[: token.start[1]].encode())
            yield line, first, line, first + len(token.string.encode())
