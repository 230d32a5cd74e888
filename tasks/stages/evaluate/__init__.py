"""Is the candidate better than the base model and the champion, and by how much? Read in this order:

predict.py     stage: one model's answers to the held-out rows
sample.py      which rows the base model answers
contenders.py  the models that are compared
models.py      which model that is; a champion's bytes are checked before anything is loaded
decode.py      greedy decoding in batches
team/          the models that answer: one in this process, or several on a cluster
reading.py     how well the model foretells held-out plain texts
speed.py       latency, throughput and cost of predicting; measured, not digested

evaluate.py    stage: the answers of all models, judged, compared and written up
answers.py     what is a right answer, and what a well-formed one
intervals.py   every figure with its interval, every comparison with its test
perplexity.py  figures of held-out plain texts
examples.py    each row with every model's answer, judged: what figures are computed from and reports quote
metrics/       what is measured, one file a metric; table.py lists them
comparing.py   the candidate against another model
scoring.py     the figures from the rows, whole and by slice
document.py    the schema of metrics.json
report/        the page for a product owner and an auditor
"""
