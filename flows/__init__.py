"""The DAGs, one file a flow, read top-down.

    retrain.py   data to release: stages, gates, promotion
    stages.py    a DVC stage as a Prefect task
    gates.py     a gate as a suspended flow run
    lineage.py   which records a run's dataset has
    promotion.py is this candidate new; let it in
    lifecycle.py a run's beginning, journal and end
    artifacts.py  what a run shows in Prefect's UI
    deployed.py  the name that this checkout's flow has on a Prefect server
    parked.py    parked runs whose gate has closed go on
    pooled.py    runs of work pools whose machine is gone go on
    watch.py     what keeps orphaned runs going, and what time brings
    tracked.py   MLflow's runs, kept as runs stand
    occasions.py runs that schedules and triggers ask for
    partly.py    one part that fails keeps no other from being done

A flow decides when, where and how often something is tried, shows it, and lets it wait. What is done stands in
`tasks/`, which knows nothing of Prefect.
"""
