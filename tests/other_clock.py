"""Processes with a wrong clock, by libfaketime; their waiting times are unchanged."""

from pathlib import Path

MISSING = "another clock needs libfaketime (apt install libfaketime)"


def ahead(seconds: int) -> dict[str, str]:
    """Return environment variables that set a process's clock ahead; empty if libfaketime is missing."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        return {}
    return {"LD_PRELOAD": str(library), "FAKETIME": f"+{seconds}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
