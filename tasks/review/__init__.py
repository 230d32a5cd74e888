"""Expert reviews: experts compare answers of a run's candidate with those of another model, blind to whose they are.

A review is a round of labels (tasks/labels) whose rows are pairs of answers. Which answer is whose is in a file of the
round that its lead alone reads. The lead signs the result, which policy can require at the evaluation gate.

pairs.py            pairs of answers of a run, with the verdicts of automatic judges
sampling.py         stratified sample of pairs, those on which judges tell the models apart first
pair_text.py        text of a pair as annotators see it
answer_order.py     secret order of the answers, and the document that keeps it
expert-review.txt   guideline of a review whose lead gives no other
start.py            start of a review
reviewers.py        people who may take part: nobody who requested the run
outcomes.py         outcome of each pair, from labels mapped back to models
judge_agreement.py  agreement of automatic judges with the experts
results.py          result of a review: preference, ties, agreement, comments
finish.py           finish of a review, and the signature under its result
recorded.py         newest review of a run in the ledger
"""
