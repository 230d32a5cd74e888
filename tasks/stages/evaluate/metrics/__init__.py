"""The metrics of an evaluation, one file each. A new one is a file here and a line in table.py; metrics.json, the facts
that gates judge, the report and the model card follow the table.

metric.py            what a metric is, and what most of them are computed with
exact_match.py       share of right answers
macro_f1.py          mean F1 over the labels
format_adherence.py  share of well-formed answers

compared.py          what a comparison of two models states for gates
gain_over.py         how much more often the candidate is right
mcnemar_p.py         whether so large a difference arises by chance

table.py             all of them, in the order in which they are shown
"""
