"""Hallmark on Kubernetes: Helm chart and example values.

hallmark/                 Helm chart: Prefect, MLflow, watch, console, worker, and a Ray cluster by KubeRay
hallmark/files/run.yaml   job of one flow run of a work pool, which `hallmark deploy` passes to Prefect
examples/                 example values: GPUs, spot machines, Kueue, a shared disk, a sandbox, one node, production
"""
