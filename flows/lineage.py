"""Index of the records in a run's dataset, for later searches."""

from prefect import task

from flows.lifecycle import show_activity
from tasks.runs.run import Run


@task(task_run_name="lineage", persist_result=False)
def index_dataset(run: Run) -> None:
    """Index the dataset that has passed the data gate, for `hallmark data find`."""
    from tasks.inquiry.lineage import indexing  # imported here: a run that resumes at a gate need not wait for it

    with show_activity(run.id, "indexing its records"):
        indexing.add_dataset(run.layout, run.params.use_case.name)
