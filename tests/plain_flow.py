"""Flow of a run as a plain function: real stages, gates, ledger and journal, without Prefect.

It is for tests of what a flow does with a run and reports about it. Suspension, resumption and display in Prefect are
tested in tests/flows and tests/e2e.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import Task
from prefect.logging import disable_run_logger

from flows import artifacts, gates, lifecycle, lineage, promotion, retrain, stages
from tasks.runs.request import RunRequest
from tasks.runs.run import open_run
from tests.run_states import status
from tests.tiny_project import signed

MODULES = (artifacts, gates, lifecycle, lineage, promotion, retrain, stages)
DEPLOYED = SimpleNamespace(flow_run=SimpleNamespace(deployment_id="a deployment"))


class Suspended(BaseException):
    """Signal that the flow waits at a gate; like Prefect's own, it is no subclass of `Exception`."""


def start(project: Path, run: str, **asked: Any) -> dict[str, Any]:
    """Execute a new run until it is suspended or ends, and return its status as `hallmark runs show RUN --json` has it.

    Raises the error with which the run fails.
    """
    return _execute(project, *signed(project, RunRequest(run_id=run, requested_by="ml-engineer", **asked)))


def resume(project: Path, run: str) -> dict[str, Any]:
    """Continue a run that failed or waits, otherwise like `start`."""
    asked = open_run(project, run).signed_request
    return _execute(project, RunRequest.from_signed(asked.request), asked.envelope)


def _execute(project: Path, request: RunRequest, envelope: dict[str, Any]) -> dict[str, Any]:
    with _without_prefect(project), suppress(Suspended):
        retrain.retrain.fn(request, envelope)
    return status(project, request.required_run_id)


@contextmanager
def _without_prefect(project: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, disable_run_logger():
        patch.setenv("HALLMARK_ROOT", str(project))
        for module in MODULES:
            for name, value in list(vars(module).items()):
                if isinstance(value, Task):
                    patch.setattr(module, name, value.fn)
                elif name.endswith("_artifact"):
                    patch.setattr(module, name, lambda *_, **__: None)
        patch.setattr(gates, "FlowRunContext", SimpleNamespace(get=lambda: DEPLOYED))
        patch.setattr(gates, "suspend_flow_run", _suspend)
        yield


def _suspend(**_: object) -> None:
    raise Suspended
