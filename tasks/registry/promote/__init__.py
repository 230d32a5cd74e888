"""Promotion of a run's package to a release in production, and rollback to an earlier release.

candidate.py           package of a run with its gates, verified again before promotion
candidate_digest.py    digest of everything that decides a candidate's bytes
gated_files.py         check that the gates' evidence is about the files that are promoted
promotion.py           steps of a promotion, and recovery after a crash
assembly.py            building of a release's bundle
intents.py             intents, recorded before a promotion starts
base_models.py         copies of the base models that promoted adapters need
release_decisions.py   decisions behind a release, with reason, time and ledger entry
waivers.py             waivers that a release relies on, and their expiry
champion.py            release in production, as runs are compared with it
recovery.py            completion or undoing of interrupted promotions
mlflow_mirror.py       MLflow's registry, which shows the promotions
rollback.py            rollback to an earlier champion
rollback_orders.py     signed orders of a rollback, and the roles that may give them
order_rules.py         rules of orders: those of an approval at the release gate
emergency_rollback.py  emergency rollback by one person, and its confirmation by a second
releases.py            list of releases, for people
"""
