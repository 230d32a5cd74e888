"""Runs: each run has its own worktree, and its git commits are on its own ref.

git/                 the repository, commits, and their trees and files
outputs/             outputs of stages, which DVC stores
requests/            run requests, their resolution and their checks
reporting/           summary, differences, curves, and synchronisation with MLflow
run.py               creation and opening of runs; checks and commits of an open run
installation.py      id of a checkout
abbreviated_ids.py   lookup of a run by the beginning or end of its id
stand_in.py          folder with its own state that replaces a checkout
run_entries.py       ledger entries of a run
team_usage.py        open runs and cost of each team, and its quota
journal.py           state of a run, stage by stage, for people who watch it
run_list.py          list of the runs of a checkout, newest first, with its damaged runs
checkout.py          a checkout with its ledger and the governance in force
governance_cache.py  cache of the governance of runs
request.py           parameters of the flow `retrain`, before they are signed
environment.py       environment variables of a run's processes
stage.py             one stage: its outputs are restored from the cache if a signed record matches, or computed
run_lock.py          lock that lets one process at a time execute a run
run_lease.py         lease that lets one machine at a time execute a run
takeover.py          takeover of a run that another machine began
"""
