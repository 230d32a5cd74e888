"""Rules for decisions. Each rule is a function that returns the reason why a decision does not count, or None.

The rules are used in four places: in decisions.py before a person signs, in decision_validity.py when a gate is judged,
in tasks/registry/verify/decision_checks.py when a release is verified offline, and in
tasks/registry/promote/order_rules.py for a rollback order. A fact that is not available in one of these places is None
in the claim, and the rules about it pass. A release, for example, does not contain the time at which its gate was
opened, or evidence of other runs.

claim.py            claim with the facts that the rules need
all_rules.py        all rules of single decisions, in the order in which reasons are reported
subject.py          rules about the output, policy and purpose of a decision
person.py           rules about the person, role and key of a decision
timing.py           rules about the time of a decision
waiver.py           rules about the checks and the duration of a waiver
run_request.py      rules for run requests instead of decisions: who may request a run
other_decisions.py  rules that compare decisions: withdrawn, repeated, or in a second role
"""
