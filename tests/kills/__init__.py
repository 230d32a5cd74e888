"""SIGKILL at random moments of deciding and promoting, and what is found afterwards.

    project.py  the project in which it happens, prepared once and copied for each kill
    deeds.py    what is killed: commands that people type, and what the runner does at a gate and for a promotion
    trial.py    start one in a process, kill it, do it again as its user or the runner would, look at everything

Processes are forked from one that has imported everything, so that a kill hits the deed and no start of Python.
"""
