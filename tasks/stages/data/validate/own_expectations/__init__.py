"""Expectations that Great Expectations does not have. Importing a module registers its expectation with GE.

texts_hold_nothing_protected.py  the recognisers find no personal or secret text in protected records

Most expectations about protection, duplicates, contradictions and retention need no class of their own: they are GE's
expectations about columns that Hallmark computes (`tasks.stages.data.validate.ages`,
`tasks.stages.data.validate.outcomes`).
"""
