"""What everything rests on, and nothing in it knows of gates or people.

version.py    Hallmark's own version, stored with what it writes
errors.py     what can go wrong, and the exit code of each
mistakes.py   everything that is wrong, told at once
shown.py      text as it may be shown: no character obeyed that a reader does not see
pages.py      in templates of HTML
object_store.py  S3 and stores like it, whose connections end and who send nobody elsewhere
moments.py    times that somebody else wrote, in UTC
processor.py  what this machine's processor computes in hardware
usable.py     cores and memory that this process may use
files.py      digests, canonical JSON, outputs that appear whole or not at all
journals.py   SQLite's journals that name what is none of theirs
locks.py      one process at a time
processes.py  whether a process still runs
yaml_text.py  YAML text, bounded before anything is made of it
config.py     YAML into frozen objects, every mistake reported together with file and line
field_docs.py docstrings of fields, read when a schema is shown
document.py   what is signed or digested, known by its bytes whatever its model says since
layout.py     where everything of a run lies
graph.py      the one table of stages and gates
steps/        what the table is made of, as far as stages ask it: the stages of data
code.py       which code decides the bytes of a stage, and its digest
params/       the schema of params.yaml, a file a section
record.py     one row of a dataset
facts.py      figures that stages state and gates judge
progress.py   how far a stage is
prompts.py    a record as the chat that a model sees
texts.py      a record as a plain text, in windows
database.py   SQLite or Postgres, whose writers take turns
migrations.py which schema a database has, and how an older one is brought forward
mlflow_database.py  MLflow's tables in a SQLite file, whole or not at all
payload/      what a release says of itself
"""
