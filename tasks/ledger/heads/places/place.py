"""Interface of places where heads are published. A head is one file (tasks/ledger/head_files.py)."""

from typing import Protocol


class HeadPlace(Protocol):
    """Place where signed heads are published. Every method raises Unavailable if the place cannot be reached."""

    @property
    def name(self) -> str:
        """Name of the place for messages. A password in the URL is left out."""

    def sizes(self) -> set[int]:
        """Return the tree sizes of all heads in this place."""

    def read(self, sizes: set[int]) -> dict[int, bytes]:
        """Return the files of the heads with these tree sizes, by size. Sizes without a head are left out.

        Other people may be able to write to the place. If a file is too long to be a head, at most MAX_HEAD_BYTES + 1
        bytes of it are returned, or none. `heads.parse_head` refuses both.
        """

    def add(self, heads: dict[int, bytes]) -> None:
        """Store heads, smallest first. A head is skipped if the place already has one of the same number of entries."""
