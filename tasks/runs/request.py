"""Parameters of a run request, before it is completed and signed (tasks/gates/signed_request.py)."""

import re
import secrets
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from tasks.core.documents.config import MAX_REASON_CHARS, FrozenModel
from tasks.core.errors import InputError
from tasks.core.params.values import Name
from tasks.gates.signed_request import RUN_ID, RunId, SignedRunRequest, WithRequesters
from tasks.policy.policy import SCHEDULER

NO_RUN_MESSAGE = "there is no run {!r} here; `hallmark runs list` lists the runs"


def checked_run_id(given: str) -> str:
    """Return `given` if it is a valid run id; ids become parts of paths.

    Raises:
        InputError: `given` is not a valid run id.
    """
    if not is_run_id(given):
        raise InputError(NO_RUN_MESSAGE.format(given))
    return given


def is_run_id(given: str) -> bool:
    return re.fullmatch(RUN_ID, given) is not None


def new_run_id() -> str:
    """Return a new run id such as 20260303-120000-a1b2, which sorts by time and is unique enough for one checkout."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def derived_run_id(created: datetime, unique: str) -> str:
    """Return the id of a run that was requested without one; equal arguments give equal ids.

    `unique` is the hexadecimal id of the flow run. Its end is used, because ids made from the time begin alike, and
    more of it than the four digits of a person's run, because a schedule creates many runs at once.
    """
    return f"{created.astimezone(UTC):%Y%m%d-%H%M%S}-{unique[-8:]}"


class RunRequest(FrozenModel, WithRequesters):
    """Parameters of the flow `retrain`; Prefect makes its form from this schema."""

    requested_by: Name = SCHEDULER
    """Leave this unchanged. A person requests a run with `hallmark run --as ID`, which signs the request; the requester
    may not decide at the run's gates."""
    run_id: RunId | None = None
    """Name of the run's worktree and of its ref refs/hallmark/runs/ID; a second request with the same id continues the
    run. Null: the id is derived from the flow run. No id is generated as default, because Prefect evaluates the
    parameters at every start of a flow run, and a suspended run would continue under another id."""
    commit: str | None = None
    """Git commit whose code runs; null: HEAD of the checkout."""
    params: str = "params.yaml"
    """Params file of the use case; a relative path starts at the top folder of the run's commit."""
    governance: str | None = None
    """Governance files to use in place of infra/governance; allowed in environment `local` only."""
    changes: dict[str, str] = {}
    """Overrides of single parameters: dotted key to YAML value, for example {"training.lora_rank": "32"}."""
    demo_approvals: bool = False
    """Whether demo identities decide at once; everything that the run makes says so."""
    reason: Annotated[str, Field(max_length=MAX_REASON_CHARS)] | None = None
    """Reason for the run, in words; schedules and triggers fill it in."""
    initiated_by: list[Name] = []
    """Leave this unchanged. Schedules and triggers name the people who declared them, who may not decide at the run's
    gates."""

    @property
    def known_run_id(self) -> str:
        assert self.run_id is not None, "the flow names a run before anything of it is made"
        return self.run_id

    @staticmethod
    def from_signed(request: SignedRunRequest) -> "RunRequest":
        return RunRequest(**request.model_dump(include=set(RunRequest.model_fields)))
