"""Environment variables with the addresses of Hallmark's Postgres databases, and which addresses must be encrypted."""

import ipaddress
import os

from tasks.core.errors import InputError

LEDGER_URL_VARIABLE = "HALLMARK_LEDGER_URL"
VAULT_URL_VARIABLE = "HALLMARK_VAULT_URL"
ENCRYPTING_MODES = ("require", "verify-ca", "verify-full")
"""Values of `sslmode` with which a connection is encrypted or refused."""


def require_encrypted_connections() -> None:
    """Verify that a connection to a database on another machine cannot be plain text.

    Raises:
        InputError: The address of a database allows it. The message contains no password.
    """
    for variable in (LEDGER_URL_VARIABLE, VAULT_URL_VARIABLE):
        if (configured := os.environ.get(variable)) and _may_be_plain_text(configured, variable):
            raise InputError(
                f"{variable}: outside environment local, a connection to a database on another machine is encrypted; "
                "expected ?sslmode=verify-full&sslrootcert=FILE at the end of the address, where FILE has the "
                "certificate of the authority that certified the server (docs/guides/platform-engineer.md)"
            )


def _may_be_plain_text(configured: str, variable: str) -> bool:
    from tasks.core.databases.database import parse_postgres_url

    url = parse_postgres_url(configured, variable)
    return (
        "unix_sock" not in url.query
        and not is_this_machine(url.host)
        and url.query.get("sslmode") not in ENCRYPTING_MODES
    )


def is_this_machine(host: str | None) -> bool:
    """Return whether a host is this machine, without asking for addresses of names."""
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:  # a name
        return False
