"""Processes whose clock is wrong, by libfaketime; what they wait for takes as long as it does."""

from pathlib import Path

MISSING = "another clock needs libfaketime (apt install libfaketime)"


def ahead(seconds: int) -> dict[str, str]:
    """Variables of a process whose clock is so far ahead; none where the library is missing."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        return {}
    return {"LD_PRELOAD": str(library), "FAKETIME": f"+{seconds}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
