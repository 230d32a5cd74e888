"""A gate, from the question to the answer.

signed_request.py   who asks for a run, before anything of it is made
evidence.py         figures, checks and digests of what the stages left, as one file
chain.py            the signed records of stages, held against what lies there
agreed.py           whether other machines made the same
checks/             what is checked: checks.py, purpose.py, bar.py, change.py
cases.py            which gates were asked, are open, were closed
approved.py         what passed a gate last
since.py            its last chapter: what came after the promotion
decisions.py        people approve, reject, waive, withdraw
offered.py          … which of these would be taken from a person now
signed_decision.py  what they sign, and how it is read back
rules/              the rules of decisions, each once; three ask them: before signing, when judged, offline
weigh.py            which decisions count, and why the others don't
missing.py          what a gate still wants, in words
words.py            its evidence in words, the same on a terminal and on a page
glance.py           what somebody reads before they decide
gates.py            where the gate stands: passed, failed, rejected, waiting, expired
overview.py         where all that stand open stand
reminders.py        what is due at a gate that waits
statement.py        gates/NAME.json, written once a gate has passed
policy_cases.py     cases kept beside the policy, judged by the code that judges gates
"""
