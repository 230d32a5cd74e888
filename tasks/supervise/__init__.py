"""Supervision of stages, whose code is the run's own: each stage runs in a sandbox, and its record is signed.

In the sandbox, a stage can access only its inputs and a folder for its outputs. The outputs are checked before they are
accepted. The record contains the digests of everything that the stage has read and written.

grants.py              access of each stage to the network, files and variables in addition to its inputs
source_grants.py       access of stage `ingest` to the sources, and locations where no source may be
model_grants.py        access of stage `base_model` to a folder with a model, or to the network to fetch one
run_parameters.py      sections of params.yaml, read before they are validated
settings.py            table of all environment variables of Hallmark, and the paths that settings name
open_files.py          files outside the run, opened so that the checked file is the mounted file
visible_files.py       files of the run's worktree that a stage sees
sandbox.py             sandbox, as command-line arguments of bubblewrap
network.py             TCP ports to which a stage with a network can connect
system_call_filter.py  filter for system calls of a stage
process.py             process of a stage, and how it is stopped
limits.py              resource limits of a stage
kept_files.py          files that a stage keeps between runs, and their removal if the disk is full
live_files.py          copies of files that a stage is still writing
fetched_models.py      base models that stages have fetched
vault_service.py       service with which stage `ingest` adds values to the vault
output_check.py        check of a stage's outputs: regular files and folders only
table_check.py         limit on the unpacked size of tables that unreviewed code has written
materials.py           digests of a stage's materials and outputs
record_store.py        stage records on this machine, which permit the use of cached outputs
shell.py               shell with which DVC starts a stage of a run
"""
