"""Building blocks that every other package uses; none of them depends on gates, policy or people.

version.py          Hallmark's own version, stored in the state that it writes
errors.py           exceptions for users, each with its exit code
error_collector.py  collector of errors, so that a command reports all of them at once
formatting.py       text of times, durations, shares, sizes, counts and amounts
escaping.py         escaping of invisible and control characters in everything that is shown
pages.py            Jinja environment for HTML pages
object_store.py     file system of an S3 store, with redirects disabled
utc.py              conversion of times to UTC
processor.py        CPU features, such as instructions for bf16
resource_limits.py  cores and memory that this process may use
json_text.py        parsers of JSON, by what they refuse, and its canonical form
files.py            digests, atomic writes of files and folders
sqlite_journals.py  removal of SQLite journals that name a super-journal
locks.py            file locks between processes
processes.py        whether a process still runs
yaml_text.py        YAML parser with limits on size, number of values and depth
config.py           loading of YAML into frozen pydantic models, with all errors reported at once by file and line
field_docs.py       docstrings of pydantic fields, read when a schema is generated
document.py         base class of signed or digested documents, which keep the bytes that they were read from
layout.py           paths of a run's files and of Hallmark's state
graph.py            table of stages and gates
steps/              the part of that table that data stages import
code_digest.py      digest of the code that each stage runs
params/             schema of params.yaml, one file for each section
record.py           Arrow schemas of records and quarantine, reading and writing of Parquet tables
answer_label.py     label of a target or answer, for stages of data and evaluation
facts.py            figures that stages report and gates check
progress.py         progress lines of a stage
prompts.py          rendering of a record as chat turns
transfers.py        commands that transfer data, ended when they stall
texts.py            windows of tokens of a plain text, for continued pretraining
database.py         SQLite and Postgres engines with one writer at a time
migrations.py       schema versions of databases, and migration from older ones
mlflow_database.py  atomic creation of MLflow's tables in a SQLite file
payload/            documents in a release about the release itself
"""
