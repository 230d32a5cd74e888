"""A place for heads, by the words that name it in HALLMARK_LEDGER_HEADS."""

import re
from pathlib import Path
from typing import Protocol

from tasks.errors import InputError

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


def named(words: str, checkout: Path, state: Path) -> list[Place]:
    """The places of a setting, by spaces. Raises InputError for what is none."""
    return [_place(word, checkout, state) for word in words.split()]


def filename(size: int) -> str:
    return f"{size:012d}.json"


def size_of(filename: str) -> int | None:
    """The size that a file's name tells; None where it is no head's."""
    matched = NAME.fullmatch(filename)
    return int(matched[1]) if matched else None


def _place(word: str, checkout: Path, state: Path) -> Place:
    from tasks.govern.ledger.places.folder import Folder
    from tasks.govern.ledger.places.git import Git
    from tasks.govern.ledger.places.s3 import S3

    if word.startswith("s3://"):
        if not re.fullmatch(r"s3://[^/]+(/.*)?", word):
            raise InputError(f"HALLMARK_LEDGER_HEADS: {word} names no bucket; expected s3://BUCKET/PREFIX")
        return S3(word.rstrip("/"))
    if "://" in word or word.endswith(".git") or re.match(r"[^/@]+@[^/:]+:", word):
        return Git(word, state / "heads")
    return Folder(checkout / Path(word).expanduser())
