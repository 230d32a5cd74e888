"""Supervision of stages, which are a run's own code: sandbox, check of the outputs, and signed record.

In the sandbox a stage reaches its inputs, a folder for its outputs, and nothing else. Its outputs count once they have
been checked, and are signed together with what the stage read.

grants.py              grants of each stage: network, files and variables besides its code, parameters and inputs
settings.py            table of all environment variables of Hallmark, and the places that settings name
open_files.py          handles of files outside the run, so that what was checked is what is mounted
visible_files.py       files of the run's worktree that a stage sees
sandbox.py             sandbox, as arguments of bubblewrap
network.py             TCP ports that a stage with a network reaches
system_call_filter.py  system calls that a stage cannot make
process.py             process of a stage, and its end
limits.py              limits of what a stage takes of its machine
kept_files.py          files that a stage keeps between runs, and their removal if it left too little space
live_files.py          files that a stage is still writing, copied for people who watch
fetched_models.py      base models that stages have fetched
vault_service.py       access of stage `ingest` to the vault
output_check.py        outputs of a stage: plain files and folders only
table_check.py         tables that unreviewed code left, measured before they are accepted
materials.py           digests of what a stage reads and writes
record_store.py        stage records of this machine, by which outputs may come from the cache
shell.py               shell with which DVC starts a stage of a run
"""
