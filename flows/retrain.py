"""Retraining: from sources to a release in production, or to the reason why not."""

from prefect import flow

from flows.artifacts import report
from flows.deployed import FLOW
from flows.gates import gate
from flows.lifecycle import end, evaluated, lifecycle, name_of_flow_run, resolve
from flows.lineage import index
from flows.promotion import promote, unchanged
from flows.stages import stages
from tasks.core.graph import DATA_STAGES
from tasks.runs.asking import Envelope
from tasks.runs.request import RunRequest

UNSAID = RunRequest()
"""What a flow run asks for that is given no parameters."""


@flow(name=FLOW, flow_run_name=name_of_flow_run, persist_result=False)
def retrain(request: RunRequest = UNSAID, envelope: Envelope | None = None) -> str:
    """One governed run. Returns how it ended: promoted, unchanged or experiment.

    At a gate that people have not decided the flow run is suspended and its process ends. When it is resumed it
    starts here again: finished stages are remembered, gates are judged anew from the ledger.

    Args:
        request: What to run. A schedule may leave it out: params.yaml at the checkout's HEAD, asked for as `scheduler`.
        envelope: The request as a person signed it with `hallmark run`. Without one the scheduler asks.
    """
    with lifecycle(request, envelope) as asked:
        run = resolve(asked, envelope)

        stages(run, *DATA_STAGES)
        gate(run, "data")
        index(run)

        if release := unchanged(run):
            return end(run, "unchanged", release)

        stages(run, "base_model", "tokenise", "train")
        stages(run, "predict@base", "predict@champion", "predict@candidate", "evaluate")
        evaluated(run)
        report(run)
        gate(run, "evaluation")

        stages(run, "package")
        gate(run, "release")

        release = promote(run)
        return end(run, "promoted" if release else "experiment", release)
