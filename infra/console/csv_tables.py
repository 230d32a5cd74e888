"""Tables of a view, each of which can be downloaded as CSV.

A table is a field of a view, or of a document inside the view, that holds documents: in a list, in a dictionary, or in
lists in a dictionary. The keys of a dictionary become a column.
"""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from infra.console.views.signing_form import SigningForm

MAIN_TABLE = "rows"
KEY_COLUMN = "name"


def table_names(view_type: type[BaseModel]) -> list[str]:
    """Return the names of a view's tables, such as `rows` and `release.waivers`."""
    return [".".join(path) for path, _ in _table_fields(view_type)]


def column_names(view_type: type[BaseModel], table: str) -> list[str]:
    """Return the column names of a table: the fields of its documents, except fields that hold documents themselves."""
    (annotation,) = (each for path, each in _table_fields(view_type) if ".".join(path) == table)
    found = _line_type(annotation)
    assert found
    line, keyed = found
    return [KEY_COLUMN] * keyed + [
        name for name, field in line.model_fields.items() if not _holds_documents(field.annotation)
    ]


def table_rows(view: BaseModel, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table. Each row maps column names to JSON values.

    Fields of nested documents are named `document.field`. The list is empty if the view currently has no such table.
    """
    at: Any = view
    for name in table.split("."):
        at = getattr(at, name, None)
    keyed = at.items() if isinstance(at, dict) else ((None, each) for each in at or ())
    return [
        ({} if key is None else {KEY_COLUMN: key}) | dict(_flatten(each.model_dump(mode="json")))
        for key, found in keyed
        for each in (found if isinstance(found, list) else [found])
    ]


def _flatten(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the name and value of each column of a row. A list of documents does not fit, so its length is yielded."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            holds_documents = isinstance(value, list) and any(isinstance(each, dict | list) for each in value)
            yield prefix + name, len(value) if holds_documents else value


def _table_fields(view_type: type[BaseModel], parents: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, field in view_type.model_fields.items():
        annotation = _without_none(field.annotation)
        if _line_type(annotation):
            yield (*parents, name), annotation
        elif _is_document(annotation) and annotation is not SigningForm:  # a form to sign is not a table
            yield from _table_fields(annotation, (*parents, name))


def _line_type(annotation: Any) -> tuple[type[BaseModel], bool] | None:
    inside, keyed = annotation, get_origin(annotation) is dict
    if keyed:
        inside = get_args(inside)[1]
    if get_origin(inside) in (list, tuple):
        inside = get_args(inside)[0]
    elif not keyed:
        return None
    return (inside, keyed) if _is_document(inside) else None


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    rest = [each for each in get_args(annotation) if each is not NoneType]
    return rest[0] if len(rest) == 1 else annotation


def _is_document(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _holds_documents(annotation: Any) -> bool:
    return _is_document(annotation) or any(map(_holds_documents, get_args(annotation)))
