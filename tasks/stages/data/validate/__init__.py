"""Stage `validate`, which evaluates the data owners' expectation suites.

validate.py             the stage
frame.py                records as a data frame for expectations
ages.py                 ages of records in days, and days left of the periods that their source declares
outcomes.py             outcome of every row of the sources, as a data frame for expectations
ge_expectations.py      conversion of a suite's expectations to objects of Great Expectations
own_expectations/       expectations that Great Expectations does not have
remaining_finds.py      personal and secret text that remains in protected records
suite_evaluation.py     evaluation of suites, with results that contain no value of a record
target_placeholders.py  targets with a placeholder that their prompt lacks
two_sample.py           comparison of synthetic with real records, by a classifier
sample_classifier.py    classifier of that comparison, with the n-grams by which it succeeds
suite_results.py        results of a suite and its expectations
docs/                   Data Docs
"""
