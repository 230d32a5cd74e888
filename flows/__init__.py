"""Prefect flows and their tasks, with one topic in each file.

Read the files in this order:

    retrain.py            flow from data to release: stages, gates, promotion
    stages.py             DVC stages as Prefect tasks
    gates.py              gates as suspended flow runs
    lineage.py            index of the records in a run's dataset
    promotion.py          comparison of the candidate with the champion, and promotion of the candidate
    lifecycle.py          start, journal and end of a run
    flow_runs.py          names and tags of flow runs
    artifacts.py          Prefect artifacts, which show a run in Prefect's UI
    deployment_names.py   names of this checkout's deployments and work pools
    suspended_runs.py     resumption of suspended runs whose gate was decided
    crashed_runs.py       resumption of runs whose process died
    pool_rescheduling.py  rescheduling of work-pool runs after the loss of their machine
    watch.py              periodic work: orphaned flow runs, reminders, incidents, published heads
    mlflow_updates.py     MLflow runs, kept up to date
    scheduling.py         runs that schedules and triggers request
    partial_work.py       work in independent parts

A flow decides when and where each step is executed and how often it is retried. It also shows the step in Prefect, and
suspends itself at a gate. The work itself is in `tasks/`, which does not depend on Prefect.
"""
