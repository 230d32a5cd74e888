"""Environment variables in the locations of sources."""

import os
from collections.abc import Iterator

from tasks.core.errors import InputError


def fill_variables(location: str) -> str:
    """Replace `${NAME}` and `${NAME:-default}` in a location with values from the environment.

    Raises:
        InputError: A variable without a default is not set, or a `${` is not closed by `}`.
    """
    out = ""
    for before, name, default in split_location(location):
        value = "" if name is None else os.environ.get(name) or default
        if value is None:
            raise InputError(f"location {location!r}: environment variable {name} is not set; export it and try again")
        out += before + value
    return out


def split_location(location: str) -> Iterator[tuple[str, str | None, str | None]]:
    rest = location
    while "${" in rest:
        before, _, tail = rest.partition("${")
        inner, closed, rest = tail.partition("}")
        if not closed:
            raise InputError(f"location {location!r}: `${{` without `}}`")
        name, has_default, default = inner.partition(":-")
        yield before, name, default if has_default else None
    yield rest, None, None
