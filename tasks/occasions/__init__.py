"""Occasions: why and when a run is asked for without anybody typing it, and that each makes one run.

declared.py      deployments.yaml: schedules, triggers, retries, timeouts
pools.py         work pools
durations.py     lengths of time and moments as people write them
times.py         when a schedule is due, over daylight saving
checked.py       whether a file can do what it says here
signed_deed.py   what a person signs: a file in force, a pause, its end
deciding.py      putting in force, pausing, resuming; what a file changes
standing.py      what is in force, since when, and what rests
book.py          what became of occasions, as the ledger has it
due.py           which times have come, and which were missed
events.py        what has happened that a trigger answers to
watched.py       what a trigger on sources saw last
prompted.py      whether a params file's prompts are others than its last run had
recent.py        the last runs, and what they were asked for with
sketch.py        how much of a content changed
taking.py        an occasion is taken, passed over, or on record already
requests.py      the signed request for its run

Nothing here knows Prefect; flows/occasions.py looks every few seconds and has Prefect make the flow runs.
"""
