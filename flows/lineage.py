"""Which records are in this run's dataset, for whoever asks later."""

from prefect import task

from flows.lifecycle import doing
from tasks.runs.run import Run


@task(task_run_name="lineage", persist_result=False)
def index(run: Run) -> None:
    """Index the dataset that passed the data gate; `hallmark data where` looks in there."""
    from tasks.inquiry.lineage import build  # only behind the gate, so that a resumed run need not wait for it

    with doing(run.id, "indexing its records"):
        build.add(run.layout, run.params.use_case.name)
