"""The rules of decisions, each written once: a function of a `Claim` that says why it does not count, or None.

Three ask them: decisions.py before a person signs, weigh.py when a gate is judged, and
tasks/registry/verify/decided.py of a release, offline. What one of them cannot know (a release does not hold when its
gate was asked, or the evidence of another run) is None in the claim, and the rules about it then say nothing.

claim.py    what they look at
table.py    all of them, in the order in which people are told
subject.py  what the decision is about
person.py   whose it is
moment.py   when it was made
waiver.py   what is waived, and for how long
asking.py   of requests and not of decisions: who may ask for a run
beside.py   what a decision is beside others: withdrawn, said before, in another role
"""
