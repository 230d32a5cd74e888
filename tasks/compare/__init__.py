"""Comparison of base models on a task, before one is chosen. A comparison is advice and passes no gate.

base_models.py  file that lists the base models
model_terms.py  licence and region of a base model under policy
rows.py         rows to answer and to train on, from the training partition of a run whose data gate has passed
outcome.py      answers and measurements of one base model
metrics.py      metrics with intervals, and paired differences
comparison.py   the comparison, base model by base model; read this one first
document.py     a comparison as one document
chart.py        layout of the chart of quality against cost
html_page.py    HTML page, made of templates/
"""
