"""Outputs of stages, which DVC stores: `dvc repro`, its lock file and its cache.

dvc_cache.py       outputs in DVC's cache, compared with a signed record
cached_objects.py  files in the caches, by the entries of dvc.lock that name them
cache_lock.py      lock that keeps cached files from being removed while a run takes them
dvc.py             execution of stages with `dvc repro`; pushing and pulling of outputs
dvc_output.py      output of DVC and its stage, and the error of a failed stage
dvc_lock.py        dvc.lock, which remains complete if DVC is killed
"""
