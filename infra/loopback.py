"""This machine as it is reached from itself: past any proxy."""

import os

NAMES = ("127.0.0.1", "localhost", "::1")


def ask_without_proxy() -> None:
    """Have this process and those that it starts ask this machine itself, whatever proxy the environment names."""
    for name in ("no_proxy", "NO_PROXY"):
        given = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(given + [host for host in NAMES if host not in given])
