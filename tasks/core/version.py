"""Hallmark's own version, which it stores where it writes state, so that a later version can name who wrote it.

A change of a stored format, or of what a digest is over, raises the second number, and CHANGELOG.md says what changed.
"""

HALLMARK = "0.2.0"
UNNAMED = "0.1.0 or an earlier commit"
"""Who wrote what names no version: 0.2.0 is the first that stores its own."""
GOES_ON_WITH_RUNS_SINCE = "0.2.0"
"""Since then the digest of a stage's code is over its bytes, an experiment's world is its own, and a request names its
environment: a run that an earlier version began is other work."""


def series(version: object) -> tuple[int, int]:
    """The first two numbers of a version; zeros if it is none."""
    first, _, rest = str(version).partition(".")
    second = rest.partition(".")[0]
    return (int(first), int(second)) if first.isdecimal() and second.isdecimal() else (0, 0)
