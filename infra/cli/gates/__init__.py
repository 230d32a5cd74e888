"""`hallmark gates`: what waits for people, the evidence, and their decisions.

looking.py   list and show
page.py      a gate's evidence as a person reads it
deciding.py  approve, reject, waive, withdraw
asked.py     the question as it was put last, and what it is judged by
"""
