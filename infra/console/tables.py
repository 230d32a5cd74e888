"""The tables that a view holds: its fields of many lines. Each is a CSV.

A field of a view is a table where it holds documents in a list, in a dictionary, or in lists in a dictionary; a field
of a document in the view as well. Keys of a dictionary become a column of their own.
"""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from infra.console.views.asked import Asked

ROWS = "rows"
"""The field of a view that is a list above all."""
KEY = "name"
"""The column for keys."""


def of(kind: type[BaseModel]) -> list[str]:
    """The names of a view's tables, such as `rows` and `release.waivers`."""
    return [".".join(path) for path, _ in _found(kind)]


def columns(kind: type[BaseModel], table: str) -> list[str]:
    """What every line of a table says: its fields, but for those that hold documents."""
    (annotation,) = (each for path, each in _found(kind) if ".".join(path) == table)
    found = _line(annotation)
    assert found
    line, keyed = found
    return [KEY] * keyed + [name for name, field in line.model_fields.items() if not _holds_documents(field.annotation)]


def lines(view: BaseModel, table: str) -> list[dict[str, Any]]:
    """The lines as JSON has them, with the fields of a document inside as `document.field`. None where the view has no
    such table now."""
    at: Any = view
    for name in table.split("."):
        at = getattr(at, name, None)
    keyed = at.items() if isinstance(at, dict) else ((None, each) for each in at or ())
    return [
        ({} if key is None else {KEY: key}) | dict(_flat(each.model_dump(mode="json")))
        for key, found in keyed
        for each in (found if isinstance(found, list) else [found])
    ]


def _flat(said: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Without lists of documents, which have no place in one line."""
    for name, value in said.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        elif not (isinstance(value, list) and any(isinstance(each, dict | list) for each in value)):
            yield above + name, value


def _found(kind: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, field in kind.model_fields.items():
        annotation = _certain(field.annotation)
        if _line(annotation):
            yield (*above, name), annotation
        elif _is_document(annotation) and annotation is not Asked:  # what a browser signs is no table
            yield from _found(annotation, (*above, name))


def _line(annotation: Any) -> tuple[type[BaseModel], bool] | None:
    """The documents in a list or a dictionary, and whether they have keys; None of a field that is no table."""
    inside, keyed = annotation, get_origin(annotation) is dict
    if keyed:
        inside = get_args(inside)[1]
    if get_origin(inside) in (list, tuple):
        inside = get_args(inside)[0]
    elif not keyed:
        return None
    return (inside, keyed) if _is_document(inside) else None


def _certain(annotation: Any) -> Any:
    """Without `None`."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    rest = [each for each in get_args(annotation) if each is not NoneType]
    return rest[0] if len(rest) == 1 else annotation


def _is_document(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _holds_documents(annotation: Any) -> bool:
    return _is_document(annotation) or any(map(_holds_documents, get_args(annotation)))
