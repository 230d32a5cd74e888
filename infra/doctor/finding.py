"""Result of a diagnostic."""

from typing import NamedTuple


class Finding(NamedTuple):
    state: str
    """Description, in one line, of the state that was found."""
    remedy: str = ""
    """Command or action that repairs the state; empty if there is nothing to repair."""
