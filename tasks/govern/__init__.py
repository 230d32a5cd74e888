"""Who may let a model pass, on what evidence: sources, people, rules, gates and the ledger.

In the order in which to read:

    identity/   who somebody is: people.yaml, keys, what signs for whom, what counts when
    rules/      policy.yaml, and the governance in force: adopted by signatures, never what a checkout says
    gate/       a gate from the question to the answer, and the decisions of people
    ledger/     the append-only record of all of it, and how it shows that nothing was changed

Each file of infra/governance/ has one schema: `rules/policy.py`, `identity/people.py`, and here

    sources.py            the inventory of sources and their Great Expectations suites

What is signed besides decisions at gates; each file says what that is and how it is read back:

    signed_request.py     who asks for a run, before anything of it is made
    signed_withdrawal.py  an owner takes back a source; `withdrawals.py` keeps what holds it from going further
    signed_incident.py    something that a person has to look into; `incidents.py` opens, escalates and closes

Underneath:

    signed_entry.py       how a person's signature gets onto the ledger: signed first, then recorded
    unchanged.py          whether what was signed is still asked
    dsse.py               signed in-toto statements with one spelling
    database.py           SQLite or Postgres, whose writers take turns

What is about people in the data, for `ingest` and those who may look:

    protection.py         classes of personal and secret text, and what is done with each
    vault.py              what tokens stand for, encrypted value by value
    vault_keys.py         its key
    looks.py              who looked at what is readable, and why

Flow and command line call `in_force.load`, `ledger.open_ledger`, `evidence.collect`, `gates.ask`,
`decisions.decide`, `gates.settle`, `statement.write_gate`, `withdrawals.held_back`; stages call
`statement.require_gate`.
"""
