"""Creation of a use case from a data file. Settings are guessed from the file, with reasons.

The user is asked only for what no data file contains. The files in reading order:

file_format.py        format of the file: kind, encoding, delimiter
folder_kind.py        kind of a folder of documents, by suffixes
data_file.py          names of the columns, and a sample of the rows
columns.py            profile of a column: types and values
personal_values.py    personal values among names of columns and recurring values, which are written nowhere
mapping.py            guess of the column for each part of a record, with reasons
provenance_columns.py  guess of the columns that say which rows were generated, and from what
sample_statistics.py  statistics of the sample after conversion to records, as in a run
answers.py            questions that no file answers: owner, licence, lawful basis, purpose
suites.py             expectation suites, with limits that the next file of this kind should also meet
parameters.py         params.yaml
governance_files.py   sources.yaml, and the checkout's policy and people
commented_yaml.py     YAML with comments
paths.py              paths of the data file and of the use case
explanations.py       guesses and warnings, in words
plan.py               all files together: checked as in a run, and written completely or not at all

The new files contain no values from the rows, except that a suite lists recurring labels in which nothing personal is
found.
"""
