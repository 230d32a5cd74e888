"""Who may let a model pass, on what evidence: sources, policy, people, gates, decisions and the ledger.

Settings, each one schema and one file in infra/governance/:

    sources.py    the inventory of sources and their Great Expectations suites
    policy.py     gates by risk tier
    people.py     identities, roles, public keys

"""
