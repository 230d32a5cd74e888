"""Stage `validate`, which evaluates the data owners' expectation suites.

validate.py        the stage
frame.py           records as a data frame for expectations
ages.py            ages of records in days, and days left of the periods that their source declares
outcomes.py        outcome of every row of the sources, as a data frame for expectations
questions.py       expectations of a suite as Great Expectations' objects
own_expectations/  expectations that Great Expectations does not have
leftovers.py       personal and secret text that remains in protected records
expectations.py    evaluation of suites, with results that hold no value of a record
only_in_target.py  targets with a placeholder that their prompt lacks
checked.py         results of a suite and its expectations
docs/              Data Docs
"""
