"""New use cases from a data file. Settings are guessed from the file, with reasons; the user is asked the rest.

file_format.py        format of the file: kind, encoding, delimiter
data_file.py          names of the columns, and a sample of the rows
columns.py            profile of a column: types and values
mapping.py            column for each part of a record, and why
sample_statistics.py  statistics of the sample as records, made by the code of runs
answers.py            questions that no file answers: owner, licence, lawful basis, purpose
suites.py             expectation suites, with limits that the next such file meets as well
parameters.py         params.yaml
governance_files.py   sources.yaml, and the checkout's policy and people
commented_yaml.py     YAML with comments
paths.py              paths of the data file and of the use case
explanations.py       guesses and warnings, in words
plan.py               all files together, checked as a run checks them, written completely or not at all

The files contain nothing from the rows, except that a suite lists labels that repeat.
"""
