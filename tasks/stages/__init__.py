"""The only code that runs from a run's own commit. A stage is `run(params, layout)` in one module; `core/graph.py`
lists them.

    start.py     `python -I tasks/stages/start.py STAGE`, what dvc.yaml calls: no other code than this worktree's
    __main__.py  one stage by name, in the current folder
    same_python.py  the version of Python that stages of data run with
    libraries.py what a stage's process does not import, and when it collects garbage
    peak_memory.py  the most memory that this process has held
    runner.py    one stage by its module, and what goes wrong with it
    data/        sources to a training and a test set
    train/       the base model, fine-tuned
    evaluate/    is it better, and by how much?
    cluster/     work that is spread over machines, whichever stage's it is
    package/     what a release consists of, fixed so that people can decide on exactly that
"""
