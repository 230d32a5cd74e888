"""A gate, in the order in which it goes.

evidence.py         figures, checks and digests of what the stages left, as one file
checks.py           … the checks: policy's, those of every tier, the use case's own metrics
purpose.py          … what the use case is for, and whether its sources are approved for that
bar.py              … whether its metrics ask less than those of the version adopted last
change.py           how a dataset differs from the one approved before
docket.py           which gates were asked, are open, were closed
approved.py         what passed a gate last
since.py            how a gate's evidence differs from that
decisions.py        people approve, reject, waive, withdraw
signed_decision.py  what they sign, and how it is read back
weigh.py            which decisions count, and why the others don't
missing.py          what a gate still wants, in words
gates.py            where the gate stands: passed, failed, rejected, waiting, expired
overview.py         where all that stand open stand
reminders.py        what is due at a gate that waits
statement.py        gates/NAME.json, without which the stages behind a gate refuse to run
"""
