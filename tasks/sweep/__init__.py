"""Sweeps: training runs with different parameters, to find good ones. A sweep is advice: its parameters need a new run.

search_space.py   parameters and the values to try
rows.py           rows for training, from the last run whose data gate has passed
study.py          choice of trials and early stopping, by Optuna
sweep.py          the sweep, trial by trial; read this file first
trial.py          one training, which can be stopped
document.py       result of a sweep
mlflow_trials.py  trials as MLflow runs
"""
