"""Occasions: times of schedules and events of triggers, each of which leads to at most one run.

deployments_file.py      deployments.yaml: schedules, triggers, retries, timeouts
pools.py                 work pools
durations.py             durations and local times as people write them
times.py                 times at which schedules are due, with daylight saving
deployments_check.py     checks of a deployments file before it is declared
signed_statements.py     signed statements: declaration of a file, pause, resumption
control.py               declaration, pause and resumption by people
deployments_in_force.py  current schedules and triggers, since when they are active, and which of them are paused
occasion_log.py          occasions that the ledger has
due_times.py             occasions of schedules: times that are due, and times that were missed
overview.py              state and next times of schedules and triggers, for commands and pages
trigger_events.py        occasions of triggers: events that have happened
source_changes.py        changes of sources that a trigger watches
prompt_changes.py        changes of the prompts in a params file since its last run
open_runs.py            runs of a schedule or trigger that have not ended
recent_runs.py           newest runs, with their requests
sketch.py                sketches of contents, from which the fraction of changed lines is computed
occasion_entries.py      the one run of an occasion, or the reason why it has none
team_quotas.py         team of an occasion, and whether its quota leaves room for the run
requests.py            signed request for the run of an occasion

Nothing here depends on Prefect. flows/scheduling.py searches for occasions every few seconds, and has Prefect create
the flow runs.
"""
