"""What somebody asks for, before it is signed (tasks/gates/signed_request.py)."""

import re
import secrets
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from tasks.core.config import MOST_REASON, Frozen
from tasks.core.errors import InputError
from tasks.core.params.values import Name
from tasks.gates.signed_request import RUN_ID, Request, RunId, WithAskers
from tasks.policy.policy import SCHEDULER

NO_RUN = "there is no run {!r} here; `hallmark status` lists the runs"


def checked_run_id(given: str) -> str:
    """`given`, where it is a run's id; paths are made of it. Raises InputError for anything else."""
    if not is_run_id(given):
        raise InputError(NO_RUN.format(given))
    return given


def is_run_id(given: str) -> bool:
    return re.fullmatch(RUN_ID, given) is not None


def new_run_id() -> str:
    """For example 20260303-120000-a1b2: sorts by time, unique enough for one checkout."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def derived_run_id(created: datetime, unique: str) -> str:
    """The id of a run that nobody named: the same each time it is derived, whoever derives it.

    `unique` is the hexadecimal id of what executes it. Ids made by time begin alike, so its end is taken; and more of
    it than a person's run has, because a schedule creates many at once.
    """
    return f"{created.astimezone(UTC):%Y%m%d-%H%M%S}-{unique[-8:]}"


class RunRequest(Frozen, WithAskers):
    """The parameters of the retrain flow; Prefect draws its form from this schema."""

    requested_by: Name = SCHEDULER
    """Leave it as it is. A person asks with `hallmark run --as ID`, which signs; they may not decide on the run's
    gates."""
    run_id: RunId | None = None
    """Names the worktree and the ref refs/hallmark/runs/ID; asking again with the same id goes on where it was. None:
    the flow run that executes it names it. No default is drawn here, because Prefect reads the parameters anew each
    time a flow run starts, and a run that was parked would wake up as another."""
    commit: str | None = None
    """Git commit whose code runs; none: the checkout's HEAD."""
    params: str = "params.yaml"
    """Params file of the use case; a relative path starts at the run's commit."""
    governance: str | None = None
    """Other governance files than the checkout's infra/governance; counts in environment `local` only."""
    changes: dict[str, str] = {}
    """Overrides of single parameters: dotted key to YAML value, e.g. {"training.lora_rank": "32"}."""
    demo_approvals: bool = False
    """Demo identities decide at once; written on everything the run makes."""
    reason: Annotated[str, Field(max_length=MOST_REASON)] | None = None
    """Why the run is asked for, in words. Schedules and triggers give theirs."""
    initiated_by: list[Name] = []
    """Leave it as it is. Schedules and triggers say who declared them; they may not decide on the run's gates."""

    @property
    def named(self) -> str:
        """The run's id, once it has one."""
        assert self.run_id is not None, "the flow names a run before anything of it is made"
        return self.run_id

    @staticmethod
    def of(request: Request) -> "RunRequest":
        """What was asked for, of a request that was signed."""
        return RunRequest(**request.model_dump(include=set(RunRequest.model_fields)))
