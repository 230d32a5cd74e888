"""Manifests for Kubernetes.

training.yaml  a Ray cluster for trainings, whose pods reach no more than a stage does in its sandbox
"""
