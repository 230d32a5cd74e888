"""Policy and people: who is allowed to do what, by which rules, and since when.

A change comes into force once the people named in the previous policy have signed it.

    policy.py            policy.yaml: gates by risk tier, requesters of runs, roles that sign off changes
    tier.py              rules of a risk tier: gates, requesters, separation of people
    fact_names_check.py  check that gates name metrics that exist at them
    gate_rules.py        rules of one gate: checks, roles, waivers, deadlines, keys
    teams.py             teams: their use cases, people and quotas
    team_visibility.py   use cases whose runs a person sees
    people.py            people.yaml: identities, roles, public keys, machines
    judge_install.py     digest of the Hallmark install that judges gates, and whether policy accepts it
    proposal.py          changes of people.yaml, to be signed off
    explanation.py       description of a policy in words
    staffing.py          whether enough people hold the roles that policy requires
    able_people.py       check that the people of a first adoption could sign and decide when it begins
    needed_roles.py      roles that somebody has to hold under a policy, and their duties in words
    governance.py        policy and people that are consistent, and the keys of people and machines
    overview.py          adoptions, people and their keys, for commands and pages
    differences.py       description of the changes that an adoption would make
    adoption.py          signed statement of an adoption, and the chain of adoptions
    effective_times.py   times from which roles and keys are valid
    ended_keys.py        ends and revocations of keys, which later adoptions cannot take back
    machine_keys.py      check that an adoption keeps the keys of machines
    adoption_entries.py  adoptions in the ledger, and the one in force
    adoption_signing.py  proposals, and the signatures that bring them into force
    root_of_trust.py     root key that this machine trusts
    in_force.py          governance in force, verified from the root key at each reading
    signed_times.py      times before which a ledger entry cannot have been recorded
    signed_document.py   verification of signed entries, the same for every kind
    signed_entry.py      recording of signed entries: signed first, then compared and recorded
"""
