"""File names and bounds of signed heads. A name is the tree's size with leading zeros, so that names sort like heads.

Somebody else may write to the places where heads are published, so name and content of a file there are bounded.
"""

import re

FILE_NAME_PATTERN = re.compile(r"([0-9]{12,19})\.json")
"""Pattern of a head's file name. 19 digits suffice for 2**63 entries."""
MAX_HEAD_BYTES = 2**14
"""Maximum number of bytes of a signed head. The longest possible one, with 63 peaks, has about 7,000."""


def filename(size: int) -> str:
    return f"{size:012d}.json"


def parse_size(name: str) -> int | None:
    """Return the tree size in the file name of a head; None if it is another file name."""
    matched = FILE_NAME_PATTERN.fullmatch(name)
    return int(matched[1]) if matched and filename(int(matched[1])) == name else None
