"""Parameters of a run request, before it is completed and signed (tasks/gates/signed_request.py)."""

import re
import secrets
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from tasks.core.documents.config import MAX_REASON_CHARS, FrozenModel
from tasks.core.errors import InputError
from tasks.core.params.values import Name
from tasks.gates.signed_request import RUN_ID, RequestersMixin, RunId, SignedRunRequest
from tasks.policy.tier import SCHEDULER

NO_RUN_MESSAGE = "there is no run {!r} here; `hallmark runs list` lists the runs"


def require_run_id(run_id: str) -> str:
    """Return `run_id` if it is a valid run id. Ids are checked because they become parts of file paths.

    Raises:
        InputError: `run_id` is not a valid run id.
    """
    if not is_run_id(run_id):
        raise InputError(NO_RUN_MESSAGE.format(run_id))
    return run_id


def is_run_id(value: str) -> bool:
    return re.fullmatch(RUN_ID, value) is not None


def new_run_id() -> str:
    """Return a new run id with the current time and four random digits, such as 20260303-120000-a1b2."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def derived_run_id(created_at: datetime, flow_run_id: str) -> str:
    """Return the id of a run that was requested without an id. Equal arguments give equal ids.

    Args:
        created_at: Creation time of the flow run.
        flow_run_id: Hexadecimal id of the flow run. Its last eight digits are used: the first digits of time-based ids
            are similar, and a schedule can create many runs in the same second.
    """
    return f"{created_at.astimezone(UTC):%Y%m%d-%H%M%S}-{flow_run_id[-8:]}"


class RunRequest(FrozenModel, RequestersMixin):
    """Parameters of the flow `retrain`. Prefect generates its form from this schema."""

    requested_by: Name = SCHEDULER
    """Requester of the run. Leave the default in Prefect's form: people request runs with `hallmark run --as ID`, which
    signs the request. The requester is not allowed to decide at the run's gates."""
    run_id: RunId | None = None
    """Id of the run. The run's worktree and its ref refs/hallmark/runs/ID are named after it. A second request with the
    same id continues the run. If null, the id is derived from the flow run. A generated id cannot be the default:
    Prefect evaluates defaults at every start of a flow run, so a suspended run would continue under another id."""
    commit: str | None = None
    """Git commit whose code is executed; null for HEAD of the checkout."""
    params: str = "params.yaml"
    """Path of the params file. A relative path is resolved from the root of the run's commit."""
    governance: str | None = None
    """Governance folder to use instead of infra/governance; allowed in environment `local` only."""
    changes: dict[str, str] = {}
    """Overrides of single parameters, as YAML values by dotted key, for example {"training.lora_rank": "32"}."""
    demo_approvals: bool = False
    """Whether demo identities decide at the gates immediately. The results of such a run are marked as a demo."""
    reason: Annotated[str, Field(max_length=MAX_REASON_CHARS)] | None = None
    """Reason for the run. Schedules and triggers set it automatically."""
    initiated_by: list[Name] = []
    """People who declared the schedule or trigger that requested the run. They are not allowed to decide at the run's
    gates. Leave the default in Prefect's form."""

    @property
    def required_run_id(self) -> str:
        assert self.run_id is not None, "the flow names a run before anything of it is made"
        return self.run_id

    @staticmethod
    def from_signed(request: SignedRunRequest) -> "RunRequest":
        return RunRequest(**request.model_dump(include=set(RunRequest.model_fields)))
