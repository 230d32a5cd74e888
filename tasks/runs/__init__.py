"""A run is a git commit, made in a worktree of its own.

request.py     what somebody asks for
asking.py      it is signed, and a run takes nothing that was not
checking.py    all that is wrong with a request, at once
first_look.py  what the beginnings of its files show
committed.py   what a run of a commit reads where the checkout has something else
foreseen.py    which checks will fail whatever it makes
foretold.py    what its training will need
repository.py  git: commits, worktrees and refs that leave the user's checkout alone
tree.py        the whole tree of a commit: what may be in it, and one digest of it
pin.py         what a run will read, fixed before its first stage
resolve.py     everything a stage will read that is not code, looked up once and written to inputs/
run.py         create, open and finish a run
installation.py  which checkout this is
taking_up.py   a run of another machine goes on here
named.py       the run that a part of an id means
hold.py        one process at a time executes a run
across.py      … and one machine
stand_in.py    a folder with a state of its own, for stages that are to find nothing made before
stage.py       one stage: taken by a signed record, or computed
dvc_cache.py   its outputs out of the cache, compared with the record
dvc.py         a stage through `dvc repro`, with its progress
dvc_told.py    what DVC and a stage print, and how a stage failed
dvc_lock.py    dvc.lock, whole whatever happens to DVC
environment.py  which variables a process that works for runs gets
records.py     what a run does, on the ledger
journal.py     what happened so far, for whoever watches
tracked.py     … as MLflow shows it
curve.py       … the curve of its training
mlflow_runs.py  where MLflow is, and what it takes
summary.py     … as one document
difference.py  what differs between two runs
paired.py      … and their candidates, on the rows that both answered
rules.py       by which governance the gates of many runs are judged
"""
