"""Command `hallmark settings`, which lists the environment variables that Hallmark reads."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from infra.cli import shared
from infra.prefect import notify, server
from tasks.core.formatting import format_url
from tasks.supervise.settings import COMMAND_VARIABLES, RUNNER_PREFIX, RUNNER_VARIABLES, Variable

SECRET_NAME_PATTERN = re.compile(r"(?:KEY|TOKEN|SECRET|AUTH_STRING|PASSWORD)$")
"""End of the name of a variable whose value is a secret."""
USER_IN_URL_PATTERN = re.compile(r"(https?://)[^/@\s]+@")
MARKDOWN_LINK_PATTERN = re.compile(r"\[([^]]+)]\([^)]+\)")


class Setting(NamedTuple):
    variable: str
    value: str
    """Value as it is shown, without secrets. If the variable is not set, this is the default in words."""
    origin: str
    """`environment` or `default`."""
    differs_from_runner: bool
    """Whether the runner was started with another value."""
    meaning: str


def settings(as_json: shared.Json = False) -> None:
    """List every environment variable that Hallmark reads, with its value and where the value comes from.

    Secrets are not shown. The runner keeps its settings from its start; the command marks those that differ here.

    Example: hallmark settings
    """
    up = server.find(shared.checkout_root())
    differing = set(up.settings.differing_names(os.environ)) if up else set()
    listed = list(list_settings(os.environ, differing))
    if as_json:
        shared.print_json([each._asdict() for each in listed])
        return
    rows = [
        [each.variable, each.value, each.origin + ", not the runner's" * each.differs_from_runner] for each in listed
    ]
    shared.print_table(["variable", "value", "from"], rows, "")
    if differing:
        shared.console.print("\nThe runner was started with other values: `hallmark down`, then your command again.")


def list_settings(environment: Mapping[str, str], differing: set[str]) -> Iterator[Setting]:
    """Yield all settings. Those that libraries read for `s3://` locations are listed if they are set."""
    libraries = [
        Variable(name, "credentials and endpoint of s3:// locations")
        for name in sorted(environment)
        if name.startswith(RUNNER_PREFIX)
    ]
    for variable in (*RUNNER_VARIABLES, *libraries, *COMMAND_VARIABLES):
        given = environment.get(variable.name)
        yield Setting(
            variable.name,
            _plain_text(variable.default) if given is None else _shown_value(variable, given),
            "default" if given is None else "environment",
            variable.name in differing,
            _plain_text(variable.meaning),
        )


def _shown_value(variable: Variable, value: str) -> str:
    if SECRET_NAME_PATTERN.search(variable.name) and not variable.is_path:
        return "***"
    if variable.name == notify.DESTINATION_VARIABLE and "://" in value:
        return f"{urlsplit(value).scheme}://{urlsplit(value).hostname}/***"  # the path of a webhook is its secret
    return _without_user(format_url(value))


def _without_user(url: str) -> str:
    """Mask the user in the URL of a web server, which can be a token."""
    return USER_IN_URL_PATTERN.sub(r"\1***@", url)


def _plain_text(markdown: str) -> str:
    return MARKDOWN_LINK_PATTERN.sub(r"\1", markdown).replace("`", "")
