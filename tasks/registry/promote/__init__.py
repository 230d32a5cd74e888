"""From a run's package to a release in production, and back to an earlier one.

candidate.py  a run's package with all its gates, looked at again before promotion
identity.py   what makes two candidates the same
looked_at.py  whether it was made from exactly what its gates looked at
promotion.py  promote, and finish or undo what a crash left
assembly.py   building a bundle: aside first, then renamed
intents.py    what a promotion writes down before it starts
bases.py      the base models that releases are adapters of, kept
decided.py    the decisions behind a release, with reason, time and entry
waivers.py    what a release was let through on, and what of that has expired
champion.py   the release in production, as runs compare with it
recovery.py   what a crash left of a promotion, finished or undone
mirror.py     MLflow's registry, which shows it to people and tools
rollback.py   back to an earlier champion
orders.py     who may order that, and what they sign
emergency.py   one person alone in an emergency, and the second who confirms it
releases.py   every release, for people
"""
