"""Stages of a run. Only their code is taken from the run's commit; all other code is that of the installed Hallmark.

A stage is a module with a function `run(params, layout)`. `core/graph.py` lists the stages.

    start.py           `python -I tasks/stages/start.py STAGE`, which dvc.yaml calls; imports only this worktree's code
    __main__.py        `python -m tasks.stages STAGE`, to run a stage by hand
    python_version.py  check that data stages run with the run's version of Python
    import_speed.py    faster imports: hidden libraries, and rarer garbage collection
    peak_memory.py     peak memory of the process
    runner.py          execution of one stage, with its errors and exit code
    data/              stages that turn sources into a training set and a test set
    train/             fine-tuning of the base model
    evaluate/          comparison of the candidate with the base model and the champion
    cluster/           distribution of a stage's work over several machines
    package/           payload of a release, built before people decide on the release
"""
