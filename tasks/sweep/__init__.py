"""Trainings with other parameters, to find good ones. A sweep advises; what it found is a run like any other.

space.py    which parameters take which values
rows.py     the rows: those of the last run whose data gate has passed
sweep.py    all trials in order; read this one first
trial.py    one training, looked at while it goes on
tracked.py  each trial as an MLflow run
"""
