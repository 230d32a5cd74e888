"""A row of a source, read again from exactly the content that a run pinned."""

import json
from typing import Any

from tasks.core.errors import InputError
from tasks.core.json_text import MAX_DEPTH, SURROGATE_PATTERN, exceeds_max_depth
from tasks.core.layout import Layout
from tasks.sources.resolved_sources import ResolvedSource
from tasks.stages.data.readers import content
from tasks.stages.data.readers.kinds import read_rows
from tasks.stages.data.readers.rows import MalformedRow, Row


def read_row(resolved: ResolvedSource, row_number: int, layout: Layout) -> Row | MalformedRow:
    """Return the row with the given number. Rows after it are not read.

    Raises:
        InputError: The source no longer has the pinned content.
        Unavailable: The source cannot be reached.
    """
    source = resolved.source
    try:
        with content.open_pinned_content(resolved, layout.root) as pinned:
            rows = read_rows(pinned.file, source, pinned.scratch)
            return next(item for item in rows if item.number == row_number)
    except InputError as error:
        raise InputError(
            f"row {row_number} of source {source.id} can no longer be shown: that takes the content that run "
            f"{layout.root.name} pinned, SHA-256 {resolved.sha256} ({resolved.bytes:,} bytes). {error}"
        ) from None


def format_values(values: dict[str, Any]) -> dict[str, str | None]:
    return {
        _escape_unencodable(name): None if value is None else _escape_unencodable(_format_value(value))
        for name, value in values.items()
    }


def _format_value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if exceeds_max_depth(value):
        return f"<lists and objects in more than {MAX_DEPTH} others>"
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, bool | list | dict) else str(value)


def _escape_unencodable(text: str) -> str:
    """Replace undecoded bytes and lone surrogates by their code points, because UTF-8 cannot encode them."""
    return SURROGATE_PATTERN.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)
