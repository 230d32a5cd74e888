"""What somebody asked for."""

import re
import secrets
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from tasks.config import Frozen
from tasks.params import Name

RUN_ID = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")


def new_run_id() -> str:
    """For example 20260303-120000-a1b2: sorts by time, unique enough for one checkout."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class RunRequest(Frozen):
    """The parameters of the retrain flow; Prefect draws its form from this schema."""

    requested_by: Name
    """Person in people.yaml who asks; they may not decide on the run's gates."""
    run_id: Annotated[str, Field(pattern=RUN_ID.pattern)] = Field(default_factory=new_run_id)
    """Names the worktree and the ref refs/hallmark/runs/ID; asking again with the same id goes on where it was."""
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
