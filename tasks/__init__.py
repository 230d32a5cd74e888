"""What Hallmark's flows do: typed functions and stages that know nothing of Prefect and can be called from a test.

The rooms, from the ground up; each imports those above it in this list alone (pyproject.toml, import-linter):

    core/       what everything rests on; graph.py is the one table of stages and gates
    sources/    the inventory of sources, protection, the vault
    trust/      signed documents, keys, what counted when
    stages/     data, train, evaluate, package: the only code that runs from a run's own commit
    ledger/     the append-only record
    policy/     people, rules, what is in force
    declarations/ sources and use-case cards as their owners adopted them
    inquiry/    questions about data
    incidents/  what a person has to look into
    versions/   which versions of the code were signed off
    gates/      evidence, decisions, where a gate stands
    consent/    sources that their owners took back
    registry/   releases: promoted, verified, admitted, looked back at
    runs/       a run as a git commit
    occasions/  schedules and triggers: why a run is asked for, and that each makes one
    reproduce/  a release built again
    audit/      its dossier
    backup/     the state of a checkout as one folder, and back
    scaffold/   a use case from a data file
    advice/     which approach fits it

Where something new goes; the tests in tests/contract/ and of the room name what is still missing:

    metric           a file in stages/evaluate/metrics/, a line in its table.py
    kind of source   a file in stages/data/readers/, a line in its kinds.py, its name in sources/sources.py: Source.kind
    stage            a module with `run`, a line in core/graph.py, its place in flows/retrain.py; the printed dvc.yaml
    stage of data    the same with a line in core/steps/data.py alone: the flow, what counts rows and what comes after
                     the stages that take rows out follow it
    gate             a line in core/graph.py, its place in flows/retrain.py, `require_gate` in the stage behind it, its
                     rules in every policy.yaml
    signed kind      a `Dated` document and a `Kind` (policy/read_signed.py) in one file; a line in infra/formats.py and
                     in tasks/ledger/kinds.py; what it holds up asks it
    training method  a line in core/params/methods.py and in stages/train/handling.py
"""
