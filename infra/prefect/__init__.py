"""Prefect on this machine: the server, the runner and the watch that the embedded default starts.

    server.py   start, find and stop them
    begin.py    how each of the three is started
    access.py   the server's secret, and what each process is given
    settings.py what a runner keeps from its start
    variables.py every environment variable, with its meaning
    runner.py   the process that executes flow runs
    watch.py    the process that looks after gates, deadlines, schedules and heads; of many one for all
    pools.py    work pools, as deployments.yaml declares them
    worker.py   a machine of a work pool
    execute.py  one flow run of a work pool
    every.py    work that is done again and again
    watching.py who watches, for whoever asks
    deployments.yaml  schedules and triggers, as they are proposed (tasks/occasions)
    notify.py   tell people outside what the ledger says
    logs.py     what a run has logged
    client.py   start a run and ask how it stands

With PREFECT_API_URL set, that server is used and none is started. Each checkout has a deployment of its own there.
"""
