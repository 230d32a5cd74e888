"""Manifests for Kubernetes.

run.yaml       the job of one flow run of a work pool
training.yaml  a Ray cluster for trainings, whose pods reach no more than a stage does in its sandbox
"""
