"""Stage `deduplicate`.

deduplicate.py  the stage
compared.py     the records as columns
asked.py        what the prompts say of those that stand near others
preference.py   which of several records is kept
duplicates.py   exact duplicates
near/           near-identical texts
neighbours.py   records that stand near each other
verdicts.py     which of them go, and for which other
"""
