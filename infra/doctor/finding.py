"""What a look at a checkout found."""

from typing import NamedTuple


class Finding(NamedTuple):
    says: str
    """What is so, in a line."""
    do: str = ""
    """What a person types or does about it; empty where all is well."""
