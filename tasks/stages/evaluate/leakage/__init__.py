"""Stage `leakage`: what the candidate gives away about the records that it was trained on.

The files in reading order:

leakage.py         stage: measurement of the candidate and the base model
questions.py       canaries and rows that the models are asked about
model_answers.py   losses and continuations of one model
canary_ranks.py    exposure of canaries, and the test that their ranks are those of chance
membership.py      membership inference: can training rows be told from test rows by their loss
regurgitation.py   continuation of training texts word by word
results_schema.py  schema of leakage.json
leakage_facts.py   figures that gates judge
"""
