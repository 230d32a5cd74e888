"""Rounds of expert labels: experts label rows blind to each other, and the labels become a source.

A round hands each row to several annotators, mixed with gold examples whose label is known. The ledger has the digest
of the round and of each file of labels. Texts, labels and names are only in `.hallmark/labels/ROUND/`.

label_round.py   documents of a round: its rules, its annotators, files of labels
pseudonyms.py    pseudonyms of annotators and ids of items
entries.py       kinds of ledger entries about rounds
round_files.py   files of a round, compared with the ledger whenever they are read
prepared_pairs.py  pairs of answers as rows, for expert reviews
round_order.py   order of a round, and its validation
guideline.py     guideline of a round, pinned by its digest
items.py         items of a new round: rows and gold examples
input_rows.py    rows to label, from a run or from a file
assignment.py    balanced and seeded assignment of items to annotators
start.py         start of a round
participants.py  people of a round, and what each may do and see
forms/           forms of task files: JSON Lines, spreadsheet, Label Studio
handout.py       export of an annotator's or adjudicator's task file
label_file.py    check of a task file that comes back with labels
given_labels.py  labels given so far, disagreements, and adjudicated labels
submission.py    import of a checked task file as a new version
agreement/       Krippendorff's alpha, agreement with the gold examples, bootstrap intervals
aggregation.py   aggregation of several labels to one, with a confidence
finish.py        finish of a round: the rows with their labels as a file that can be a source
source_entry.py  entry of sources.yaml for the result
progress.py      progress of a round; workload and speed of annotators for the person who leads it
"""
