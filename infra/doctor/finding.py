"""Result of a diagnostic."""

from typing import NamedTuple


class Finding(NamedTuple):
    says: str
    """Description of the state that was found, in one line."""
    do: str = ""
    """Command or action that repairs the state; empty if there is nothing to repair."""
