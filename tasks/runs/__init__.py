"""Runs: each is made in a worktree of its own and recorded as git commits on a ref of its own.

git/                 the repository, commits, and what they hold
outputs/             outputs of stages, which DVC keeps
requests/            requests, their resolution and their checks
reporting/           summary, differences, curves, and what MLflow shows
run.py               creation and opening of runs; checks and commits of an open run
installation.py      id of a checkout
abbreviated_ids.py   lookup of a run by the beginning or end of its id
stand_in.py          folder that stands in for a checkout, with a state of its own
run_entries.py       ledger entries of a run
journal.py           state of a run, stage by stage, for people who watch it
checkout.py          a checkout with its ledger and the governance in force
governance_cache.py  governance that applies to each of many runs
request.py           parameters of the flow `retrain`, before they are signed
environment.py       environment variables of processes that work for runs
stage.py             one stage: outputs taken from the cache by a signed record, or computed
run_lock.py          lock that lets one process at a time execute a run
run_lease.py         lease that lets one machine at a time execute a run
takeover.py          continuation of a run that another machine began
"""
