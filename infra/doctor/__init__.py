"""What `hallmark doctor` looks at: whether this checkout can do its work, and what to type where it cannot.

finding.py    what a look found
looks.py      the table of looks, and how each is taken
installed.py  Python, packages, programs
places.py     state, keys, disk
databases.py  ledger, vault and lineage, and the schema of each
services.py   Prefect, the watch, MLflow, Ray, places of heads
settings.py   environment variables, params.yaml, dvc.yaml, governance

A look changes nothing, and adding one takes a function and a line in looks.py.
"""
