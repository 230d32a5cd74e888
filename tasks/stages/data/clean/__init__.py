"""Stage `clean`, which removes records that a filter rules out: texts that are empty, too short or too long, and more.

clean.py   the stage
filter.py  definition of a filter, and those that are on
filters/   filters, one file each
"""
