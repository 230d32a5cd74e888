"""Who may let a model pass, on what evidence: sources, policy, people, gates, decisions and the ledger.

Settings, each one schema and one file in infra/governance/:

    sources.py          the inventory of sources and their Great Expectations suites
    policy.py           gates by risk tier, who asks for runs, who signs off changes
    gate_rules.py       of one gate: checks, roles, waivers, deadlines, keys
    people.py           identities, roles, public keys
    proposal.py         changes of people.yaml, to be signed off
    validity.py         keys and roles that count for a time, and what was signed with them
    satisfiable.py      whether enough people are there for what policy asks
    governance.py       policy and people that fit each other, and whose key signs and verifies

A run, before anything of it is made:

    signed_request.py   what whoever asks for it signs, and how it is read back

A gate, in the order in which it goes:

    evidence.py         figures, checks and digests of what the stages left, as one file
    change.py           how a dataset differs from the one approved before
    docket.py           which gates were asked, are open, were closed
    approved.py         what passed a gate last
    since.py            how a gate's evidence differs from that
    decisions.py        people approve, reject, waive, withdraw
    signed_decision.py  what they sign, and how it is read back
    weigh.py            which decisions count, and why the others don't
    missing.py          what a gate still wants, in words
    gates.py            where the gate stands: passed, failed, rejected, waiting, expired
    reminders.py        what is due at a gate that waits
    statement.py        gates/NAME.json, without which the stages behind a gate refuse to run

At any time:

    withdrawals.py        an owner takes back a source; what holds it goes no further
    signed_withdrawal.py  what they sign, and how it is read back
    incidents.py          something that a person has to look into: opened once, escalated, closed
    signed_incident.py    what is signed of one, and how it is read back

Underneath:

    keys.py             OpenSSH ed25519 keys
    signing.py          which of them signs: a file, with a passphrase or without, or the agent
    ssh_agent.py        a running ssh-agent
    model_key.py        the key that signs models, of another kind
    dsse.py             signed in-toto statements with one spelling
    database.py         SQLite or Postgres, whose writers take turns

The ledger, and how it shows that nothing in it was changed:

    ledger.py           the append-only table and the tree over it
    ledger_guards.py    its triggers
    ledger_entry.py     an entry, as a row, as a leaf of the tree, as it is read
    merkle.py           the tree of RFC 9162: hashing, proofs
    heads.py            signed heads of the tree
    publish.py          where they go
    places/             folder, S3, git remote
    ledger_walk.py      entries against heads, wherever they come from
    ledger_check.py     `hallmark ledger verify`
    ledger_proof.py     proofs about one entry, and between two heads
    ledger_export.py    the whole ledger as a file
    ledger_search.py    entries by kind, run, person, time

What is about people in the data, for `ingest` and those who may look:

    protection.py       classes of personal and secret text, and what is done with each
    vault.py            what tokens stand for, encrypted value by value
    vault_keys.py       its key
    looks.py            who looked at what is readable, and why

Flow and command line call `in_force.load`, `ledger.open_ledger`, `evidence.collect`, `gates.ask`,
`decisions.decide`, `gates.settle`, `statement.write_gate`, `withdrawals.held_back`; stages call
`statement.require_gate`.
"""
