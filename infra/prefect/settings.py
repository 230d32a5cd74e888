"""The settings in the environment that a runner keeps from its start, so that a later change does not reach it.

Besides Hallmark's own these are the variables that `location`s in sources.yaml name, which nobody knows beforehand: the
next run may have other governance files. So the digest of every variable is kept, and those that matter are compared.
"""

import secrets
from collections.abc import Collection, Mapping

from infra.prefect import variables
from infra.prefect.variables import PREFIX
from tasks.core.config import Frozen
from tasks.core.files import sha256_bytes

NAMES = tuple(variable.name for variable in variables.KEPT)


class Settings(Frozen):
    """Which variables were set and a digest of each value, never the value: some are passwords."""

    salt: str = ""
    """So that equal values of two checkouts do not show as equal, and none is found in a table of digests."""
    digests: dict[str, str] = {}

    @staticmethod
    def of(environment: Mapping[str, str], salt: str | None = None) -> "Settings":
        salt = secrets.token_hex(16) if salt is None else salt
        return Settings(salt=salt, digests={name: _digest(salt, value) for name, value in sorted(environment.items())})

    def differ(self, environment: Mapping[str, str], also: Collection[str] = ()) -> list[str]:
        """Names of the settings that are set otherwise in `environment`, or in one of the two alone; `also` are names
        of more variables to compare."""
        here = Settings.of(environment, self.salt).digests
        return sorted(
            name
            for name in here.keys() | self.digests.keys()
            if (name in NAMES or name in also or name.startswith(PREFIX)) and here.get(name) != self.digests.get(name)
        )


def _digest(salt: str, value: str) -> str:
    return sha256_bytes(f"{salt}{value}".encode(errors="surrogateescape"))
