"""Prefect on this machine: the server, the runner and the watch that `hallmark up` starts, and workers of work pools.

    server.py        start, lookup and stop of server, runner and watch
    access.py        secret of the server, and the environment of each process
    settings.py      settings that a runner keeps from its start
    runner.py        process that executes flow runs of this checkout
    ending.py        end of runners and of their flow runs
    revival.py       start of a runner or a watch that has died
    watch.py         watch of gates, deadlines, schedules and heads; one watch of each ledger holds the lease
    pools.py         work pools of deployments.yaml, on the Prefect server
    worker.py        process that executes flow runs of a work pool on this machine
    execute.py       process of one flow run of a work pool
    periodic.py      periodic work of a service
    watch_status.py  state of the watch, for `hallmark status` and `hallmark doctor`
    watch_probe.py   probe of the watch's pod
    notify.py        notices to people: Prefect notification block, webhook or log
    http.py          requests to the Prefect server without Prefect's client
    logs.py          log lines of a run
    queue.py         runs that wait in Prefect's queue
    client.py        flow runs on the Prefect server: start, resume, cancel and state
    deployments.yaml  proposed schedules and triggers (tasks/scheduling)

If PREFECT_API_URL is set, that server is used, and none is started. Each checkout has a separate deployment on it.
"""
