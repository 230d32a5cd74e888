"""Flow `retrain`: from sources to a release in production, or to the reason why there is none."""

from prefect import flow

from flows.artifacts import create_report
from flows.deployment_names import FLOW_NAME
from flows.gates import pass_gate
from flows.lifecycle import end_run, flow_run_name, record_evaluation, resolve_run, run_lifecycle
from flows.lineage import index_dataset
from flows.promotion import find_unchanged_champion, promote
from flows.stages import run_stages
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.runs.request import RunRequest
from tasks.runs.requests.signed_requests import Envelope

DEFAULT_REQUEST = RunRequest()


@flow(name=FLOW_NAME, flow_run_name=flow_run_name, persist_result=False)
def retrain(request: RunRequest = DEFAULT_REQUEST, envelope: Envelope | None = None) -> str:
    """Execute one governed run, and return its final status: promoted, unchanged or experiment.

    At a gate that people have not decided, the flow run is suspended and its process ends. When the flow run is
    resumed, it starts from the top: finished stages are skipped, and gates are judged again from the ledger.

    Args:
        request: Run to execute. The default is params.yaml at the checkout's HEAD, requested by `scheduler`.
        envelope: Request as signed by `hallmark run`. Without it, the scheduler is the requester.
    """
    with run_lifecycle(request, envelope) as asked:
        run = resolve_run(asked, envelope)

        run_stages(run, *DATA_STAGE_NAMES)
        pass_gate(run, "data")
        index_dataset(run)

        if release := find_unchanged_champion(run):
            return end_run(run, "unchanged", release)

        run_stages(run, "base_model", "tokenise", "train")
        run_stages(run, "predict@base", "predict@champion", "predict@candidate")
        run_stages(run, "probe@base", "probe@champion", "probe@candidate", "suites")
        run_stages(run, "leakage", "evaluate")
        record_evaluation(run)
        create_report(run)
        pass_gate(run, "evaluation")

        run_stages(run, "package")
        pass_gate(run, "release")

        release = promote(run)
        return end_run(run, "promoted" if release else "experiment", release)
