"""One row of a source, read again: from the very content that a run pinned, or not at all."""

import json
from typing import Any

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.sources.sources import ResolvedSource
from tasks.stages.data.json_text import DEEPEST, is_deep
from tasks.stages.data.readers import content
from tasks.stages.data.readers.kinds import READERS
from tasks.stages.data.readers.rows import Malformed, Row
from tasks.stages.data.text import SURROGATES


def read(resolved: ResolvedSource, number: int, layout: Layout) -> Row | Malformed:
    """The row with this number; what stands behind it is not read.

    Raises InputError where the source no longer has what was pinned, Unavailable where it is out of reach.
    """
    source = resolved.source
    try:
        with content.read(resolved, layout.root) as pinned:
            rows = READERS[source.kind](pinned.file, source)
            return next(item for item in rows if item.number == number)
    except InputError as error:
        raise InputError(
            f"row {number} of source {source.id} can no longer be shown: that takes the content that run "
            f"{layout.root.name} pinned, SHA-256 {resolved.sha256} ({resolved.bytes:,} bytes). {error}"
        ) from None


def spelled(values: dict[str, Any]) -> dict[str, str | None]:
    """Columns and values as text: as the source has it, or as JSON where it is not text."""
    return {_characters(name): None if value is None else _characters(_text(value)) for name, value in values.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if is_deep(value):
        return f"<lists and objects in more than {DEEPEST} others>"
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, bool | list | dict) else str(value)


def _characters(text: str) -> str:
    """With bytes that are no character, and halves of one, spelled out: no document in UTF-8 can hold them."""
    return SURROGATES.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)
