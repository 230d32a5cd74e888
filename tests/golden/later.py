"""What a later version may have that this one does not, played in process: a field, a column."""

import typing
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sqlalchemy import text
from sqlalchemy.engine import Connection

from tasks.core.databases.migrations import Schema
from tasks.core.documents.config import FrozenModel
from tasks.ledger import proof
from tasks.policy import adoption_entries

Model = type[BaseModel]


def below(kind: Model) -> list[Model]:
    return [one for each in kind.__subclasses__() for one in (each, *below(each))]


def within(form: Any) -> set[Model]:
    """The models that an annotation names, and those inside them."""
    if not isinstance(form, type):
        return set[Model]().union(*map(within, typing.get_args(form)))
    if not issubclass(form, FrozenModel):
        return set()
    return {form, *(one for field in form.model_fields.values() for one in within(field.annotation))}


@contextmanager
def one_field_more(kinds: Collection[Model]) -> Iterator[None]:
    """Schemas as a later version might have them, with a field that may be left out."""
    affected = [kind for kind in below(FrozenModel) if within(kind) & set(kinds)]
    affected.sort(key=lambda kind: len(within(kind)))  # what is inside first
    for kind in kinds:
        kind.__pydantic_fields__["added_later"] = FieldInfo.from_annotation(str | None)  # type: ignore[arg-type]
        kind.__pydantic_fields__["added_later"].default = None
    _rebuild(affected)
    try:
        yield
    finally:
        for kind in kinds:
            kind.__pydantic_fields__.pop("added_later", None)
        _rebuild(affected)


def _rebuild(kinds: list[Model]) -> None:
    for kind in kinds:
        kind.model_rebuild(force=True)
    proof._PROOF.rebuild(force=True)
    adoption_entries._verify_rows.cache_clear()  # another version is another process


@contextmanager
def one_column_more(module: Any, table: str) -> Iterator[None]:
    """A database's schema as a later version might have it, in a step that follows those there are."""
    schema: Schema = module.SCHEMA

    def step(connection: Connection) -> None:
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN added_later TEXT"))

    def make(connection: Connection) -> None:
        schema.create_tables(connection)
        step(connection)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "SCHEMA", Schema(schema.name, schema.tables, make, (*schema.migration_steps, step)))
        yield
