"""Diagnostics of `hallmark doctor`: whether this checkout is ready for work, and which commands repair it.

finding.py        one result of a diagnostic
diagnostics.py    the table of diagnostics, and the function that runs them
software.py       diagnostics of Python, packages, programs and the sandbox
storage.py        diagnostics of the folder .hallmark, private keys and free disk space
databases.py      diagnostics of the schemas of ledger, vault and lineage
services.py       diagnostics of Prefect, the watch, MLflow, Ray and the places of the ledger's heads
configuration.py  diagnostics of variables, params.yaml, dvc.yaml, governance, promotions, schedules and run requests

A diagnostic changes nothing. To add one, write a function and list it in the table in diagnostics.py.
"""
