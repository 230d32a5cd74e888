"""Stages `predict`, `probe`, `suites`, `leakage` and `evaluate`: what the candidate does, compared with other models.

The files in reading order:

predict.py      stage: answers of one model to the held-out rows
sample.py       sample of the rows that the base model answers
model_names.py  names of the models that are compared
models.py       location and loading of a model; a champion's files are verified before they are loaded
decode.py       greedy decoding in batches
inference/      model execution: in this process, or on several workers of a cluster
text_loss.py    cross-entropy of a model on held-out plain texts
speed.py        measurements of latency, throughput, cost and memory

evaluate.py          stage: judgement of all answers, metrics and report
answers.py           judgement of one answer: correct or not, well-formed or not
uncertainty.py       confidence intervals and significance tests
perplexity.py        perplexity on held-out plain texts
judged_rows.py       held-out rows with the judged answer of every model, the input of all metrics and of the report
metrics/             metrics, one file each; table.py lists them
model_comparison.py  comparison of the candidate with another model
scoring.py           metrics over all rows and over each slice
changed_answers.py   share of rows on which the candidate answers differently from another model
confidence/          confidence of answers, and the threshold for human review
metrics_schema.py    schema of metrics.json
suites/              evaluation suites: stages `probe` and `suites`
leakage/             what the candidate gives away about its training records: stage `leakage`
report/              report.html, for product owners and auditors
"""
