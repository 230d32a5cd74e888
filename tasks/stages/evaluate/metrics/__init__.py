"""Metrics of an evaluation, one file each.

To add a metric, add a file here and a line in table.py. The table determines metrics.json, the facts that gates judge,
the report and the model card.

metric.py            definition of a metric, and computations that metrics share
exact_match.py       share of right answers
macro_f1.py          mean F1 over the labels
format_adherence.py  share of well-formed answers

comparison_fact.py  definition of a fact about a comparison of two models
gain_over.py        difference of the shares of right answers
mcnemar_p.py        p-value of McNemar's test for that difference

table.py  list of all metrics, in the order in which they are shown
"""
