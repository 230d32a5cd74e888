"""Trainings with other parameters, to find good ones. A sweep advises; what it found is a run like any other.

space.py     which parameters take which values
rows.py      the rows: those of the last run whose data gate has passed
study.py     which trials there are, and which are stopped early
sweep.py     all trials in order; read this one first
trial.py     one training, looked at while it goes on
document.py  what was found
tracked.py   each trial as an MLflow run
"""
