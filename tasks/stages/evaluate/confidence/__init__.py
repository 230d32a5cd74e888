"""Confidence of answers: whether it can be trusted, and which answers a person has to review.

schema.py            schema of the results in metrics.json
calibration.py       confidence against correctness on the test rows: calibration error, Brier score, AUROC
review_threshold.py  confidence above which answers need no review, chosen on the calibration rows
selective.py         selective coverage and selective precision of that threshold on the test rows
results.py           results of both, and the metrics that gates judge
"""
