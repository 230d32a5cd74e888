"""Reports on runs: summary, differences, curves, and synchronisation with MLflow.

mlflow_sync.py        synchronisation of a run with MLflow
training_curve.py     training curve that stage `train` wrote
mlflow_runs.py        MLflow's address, experiments and runs
summary.py            summary of a run as one JSON document
difference.py         differences between two runs
paired_comparison.py  paired comparison of the candidates of two runs
suite_comparison.py   paired comparison of the candidates of two runs on cases of suites
run_notices.py        notices about runs that failed or were interrupted
"""
