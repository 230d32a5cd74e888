"""The settings in the environment that a runner keeps from its start, so that a later change does not reach it.

Besides Hallmark's own these are the variables that `location`s in sources.yaml name, which nobody knows beforehand: the
next run may have other governance files. So the digest of every variable is kept, and those that matter are compared.
"""

import secrets
from collections.abc import Collection, Mapping

from tasks.config import Frozen
from tasks.files import sha256_bytes

NAMES = (
    "HALLMARK_GIT_REMOTE",
    "HALLMARK_LEDGER_HEADS",
    "HALLMARK_LEDGER_URL",
    "HALLMARK_NOTIFY",
    "HALLMARK_ROOT_FINGERPRINT",
    "HALLMARK_VAULT_KEY",
    "HALLMARK_VAULT_URL",
    "HALLMARK_WORKERS",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_TRACKING_URI",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_API_URL",
    "RAY_ADDRESS",
    "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN",
    "RAY_AUTH_TOKEN_PATH",
)
PREFIX = "AWS_"


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
