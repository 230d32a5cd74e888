"""Gates: from the evidence of a run's stages to the signed statement that lets the next stage run.

signed_request.py      signed requests for runs
signed_review.py       signed results of expert reviews, and the facts that they give
evidence.py            evidence of a gate: metrics, checks and digests of the stages' outputs, in one file
review_validity.py     validity of the review in evidence, by the ledger or in a release
run_profile.py         profile of a run's dataset for people, from its evidence or counted anew
run_detectors.py       finds of owners' detectors in a run's sources, and detectors that are missing
record_chain.py        verification of a run's files against the signed stage records
agreement.py           agreement of several machines on the outputs of a run
checks/                checks of a gate
dataset_profile/       profile of a dataset: coverage, and distance from the dataset approved last
cases.py               gates in the ledger: opened, open and closed
passed_evidence.py     evidence that last passed a gate
evidence_diff.py       differences between evidence and the evidence that last passed the gate
decisions.py           decisions of people: approve, reject, waive, withdraw
possible_decisions.py  decisions that a person can make now
signed_decision.py     signed decisions, and their verification
rules/                 rules for decisions and requests, used before signing, at the gate and offline
decision_validity.py   decisions that count at a gate, and the reasons why other decisions do not count
missing_decisions.py   decisions that a gate still needs, in words
evidence_text.py       evidence in words, for terminals and pages
finding_commands.py    commands that name the rows or labels behind a check
decision_summary.py    summary for people who are about to decide
recogniser_figures.py  measured shares of values that Hallmark's recognisers mask, from recogniser_figures.yaml
gates.py               state of a gate: passed, failed, rejected, waiting, expired
overview.py            states of all open gates
reminders.py           reminders, escalation and closing of waiting gates
statement.py           gates/NAME.json, the statement that a gate has passed
fact_hints.py          hints about checks whose metric the newest run lacked
policy_tests.py        test cases of a policy, judged by the code that judges gates
"""
