"""Requests to this machine itself, which must not go through a proxy."""

import os

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


def bypass_proxy() -> None:
    """Exclude this machine from the proxies in the environment, for this process and the processes that it starts."""
    for name in ("no_proxy", "NO_PROXY"):
        given = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(given + [host for host in LOOPBACK_HOSTS if host not in given])
