"""Occasions: times of schedules and events of triggers, each of which leads to at most one run.

declared.py      deployments.yaml: schedules, triggers, retries, timeouts
pools.py         work pools
durations.py     durations and local times as people write them
times.py         times at which schedules are due, with daylight saving
checked.py       checks of a deployments file before it is put in force
signed_deed.py   signed statements: declaration of a file, pause, resumption
deciding.py      declaration, pause and resumption by people
standing.py      schedules and triggers in force, since when, and which of them are paused
book.py          occasions that the ledger has
due.py           occasions of schedules: times that are due, and times that were missed
events.py        occasions of triggers: events that have happened
watched.py       changes of sources that a trigger watches
prompted.py      changes of the prompts in a params file since its last run
recent.py        newest runs, with their requests
sketch.py        sketches of contents, which show the share of lines that changed
taking.py        the one run of an occasion, or the reason why it has none
requests.py      signed request for the run of an occasion

Nothing here depends on Prefect; flows/occasions.py looks every few seconds and has Prefect create the flow runs.
"""
