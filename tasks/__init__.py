"""Work of Hallmark's flows: typed functions and stages that do not depend on Prefect and can be called from a test.

The packages, from the ground up; each imports only those above it in this list (pyproject.toml, import-linter):

    core/           foundations; graph.py is the one table of stages and gates
    sources/        sources.yaml, protection, the vault
    trust/          signed documents, keys, periods in which keys are valid
    stages/         data, train, evaluate, package: the only code that runs from a run's own commit
    ledger/         the append-only ledger
    supervise/      sandbox of a stage, its supervisor and the stage cache
    policy/         policy and people, and what of them is in force
    declarations/   sources and use-case cards as their owners adopted them
    inquiry/        questions about data
    incidents/      incidents that a person has to close
    code_versions/  versions of the code, and their sign-off
    gates/          evidence, decisions, state of a gate
    consent/        withdrawals of sources by their owners
    suppression/    requests to forget a person, decisions about them, and their effect on runs and releases
    registry/       releases: promotion, verification, admission, history
    runs/           a run as a git commit
    scratch/        stages that are tried outside of runs
    scheduling/     schedules and triggers, and the runs that they request
    reproduce/      second build of a release, and its comparison
    audit/          dossier of a release
    serve/          serving of the release in production
    cleanup/        removal of files that policy does not keep
    backup/         backup and restoration of the state of a checkout
    scaffold/       use case from a data file
    labels/         rounds of expert labels
    review/         expert reviews of a run's answers, on rounds of labels
    advice/         advice on the approach for a use case
    compare/        comparison of base models
    sweep/          trainings with different parameters
    erase/          removal of all that Hallmark holds about a person, its verification and certificate

Places for something new; the tests in tests/contract/ and of the package name what is still missing:

    metric           a file in stages/evaluate/metrics/, a line in its table.py
    filter           a file in stages/data/clean/filters/, a line in core/params/filters.py; the parameter, the counts
                     of rows and the reference pages follow
    form of labels   a file in labels/forms/, a line in its table.py and in `FormName` (labels/label_round.py)
    kind of source   a file in stages/data/readers/formats/, a line in core/steps/kinds.py; sources.yaml, the counts of
                     malformed rows, `hallmark new` and the reference pages follow
    stage            a module with `run`, a line in core/graph.py, its place in flows/retrain.py; the printed dvc.yaml
    stage of data    a module with `run`, a line in core/steps/data.py, the printed dvc.yaml; the flow, the counts of
                     rows and the stages after it follow from that table
    gate             a line in core/graph.py, its place in flows/retrain.py, its rules in every policy.yaml; in a stage
                     that comes after it, `require_gate`, and the gate in the stage's line
    optional field   a line with a default in the document; infra/formats.py prints its schema
    signed kind      a `DatedDocument` and a `SignedKind` (policy/signed_document.py) in one file; a line in
                     infra/formats.py and in ledger/kinds.py; a call wherever something depends on the document
    training method  a file in core/params/training_methods/, a line in core/params/methods.py; fields in
                     core/params/training.py if it has parameters of its own
"""
