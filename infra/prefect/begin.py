"""Entry point of a service: `python -I -m infra.prefect.begin MODULE ARGUMENTS` runs `python -I -m MODULE ARGUMENTS`.

By default, Python collects garbage after each 700 new objects, which takes a fifth of the time of importing Prefect.
Here it does so less often. That holds for the processes of flow runs too, since `multiprocessing` runs this file in
them first.
"""

import gc
import runpy
import sys

GC_THRESHOLDS = (20_000, 20, 20)
"""Thresholds of Python's garbage collector."""

if __name__ in ("__main__", "__mp_main__"):
    gc.set_threshold(*GC_THRESHOLDS)
if __name__ == "__main__":
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__")
