"""Options in the query of a Postgres URL, by the names that libpq and its tools use, as arguments of the driver pg8000.

See "Parameter Key Words" and "SSL Support" in the PostgreSQL documentation of libpq.
"""

import ssl
from collections.abc import Mapping
from typing import Any

SSL_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
OPTIONS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "application_name", "unix_sock")
"""Options that a URL can have. All but `unix_sock`, the path of a socket, are libpq's."""


def connect_arguments(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the driver's arguments for the options in a URL.

    Raises:
        ValueError: An option is unknown or has an invalid value. The message does not contain values of unknown
            options, because these can be passwords.
    """
    if unknown := sorted(set(query) - set(OPTIONS)):
        raise ValueError(
            f"unknown option {unknown[0]}; expected one of {', '.join(OPTIONS)}. User and password stand before the @"
        )
    options = {name: str(value) for name, value in query.items()}
    arguments: dict[str, Any] = {"ssl_context": _ssl_context(options)}
    if "connect_timeout" in options:
        if not options["connect_timeout"].isdecimal() or int(options["connect_timeout"]) < 1:
            raise ValueError(f"connect_timeout: expected a whole number of seconds, got {options['connect_timeout']!r}")
        arguments["timeout"] = int(options["connect_timeout"])
    return arguments | {name: options[name] for name in ("application_name", "unix_sock") if name in options}


def _ssl_context(options: Mapping[str, str]) -> ssl.SSLContext | bool | None:
    """Return the TLS settings for pg8000: False for no TLS, None for TLS if the server has it, or a context.

    As with libpq, `require` verifies the server's certificate only if `sslrootcert` is given.
    """
    mode = options.get("sslmode", "prefer")
    if mode not in SSL_MODES:
        raise ValueError(f"sslmode: expected one of {', '.join(SSL_MODES)}, got {mode!r}")
    if mode in ("disable", "prefer"):
        if given := [name for name in ("sslrootcert", "sslcert", "sslkey") if name in options]:
            raise ValueError(f"{given[0]} has no effect with sslmode {mode}; set sslmode=verify-full")
        return False if mode == "disable" else None
    roots = options.get("sslrootcert", "system" if mode.startswith("verify") else "")
    if roots == "system" and mode != "verify-full":
        raise ValueError(f"sslmode {mode} needs sslrootcert=FILE: any public authority could certify another server")
    try:
        context = ssl.create_default_context(cafile=None if roots in ("", "system") else roots)
        if "sslcert" in options:
            # An encrypted key is refused, rather than its passphrase asked for at a terminal.
            context.load_cert_chain(options["sslcert"], options.get("sslkey"), password=lambda: "")
    except OSError as error:
        raise ValueError(f"sslrootcert, sslcert or sslkey cannot be read ({error.strerror or error})") from None
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if roots else ssl.CERT_NONE
    return context
