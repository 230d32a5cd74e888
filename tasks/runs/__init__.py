"""Runs: each is made in a worktree of its own and recorded as git commits on a ref of its own.

request.py       parameters of the flow `retrain`, before they are signed
asking.py        signed run requests, and the check that a run uses nothing unsigned
checking.py      checks of a request before its run starts; all mistakes are reported together
first_look.py    quick checks of sources, prompts and expectations
committed.py     files as a commit holds them, without the checkout's uncommitted edits
foreseen.py      standing checks of gates that will fail whatever the run makes
foretold.py      estimate of what a training needs
repository.py    git commands that leave the user's branch, index and files alone
tree.py          whole tree of a commit: allowed contents, digest, comparison with a worktree
pin.py           resolution of sources to the digests of their content
resolve.py       resolution of a run: everything that stages read besides code and parameters
run.py           creation and opening of runs; checks and commits of an open run
installation.py  id of a checkout
taking_up.py     continuation of a run that another machine began
named.py         lookup of a run by the beginning or end of its id
hold.py          lock that lets one process at a time execute a run
across.py        lease that lets one machine at a time execute a run
stand_in.py      folder that stands in for a checkout, with a state of its own
stage.py         one stage: outputs taken from the cache by a signed record, or computed
dvc_cache.py     outputs in DVC's cache, compared with a signed record
dvc.py           stages through `dvc repro`; pushing and pulling of outputs
dvc_told.py      output of DVC and its stage, and the error of a failed stage
dvc_lock.py      dvc.lock, which stays whole if DVC is killed
environment.py   environment variables of processes that work for runs
records.py       ledger entries of a run
journal.py       state of a run, stage by stage, for people who watch it
tracked.py       a run as MLflow shows it
curve.py         curve of a training
mlflow_runs.py   MLflow's address, experiments and runs
summary.py       a run as one JSON document
difference.py    differences between two runs
paired.py        paired comparison of the candidates of two runs
rules.py         governance that applies to each of many runs
"""
