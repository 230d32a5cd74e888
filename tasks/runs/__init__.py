"""Runs: each is made in a worktree of its own and recorded as git commits on a ref of its own.

request.py            parameters of the flow `retrain`, before they are signed
signed_requests.py    signed run requests, and the check that a run uses nothing unsigned
request_checks.py     checks of a request before its run starts; all mistakes are reported together
quick_checks.py       quick checks of sources, prompts and expectations
commit_files.py       files as a commit holds them, without the checkout's uncommitted edits
expected_failures.py  standing checks of gates that will fail whatever the run makes
earlier_runs.py       earlier runs, whose outputs an estimate or advice may go by
training_estimate.py  estimate of what a training needs
repository.py         git commands that leave the user's branch, index and files alone
commit_tree.py        whole tree of a commit: allowed contents, digest, comparison with a worktree
source_resolution.py  resolution of sources to the digests of their content
resolution.py         resolution of a run: everything that stages read besides code and parameters
run.py                creation and opening of runs; checks and commits of an open run
installation.py       id of a checkout
takeover.py           continuation of a run that another machine began
abbreviated_ids.py    lookup of a run by the beginning or end of its id
run_lock.py           lock that lets one process at a time execute a run
run_lease.py          lease that lets one machine at a time execute a run
stand_in.py           folder that stands in for a checkout, with a state of its own
stage.py              one stage: outputs taken from the cache by a signed record, or computed
dvc_cache.py          outputs in DVC's cache, compared with a signed record
dvc.py                stages through `dvc repro`; pushing and pulling of outputs
dvc_output.py         output of DVC and its stage, and the error of a failed stage
dvc_lock.py           dvc.lock, which stays whole if DVC is killed
environment.py        environment variables of processes that work for runs
run_entries.py        ledger entries of a run
journal.py            state of a run, stage by stage, for people who watch it
mlflow_sync.py        a run as MLflow shows it
training_curve.py     curve of a training
mlflow_runs.py        MLflow's address, experiments and runs
summary.py            a run as one JSON document
difference.py         differences between two runs
paired_comparison.py  paired comparison of the candidates of two runs
checkout.py           a checkout with its ledger and the governance in force
governance_cache.py   governance that applies to each of many runs
"""
