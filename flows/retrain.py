"""Flow `retrain`: from sources to a release in production, or to the reason why there is none."""

from prefect import flow

from flows.artifacts import report
from flows.deployment_names import FLOW_NAME
from flows.gates import gate
from flows.lifecycle import end_run, lifecycle, name_of_flow_run, record_evaluation, resolve
from flows.lineage import index
from flows.promotion import promote, unchanged
from flows.stages import stages
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.runs.request import RunRequest
from tasks.runs.requests.signed_requests import Envelope

DEFAULT_REQUEST = RunRequest()


@flow(name=FLOW_NAME, flow_run_name=name_of_flow_run, persist_result=False)
def retrain(request: RunRequest = DEFAULT_REQUEST, envelope: Envelope | None = None) -> str:
    """Execute one governed run, and return its final status: promoted, unchanged or experiment.

    At a gate that people have not decided, the flow run is suspended and its process ends. When the flow run is
    resumed, it starts from the top: finished stages are skipped, and gates are judged again from the ledger.

    Args:
        request: Run to execute. The default is params.yaml at the checkout's HEAD, requested by `scheduler`.
        envelope: Request as signed by `hallmark run`. Without it, the scheduler is the requester.
    """
    with lifecycle(request, envelope) as asked:
        run = resolve(asked, envelope)

        stages(run, *DATA_STAGE_NAMES)
        gate(run, "data")
        index(run)

        if release := unchanged(run):
            return end_run(run, "unchanged", release)

        stages(run, "base_model", "tokenise", "train")
        stages(run, "predict@base", "predict@champion", "predict@candidate", "evaluate")
        record_evaluation(run)
        report(run)
        gate(run, "evaluation")

        stages(run, "package")
        gate(run, "release")

        release = promote(run)
        return end_run(run, "promoted" if release else "experiment", release)
