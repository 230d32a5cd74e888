"""Docstrings of the fields of pydantic models, parsed from the models' source code when a JSON schema is generated.

Pydantic's own `use_attribute_docstrings` parses the source code of every class at import. That would add a quarter of a
second to each command, although most commands generate no schema.
"""

import ast
import inspect
import itertools
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def field_docstrings(model_class: type) -> dict[str, str]:
    """Return the docstrings of a class's fields by field name, including inherited fields.

    If a subclass redeclares a field, only the docstring in the subclass counts.
    """
    found: dict[str, str] = {}
    for part in reversed(model_class.__mro__):
        if declared := inspect.get_annotations(part):
            found = {name: text for name, text in found.items() if name not in declared}
            found |= _module_field_docstrings(part.__module__).get(part.__qualname__, {})
    return found


@cache
def _module_field_docstrings(name: str) -> dict[str, dict[str, str]]:
    file = getattr(sys.modules.get(name), "__file__", None)
    if not file or not Path(file).is_file():
        return {}
    return dict(_class_docstrings(ast.parse(Path(file).read_bytes()), ""))


def _class_docstrings(node: ast.AST, name_prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield f"{name_prefix}{child.name}", dict(_field_docstrings(child))
            yield from _class_docstrings(child, f"{name_prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _class_docstrings(child, f"{name_prefix}{child.name}.<locals>.")
        else:
            yield from _class_docstrings(child, name_prefix)


def _field_docstrings(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in itertools.pairwise(node.body):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(docstring))),
            ):
                yield name, inspect.cleandoc(docstring)
