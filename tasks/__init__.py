"""What Hallmark's flows do: typed functions and stages that know nothing of Prefect and can be called from a test.

The rooms, from the ground up; each imports those above it in this list alone (pyproject.toml, import-linter):

    core/       what everything rests on; graph.py is the one table of stages and gates
    sources/    the inventory of sources, protection, the vault
    trust/      signed documents, keys, what counted when
    stages/     data, train, evaluate, package: the only code that runs from a run's own commit
    ledger/     the append-only record
    policy/     people, rules, what is in force
    inquiry/    questions about data
    incidents/  what a person has to look into
    gates/      evidence, decisions, where a gate stands
    consent/    sources that their owners took back
    registry/   releases: promoted, verified, admitted, looked back at
    runs/       a run as a git commit
    reproduce/  a release built again
    audit/      its dossier
    backup/     the state of a checkout as one folder, and back
"""
