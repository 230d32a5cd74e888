"""File names of signed heads: the tree's size with leading zeros, so that names sort like heads."""

import re

FILE_NAME_PATTERN = re.compile(r"(\d{12,})\.json")


def filename(size: int) -> str:
    return f"{size:012d}.json"


def parse_size(filename: str) -> int | None:
    """Return the tree size in a file name; None if it is not the name of a head."""
    matched = FILE_NAME_PATTERN.fullmatch(filename)
    return int(matched[1]) if matched else None
