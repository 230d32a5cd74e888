"""Result of a diagnostic."""

from typing import NamedTuple


class Finding(NamedTuple):
    state: str
    """One-line description of the state that was found."""
    remedy: str = ""
    """Command or action that repairs the state; empty if there is nothing to repair."""
