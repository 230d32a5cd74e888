"""Hallmark on Kubernetes.

hallmark/                 a Helm chart: Prefect, MLflow, watch, console, worker, and a Ray cluster by KubeRay
hallmark/files/run.yaml   the job of one flow run of a work pool, which `hallmark deploy` gives Prefect
examples/                 values: GPUs, spot machines, Kueue, a shared disk, production
"""
