"""Hallmark's own version, which is stored in the state that it writes, for the error messages of later versions.

A change of a stored format, or of the bytes that a digest covers, raises the second number and is described in
CHANGELOG.md.
"""

VERSION = "0.2.0"
UNKNOWN_VERSION = "0.1.0 or an earlier commit"
"""Text for messages about state without a version: 0.2.0 is the first version that stores its own."""
OLDEST_RESUMABLE_VERSION = "0.2.0"
"""Oldest version whose runs this version can resume. In earlier ones the digest of a stage's code left out docstrings,
experiments shared the state of other runs, and a run request named no environment.
"""


def minor_version(version: object) -> tuple[int, int]:
    first, _, rest = str(version).partition(".")
    second = rest.partition(".")[0]
    return (int(first), int(second)) if first.isdecimal() and second.isdecimal() else (0, 0)
