"""Advice on the approach for a use case: retrieval, or a kind of training.

data.py      properties of the rows, as the last run made them
opinions.py  rules for and against each approach; read this one first
advise.py    ranking with costs, and writing of the best approach into the card
"""
