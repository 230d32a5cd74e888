"""Stage `clean`, which removes records that a filter or their prompt or target rules out.

clean.py   the stage
filter.py  definition of a filter, and those that are on
filters/   filters, one file each
"""
