"""What a place for heads can do, and how it names them."""

import re
from typing import Protocol

NAME = re.compile(r"(\d{12,})\.json")
"""A head's file is named for the tree's size, so that names in order are heads in order."""


class Place(Protocol):
    """Every method raises Unavailable where the place is away."""

    @property
    def name(self) -> str:
        """As it is told to people: no password in it."""

    def sizes(self) -> set[int]:
        """Sizes of the trees whose heads are here."""

    def read(self, sizes: set[int]) -> dict[int, bytes]:
        """The heads of these sizes, as they were added; those that are here."""

    def add(self, heads: dict[int, bytes]) -> None:
        """Keep heads of sizes that are not here yet, in order. Never writes over one that is."""


def filename(size: int) -> str:
    return f"{size:012d}.json"


def size_of(filename: str) -> int | None:
    """The size that a file's name tells; None where it is no head's."""
    matched = NAME.fullmatch(filename)
    return int(matched[1]) if matched else None
