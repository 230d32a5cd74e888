"""How the file of a signed head is named: for the tree's size, so that names in order are heads in order."""

import re

NAME = re.compile(r"(\d{12,})\.json")


def filename(size: int) -> str:
    return f"{size:012d}.json"


def size_of(filename: str) -> int | None:
    """The size that a file's name tells; None where it is no head's."""
    matched = NAME.fullmatch(filename)
    return int(matched[1]) if matched else None
