"""Result of a diagnostic."""

from typing import NamedTuple


class Finding(NamedTuple):
    state: str
    """Description of the state that was found, in one line."""
    remedy: str = ""
    """Command or action that repairs the state; empty if there is nothing to repair."""
