"""Expectations that Great Expectations has not, as classes of its own kind: importing a module registers what it has.

texts_hold_nothing_protected.py   the recognisers find nothing in the protected texts that should have gone

Most of what owners ask about protection, duplicates, conflicts and retention needs no class: GE's own expectations say
it over columns made for that (`tasks.stages.data.validate.ages`, `tasks.stages.data.validate.outcomes`).
"""
