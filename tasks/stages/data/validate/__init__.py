"""Stage `validate`: the data owners' suites.

validate.py        the stage
frame.py           records as the table that expectations are about
ages.py            how old they are, against what their source promises
outcomes.py        and what became of every row of the sources
questions.py       what a suite asks, as Great Expectations' own objects
own_expectations/  expectations that Great Expectations has not
leftovers.py       what the recognisers still find in protected texts
expectations.py    suites asked, and results without values of records
only_in_target.py  targets with a placeholder that their prompt lacks
checked.py         what is said of a suite
docs/              Data Docs
"""
