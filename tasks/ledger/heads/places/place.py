"""What a place for heads can do. A head is a file there (`tasks.ledger.head_files`)."""

from typing import Protocol


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
