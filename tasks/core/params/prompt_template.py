"""Template of a prompt: text with named fields of a record, such as `Department {department}: {prompt}`.

A template is parsed by hand rather than with `str.format`, which would also read attributes and items of its values.
The texts of records are inserted unchanged, so braces in them have no effect.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

PROMPT_FIELD = "prompt"
"""Field with the text of the last turn before the target. Every template contains it exactly once."""
RECORD_FIELDS = ("language", "department", "geography")
"""Fields of a record that a template can contain besides the prompt."""
MAX_TEMPLATE_CHARS = 10_000
MISSING_VALUES = ("", "und")
"""Values of a record's field that mean that the source states none."""
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class Piece(NamedTuple):
    text: str
    field: str = ""
    """Name of the field that follows the text; empty at the end of the template."""


@lru_cache(maxsize=256)
def parse_template(template: str) -> tuple[Piece, ...]:
    """Split a template into texts and fields.

    Raises:
        ValueError: A brace has no counterpart, a field is unknown, or the prompt does not occur exactly once.
    """
    pieces, text, position = [], "", 0
    for match in _PIECE.finditer(template):
        text += template[position : match.start()]
        position = match.end()
        if match[0] in ("{{", "}}"):
            text += match[0][0]
            continue
        if match[1] is None:
            raise ValueError(f"expected {{{{ or }}}} for a brace, got a single {match[0]} at character {match.start()}")
        if match[1] not in (PROMPT_FIELD, *RECORD_FIELDS):
            raise ValueError(
                f"there is no field {match[1]!r}; expected {', '.join((PROMPT_FIELD, *RECORD_FIELDS))} in braces"
            )
        pieces.append(Piece(text, match[1]))
        text = ""
    found = sum(piece.field == PROMPT_FIELD for piece in pieces)
    if found != 1:
        raise ValueError(f"expected {{{PROMPT_FIELD}}} once, got it {found} times")
    return (*pieces, Piece(text + template[position:]))


def template_fields(template: str) -> list[str]:
    """Return the fields of a record that a template contains, besides the prompt."""
    return sorted({piece.field for piece in parse_template(template)} & set(RECORD_FIELDS))


def missing_fields(template: str, record: Mapping[str, object]) -> list[str]:
    """Return the fields of a template for which a record has no value."""
    return [name for name in template_fields(template) if record[name] in MISSING_VALUES]


def render_template(template: str, values: Mapping[str, str]) -> str:
    """Return the text of a template with its fields replaced by values."""
    return "".join(piece.text + (values[piece.field] if piece.field else "") for piece in parse_template(template))
