"""Metrics of an evaluation, one file each.

To add a metric, add a file here and a line in table.py. The table determines which metrics are in metrics.json, in the
results that gates judge, in the report and on the model card.

metric.py            definition of a metric, and computations that metrics share
exact_match.py       proportion of correct answers
macro_f1.py          mean F1 over the labels
format_adherence.py  proportion of well-formed answers

comparison_fact.py      definition of a metric that compares two models
gain_over.py            difference between two models' proportions of correct answers
mcnemar_p.py            p-value of McNemar's test for that difference
smallest_detectable.py  smallest true difference that the rows would have shown

table.py  list of all metrics, in the order in which they are shown
"""
