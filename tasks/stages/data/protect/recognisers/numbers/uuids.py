"""Universally unique identifiers (RFC 9562), which name requests and records and are no numbers of a person."""

import re

UUID = re.compile(r"(?i)(?<![\w-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])")


def is_in_uuid(text: str, start: int) -> bool:
    """Return whether the character at `start` belongs to a UUID."""
    return any(m.start() <= start < m.end() for m in UUID.finditer(text, max(0, start - 36), start + 36))
