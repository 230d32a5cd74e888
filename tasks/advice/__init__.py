"""Advice on the approach for a use case: retrieval, or a kind of training.

row_profile.py  properties of the rows, as the last run made them
rules.py        rules for and against each approach; read this one first
ranking.py      ranking with costs, and writing of the best approach into the card
"""
