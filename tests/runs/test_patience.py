"""A training that is asked to end has time for a checkpoint. Each process waits for longer than the one it asks."""

import inspect

from prefect.runner._process_manager import ProcessManager

from infra.cli import runs_stop
from tasks.runs.outputs import dvc
from tasks.stages.train.machines import sigterm
from tasks.supervise import process


def test_each_waits_for_longer_than_the_one_it_asks() -> None:
    of_prefect = inspect.signature(ProcessManager.kill).parameters["grace_seconds"].default
    order = [
        sigterm.CHECKPOINT_SECONDS,
        process.TERMINATION_SECONDS,
        dvc.TERMINATION_SECONDS,
        of_prefect,
        runs_stop.STOP_TIMEOUT_SECONDS,
    ]
    assert order == sorted(set(order))
