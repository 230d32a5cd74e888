"""Records as the table that expectations are about."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tasks.data.turns import prompt_text, target_text
from tasks.record import SCHEMA

if TYPE_CHECKING:
    import pandas as pd

LISTS = ("policy_tags", "subjects")


def to_frame(table: pa.Table, json_target: bool) -> "pd.DataFrame":
    """One row a record, with the columns that `tasks.govern.sources.Suite` promises.

    Lists are text joined by `;`, `messages` is JSON text, dates are `datetime.date`, which GE makes of a date in an
    expectation too. With `json_target` each field that any target has is a column `target.FIELD`, null where a target
    lacks it or is not a JSON object.
    """
    import pandas as pd

    records = table.to_pylist()
    columns: dict[str, Any] = {name: [record[name] for record in records] for name in SCHEMA.names}
    columns |= {name: [";".join(value or []) for value in columns[name]] for name in LISTS}
    columns["messages"] = [json.dumps(turns, ensure_ascii=False) for turns in columns["messages"]]
    prompts, targets = [prompt_text(record) for record in records], [target_text(record) for record in records]
    columns |= {"prompt": prompts, "target": targets}
    columns |= {"prompt_chars": [len(text) for text in prompts], "target_chars": [len(text) for text in targets]}
    return pd.DataFrame(columns | (_fields(targets) if json_target else {}))


def _fields(targets: Sequence[str]) -> dict[str, list[Any]]:
    objects = [_object(target) for target in targets]
    names = sorted({name for item in objects for name in item})
    return {f"target.{name}": [_scalar(item.get(name)) for item in objects] for name in names}


def _object(target: str) -> dict[str, Any]:
    try:
        value = json.loads(target)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _scalar(value: Any) -> Any:
    """Lists and objects cannot be compared or counted; their JSON can."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict | list) else value
