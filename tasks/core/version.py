"""Hallmark's own version. Hallmark stores it with its state, so that later versions can state it in error messages.

Every change to a stored format, or to the bytes that a digest covers, increases the second number and is described in
CHANGELOG.md.
"""

VERSION = "0.2.0"
UNKNOWN_VERSION = "0.1.0 or an earlier commit"
"""Text shown in messages about state without a version. 0.2.0 is the first version that stores its own number."""
OLDEST_RESUMABLE_VERSION = "0.2.0"
"""Oldest version whose runs this version can resume. In earlier versions the digest of a stage's code did not cover
docstrings, experiments shared the state of other runs, and a run request did not name an environment."""


def minor_version(version: object) -> tuple[int, int]:
    first, _, rest = str(version).partition(".")
    second = rest.partition(".")[0]
    return (int(first), int(second)) if first.isdecimal() and second.isdecimal() else (0, 0)
