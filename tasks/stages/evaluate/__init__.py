"""Is the candidate better than the base model and the champion, and by how much? Read in this order:

predict.py     stage: one model's answers to the held-out rows
sample.py      which rows the base model answers
models.py      which model that is; a champion's bytes are checked before anything is loaded
decode.py      greedy decoding in batches
speed.py       latency, throughput and cost of predicting; measured, not digested

evaluate.py    stage: the answers of all models, judged, compared and written up
answers.py     what is a right answer, and what a well-formed one
intervals.py   every figure with its interval, every comparison with its test
examples.py    each row with every model's answer, judged: what figures are computed from and reports quote
scoring.py     the figures from the rows, whole and by slice
metrics.py     the schema of metrics.json

page.py        what the report says: verdicts in words, success metrics judged, rows to quote
report.py      the page for a product owner and an auditor, from templates/
charts.py      its pictures, as SVG
account.py     what the other stages say of themselves: rows in and out, suites, training
holdings.py    what sources.yaml says of each source, and how fresh it is
drill.py       how much of what was planted in a drill's sources was found
data_section.py   the figures of the data section
"""
