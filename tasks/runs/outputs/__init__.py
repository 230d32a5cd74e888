"""Outputs of stages, which DVC keeps: `dvc repro`, its lock file and its cache.

dvc_cache.py   outputs in DVC's cache, compared with a signed record
dvc.py         stages through `dvc repro`; pushing and pulling of outputs
dvc_output.py  output of DVC and its stage, and the error of a failed stage
dvc_lock.py    dvc.lock, which stays whole if DVC is killed
"""
