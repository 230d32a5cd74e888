"""Which approach fits a use case: retrieval, or which kind of training.

data.py      what the rows are like, as the last run made them
opinions.py  the rules: what speaks for and against each approach; read this one first
advise.py    opinions with what each would cost, and the approach written into the card
"""
