"""Comparison of base models on a task, to help people choose one. It is only advice: no gate depends on it.

base_models.py  file that lists the base models
model_terms.py  licence and region of a base model under policy
rows.py         choice of the rows to answer and to train on
outcome.py      answers and measurements of one base model
metrics.py      metrics with intervals, and paired differences
comparison.py   the comparison, one base model after the other; read this file first
document.py     a comparison as one document
chart.py        layout of the chart of quality against cost
html_page.py    HTML page of a comparison, rendered from templates/
"""
