"""Sweeps: trials with different parameters, to find good ones. A sweep only suggests parameters for a new run.

search_space.py   parameters and the values to try
rows.py           rows for training, from the newest run if its data gate has passed
study.py          choice of trials and early stopping, with Optuna
sweep.py          the sweep, trial by trial; read this file first
trial.py          execution of one trial, which can be stopped early
document.py       result of a sweep
mlflow_trials.py  trials as MLflow runs
"""
