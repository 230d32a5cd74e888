"""Interface of places where heads are published. A head is one file (tasks/ledger/head_files.py)."""

from typing import Protocol


class HeadPlace(Protocol):
    """Place where heads are published. Every method raises Unavailable if the place cannot be reached."""

    @property
    def name(self) -> str:
        """Name for messages, without a password."""

    def sizes(self) -> set[int]:
        """Return the tree sizes of all heads in this place."""

    def read(self, sizes: set[int]) -> dict[int, bytes]:
        """Return the files of the heads with these sizes. Sizes without a head are left out.

        Other people may write to the place. Of a file that cannot be a head, at most MAX_HEAD_BYTES + 1 bytes are
        returned, or none; `heads.parse` refuses both.
        """

    def add(self, heads: dict[int, bytes]) -> None:
        """Store heads in order of their sizes. A head is not stored if the place has one of that size already."""
