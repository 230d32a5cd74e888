"""Policy and people: who may do what, by which rules, and since when.

Changes are in force once the people have signed whom the policy before names for that.

    policy.py            policy.yaml: gates by risk tier, requesters of runs, roles that sign off changes
    gate_rules.py        rules of one gate: checks, roles, waivers, deadlines, keys
    people.py            people.yaml: identities, roles, public keys, machines
    judge.py             digest of the Hallmark that judges gates, and whether policy accepts it
    proposal.py          changes of people.yaml, to be signed off
    explanation.py       description of a policy in words
    staffing.py          whether enough people hold the roles that policy asks for
    governance.py        policy and people that fit together, and the keys of people and machines
    overview.py          adoptions, people and their keys, for commands and pages
    differences.py       description of what an adoption would change
    adoption.py          signed statement of an adoption, and the chain of adoptions
    effective_times.py   times from which roles and keys count
    ended_keys.py        ends and revocations of keys, which later adoptions cannot take back
    adoption_entries.py  proposals, signatures and adoptions in the ledger
    in_force.py          governance in force, verified from the root key at each reading
    signed_document.py   verification of signed entries, the same for every kind
    signed_entry.py      recording of what a person signs: signed first, then compared and recorded
"""
