"""What Hallmark's flows do: typed functions and stages that know nothing of Prefect and can be called from a test.

Read in this order:

    errors.py    what can go wrong, and the exit code of each
    shown.py     text as it may be shown: no character obeyed that a reader does not see
    pages.py     … in templates of HTML
    files.py     digests, canonical JSON, outputs that appear whole or not at all
    yaml_text.py YAML text, bounded before anything is made of it
    config.py    YAML into frozen objects, every mistake reported together with file and line
    params.py    the one schema of params.yaml
    layout.py    where everything of a run lies
    record.py    one row of a dataset
    dataset.py   what a dataset is made of
    facts.py     figures that stages state and gates judge
    progress.py  how far a stage is
    prompts.py   a record as the chat that a model sees
    __main__.py  one stage, in the current folder
    start.py     `python -I tasks/start.py STAGE`, what dvc.yaml calls: no other code than this worktree's

Then the rooms: `data/` (ingest, clean, deduplicate, validate, split), `train/` (base_model, train), `evaluate/`
(predict, evaluate), `govern/` (sources, policy, people, gates, decisions, ledger), `registry/` (package, promotion,
admission), `runs/` (a run as a git commit in a worktree of its own), `reproduce/` (a release built again), `audit/`
(its dossier) and `backup/` (the state of a checkout as one folder, and back).
"""
