"""Building blocks that every other package uses; none of them depends on gates, policy or people.

documents/          YAML and JSON documents, and the pydantic models of settings
databases/          SQL databases and their schema versions
machine/            processor, memory, processes, locks, transfers
records/            tables of records, chat turns, texts and labels
version.py          Hallmark's own version, stored in the state that it writes
own_packages.py     names and locations of Hallmark's own packages, in a checkout and in a wheel
errors.py           exceptions that a user can act on, each with its exit code
error_collector.py  collector of errors, so that a command reports all of them at once
formatting.py       formatting of times, durations, fractions, sizes, counts and amounts
escaping.py         escaping of invisible and control characters in all output
pages.py            Jinja environment for HTML pages
local_remotes.py    pushes to a git repository in a folder, without programs that the folder names
object_store.py     client of an S3 object store
utc.py              conversion of times to UTC
files.py            digests, atomic writes of files and folders
layout.py           paths of a run's files and of Hallmark's state
graph.py            table of stages and gates
steps/              the part of the table of stages that data stages import
code_digest.py      digest of the code that each stage runs
params/             schema of params.yaml, one file for each section
power.py            rows that a paired comparison needs, and differences that rows show
facts.py            metrics and measurements that stages report and gates check
fact_names.py       names of metrics and measurements, as policies use them
progress.py         progress lines of a stage
current_run.py      run that this process executes, for its log lines
payload/            documents that describe a release and are part of it
json_text.py        JSON parsers of different strictness, and canonical JSON
"""
