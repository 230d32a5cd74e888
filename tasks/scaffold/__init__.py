"""New use cases from a data file. What the file shows is guessed, each guess with its reason; the rest is asked.

form.py       format of the file: csv, JSON Lines or Parquet, encoding, delimiter
opened.py     names of the columns, and a sample of the rows
columns.py    profile of a column: types and values
mapping.py    column for each part of a record, and why
sampled.py    statistics of the sample as records, made by the code of runs
answers.py    questions that no file answers: owner, licence, lawful basis, purpose
expected.py   expectation suites, with limits that the next such file meets as well
parameters.py params.yaml
governed.py   sources.yaml, and the checkout's policy and people
document.py   YAML with comments
place.py      paths of the data file and of the use case
told.py       guesses and warnings, in words
plan.py       all files together, checked as a run checks them, written completely or not at all

The files contain nothing from the rows, except that a suite lists labels that repeat.
"""
