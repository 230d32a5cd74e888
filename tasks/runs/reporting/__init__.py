"""Reports on runs: summary, differences, curves, and what MLflow shows.

mlflow_sync.py        a run as MLflow shows it
training_curve.py     curve of a training
mlflow_runs.py        MLflow's address, experiments and runs
summary.py            a run as one JSON document
difference.py         differences between two runs
paired_comparison.py  paired comparison of the candidates of two runs
"""
