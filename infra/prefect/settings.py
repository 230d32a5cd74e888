"""Environment variables that a runner keeps from its start, so that later changes of them do not reach it.

They are Hallmark's own settings and the variables that a `location` in sources.yaml names. The latter are not known
when the runner starts, because the next run can have other governance files. Therefore a digest of every variable is
stored, and the relevant digests are compared later.
"""

import secrets
from collections.abc import Collection, Mapping

from tasks.core.documents.config import FrozenModel
from tasks.core.files import sha256_bytes
from tasks.supervise.settings import RUNNER_PREFIX, RUNNER_VARIABLES

RUNNER_VARIABLE_NAMES = tuple(variable.name for variable in RUNNER_VARIABLES)


class EnvironmentDigests(FrozenModel):
    """Names of the environment variables that were set, with a digest of each value.

    Values are not stored, because some are passwords.
    """

    salt: str = ""
    """Random text that is part of each digest.

    Equal values in two checkouts therefore have different digests, and no digest can be looked up in a precomputed
    table.
    """
    digests: dict[str, str] = {}

    @staticmethod
    def of_environment(environment: Mapping[str, str], salt: str | None = None) -> "EnvironmentDigests":
        salt = secrets.token_hex(16) if salt is None else salt
        return EnvironmentDigests(
            salt=salt, digests={name: _digest(salt, value) for name, value in sorted(environment.items())}
        )

    def differing_names(self, environment: Mapping[str, str], more_names: Collection[str] = ()) -> list[str]:
        """Return the names of the settings whose value in `environment` differs from the stored value.

        A setting also differs if it is set in only one of the two. `more_names` names further environment variables to
        compare.
        """
        here = EnvironmentDigests.of_environment(environment, self.salt).digests
        return sorted(
            name
            for name in here.keys() | self.digests.keys()
            if (name in RUNNER_VARIABLE_NAMES or name in more_names or name.startswith(RUNNER_PREFIX))
            and here.get(name) != self.digests.get(name)
        )


def _digest(salt: str, value: str) -> str:
    return sha256_bytes(f"{salt}{value}".encode(errors="surrogateescape"))
