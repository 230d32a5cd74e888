"""Stage `clean`, which removes records with an empty prompt, with an unreadable target, or that a filter rejects.

clean.py   the stage
filter.py  definition of a filter, and selection of the active filters
filters/   filters, one file each
template_rules.py  rules of the templates of prompt and response
"""
