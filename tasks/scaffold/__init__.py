"""A use case from a data file: what the file shows is guessed, each guess with its reason; the rest is asked.

form.py       what the file is: csv, JSON Lines or Parquet, its encoding, its separator
opened.py     the names of its columns, and a fair sample of its rows
columns.py    what each column holds
mapping.py    which column is which part of a record, and why
sampled.py    the sample as records, by the code that a run takes
answers.py    what no file says: owner, licence, lawful basis, purpose
expected.py   suites, with limits that the next file of the kind keeps as well
parameters.py params.yaml
governed.py   sources.yaml, and policy and people as they stand in the checkout
document.py   YAML with remarks
place.py      where the file lies, and where the use case is to
told.py       what was guessed and why, in words
plan.py       all files together, checked as a run checks them, written whole or not at all

Nothing of the file itself is written: a label that repeats is the only text of its rows that a suite names.
"""
