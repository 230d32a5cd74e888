"""Removal of files that are no longer needed, by the rules in policy.

needs.py           runs whose files are needed, and why
run_files.py       files of a run that are removed, and those that stay for its audit
cached_outputs.py  outputs in the cache, and records, that only removed runs used
checkpoints.py     checkpoints of trainings that nobody has continued
tracked_runs.py    MLflow's records of these runs
plan.py            what would be removed
removal.py         the removal, with an entry in the ledger for each run
"""
