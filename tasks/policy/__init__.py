"""Who may do what, by which rules, and since when. Policy and people are in force once those have signed who may change
them.

    policy.py        policy.yaml: gates by risk tier, who asks for runs, who signs off changes
    gate_rules.py    of one gate: checks, roles, waivers, deadlines, keys
    people.py        people.yaml: identities, roles, public keys, machines
    judge.py         which Hallmark judges here, and whether it may
    proposal.py      changes of people.yaml, to be signed off
    explain.py       the policy in words
    satisfiable.py   whether enough people are there for what policy asks
    governance.py    policy and people that fit each other, and whose key signs and verifies
    differences.py   what a change would change, in words
    adoption.py      what is signed of it, each statement following from the one before
    counting.py      since when what it gives counts
    ended.py         what ended or was revoked stays so
    adopting.py      proposing and signing, in the ledger
    in_force.py      the governance in force, verified from the root each time
    read_signed.py   how an entry that somebody signed is read: one way for every kind
    signed_entry.py  how a person's signature gets onto the ledger: signed first, then recorded
"""
