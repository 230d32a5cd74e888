"""Promotion of a run's package to a release in production, and rollback to an earlier release.

candidate.py           verification of a run's package and gates before promotion
candidate_digest.py    digest of everything that determines a candidate's bytes
gated_files.py         check that the promoted files are those that the gates' evidence describes
promotion.py           steps of a promotion, and recovery after a crash
assembly.py            assembly of a release's bundle
intents.py             ledger entries that announce a promotion, for recovery after a crash
base_models.py         copies of the base models that promoted adapters need
release_decisions.py   decisions behind a release, with reason, time and ledger entry
waivers.py             waivers that a release relies on, and their expiry
champion.py            release in production, with which new candidates are compared
last_conditions.py     conditions of a promotion that can change until it is recorded
recovery.py            completion or undoing of interrupted promotions
mlflow_mirror.py       mirror of the promotions in MLflow's registry
mlflow_turn.py         turns at MLflow's registry, outside of the promotion lock and with a time limit
rollback.py            rollback to an earlier champion
rollback_orders.py     signed rollback orders, and the roles that can give them
order_rules.py         rules for rollback orders, which are the rules for approvals at the release gate
emergency_rollback.py  emergency rollback by one person, and its confirmation by a second
releases.py            list of releases, from the ledger
"""
