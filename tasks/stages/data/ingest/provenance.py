"""Provenance of a synthetic row: its generator, its prompt and its parents, and the rules that reject it without."""

import re
from collections import Counter
from typing import Any, NamedTuple

from tasks.core import json_text
from tasks.sources.sources import Source
from tasks.stages.data.ingest.mapping import RejectedRow, map_text
from tasks.stages.data.text import is_blank

GENERATOR_SIGNS = ". , : ; / @ + ( ) = # & ~ -"
"""Signs in the name of a generator, beside letters, digits, spaces and _. None has a meaning on pages or terminals."""
GENERATOR = re.compile(rf"[\w(][\w {re.escape(GENERATOR_SIGNS.replace(' ', ''))}]{{0,199}}")
"""Form of a generator's name and version."""
MAX_PROMPT_CHARACTERS = 20_000
"""Maximum length of a prompt that is stored with each of its records. Of a longer one, the digest says enough."""
PROMPT_DIGEST = re.compile("(?:sha256:)?[0-9a-f]{64}", re.IGNORECASE)
"""Form of a prompt's SHA-256, in which no personal data is looked for."""
MAX_PARENTS = 1_000
ROW_REFERENCE = re.compile(r"([a-z0-9][a-z0-9_-]*):([1-9][0-9]{0,17})", re.ASCII)
RECORD_ID = re.compile("[0-9a-f]{32}")


class Provenance(NamedTuple):
    generator: str
    prompt: str
    """Prompt of the generator as text, or its SHA-256 in hex."""
    parents: list[str]
    """References to the parents, as the row has them: SOURCE:ROW or record ids."""


def map_provenance(row: dict[str, Any], source: Source) -> Provenance:
    """Return the provenance of a synthetic row.

    Raises:
        RejectedRow: The row does not say its generator or prompt, or a reference to a parent is not valid.
    """
    generator = _mapped_or_constant(row, source, "generator")
    if not GENERATOR.fullmatch(generator):
        reason = (
            "is synthetic and does not name its generator: a model or script and its version, at most 200 letters, "
            f"digits and {GENERATOR_SIGNS}"
        )
        raise RejectedRow("no_generator", reason)
    prompt = _mapped_or_constant(row, source, "generator_prompt")
    if not 0 < len(prompt) <= MAX_PROMPT_CHARACTERS:
        reason = (
            f"is synthetic and does not give its generator's prompt: a text of at most {MAX_PROMPT_CHARACTERS:,} "
            "characters, or its SHA-256 in hex"
        )
        raise RejectedRow("no_generator_prompt", reason)
    return Provenance(generator, prompt, _parse_parents(row, source))


def _mapped_or_constant(row: dict[str, Any], source: Source, name: str) -> str:
    column = getattr(source.mapping, name)
    text = map_text(row.get(column), column, Counter()) if column is not None else ""
    return (getattr(source.constants, name) or "" if is_blank(text) else text).strip()


def _parse_parents(row: dict[str, Any], source: Source) -> list[str]:
    column = source.mapping.parents
    references = _split_references(row.get(column) if column is not None else None)
    well_formed = all(ROW_REFERENCE.fullmatch(each) or RECORD_ID.fullmatch(each) for each in references)
    if not well_formed or len(references) > MAX_PARENTS:
        reason = f"column {column!r}: expected at most {MAX_PARENTS:,} parents, each SOURCE:ROW or the id of a record"
        raise RejectedRow("bad_parents", reason)
    return references


def _split_references(value: Any) -> list[str]:
    """Return the different references of a value. One that is no text is returned as an empty text, which is invalid.

    Only null, an empty text and an empty list mean that there are no parents: any other value was meant to name some.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json_text.parse_shallow(value)
        except ValueError:
            return [""]
    if isinstance(value, str):
        value = [part for part in value.split(";") if part.strip()]
    if value is None:
        return []
    if not isinstance(value, list):
        return [""]
    return list(dict.fromkeys(part.strip() if isinstance(part, str) else "" for part in value))
