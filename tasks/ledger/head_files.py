"""File names and size limits of signed heads. A name is the tree's size with leading zeros, so names sort by size.

Other people may be able to write to the places where heads are published, so the names and sizes of files there are
limited.
"""

import re

FILE_NAME_PATTERN = re.compile(r"([0-9]{12,19})\.json")
"""Pattern of a signed head's file name. 19 digits suffice for 2**63 entries."""
MAX_HEAD_BYTES = 2**14
"""Maximum size of a signed head in bytes. The longest possible head, with 63 subtree roots, has about 7,000 bytes."""


def head_filename(size: int) -> str:
    return f"{size:012d}.json"


def parse_tree_size(name: str) -> int | None:
    """Return the tree size that a head's file name states, or None if it is not the name of a head's file."""
    matched = FILE_NAME_PATTERN.fullmatch(name)
    return int(matched[1]) if matched and head_filename(int(matched[1])) == name else None
