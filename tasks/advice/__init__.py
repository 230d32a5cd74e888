"""Advice on the approach for a use case: retrieval, or a kind of training.

row_profile.py  properties of the training rows of the last run
rules.py        rules for and against each approach; read this file first
ranking.py      ranking with costs, which can write the best approach into the use-case card
"""
