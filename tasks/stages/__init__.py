"""Stages of a run, the only code that runs from a run's own commit.

A stage is a module with `run(params, layout)`; `core/graph.py` lists them.

    start.py           `python -I tasks/stages/start.py STAGE`, which dvc.yaml calls: imports only this worktree's code
    __main__.py        `python -m tasks.stages STAGE`, for a stage that is run by hand
    python_version.py  check that stages of data run with the run's version of Python
    import_speed.py    imports that a stage avoids, and garbage collection after importing
    peak_memory.py     peak memory of the process
    runner.py          execution of one stage by its module, with its errors and exit code
    data/              from sources to a training and a test set
    train/             fine-tuning of the base model
    evaluate/          comparison of the candidate with base model and champion
    cluster/           work on several machines, for any stage
    package/           the payload of a release, fixed so that people can decide on exactly that
"""
