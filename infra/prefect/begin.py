"""`python -I -m infra.prefect.begin MODULE ARGUMENTS`: a service, as `python -I -m MODULE ARGUMENTS` would start it.

By default Python looks for garbage after each 700 objects, which is a fifth of what Prefect takes to import. Here it
does so less often, and so it does in the processes of flow runs: `multiprocessing` runs this file in them first.
"""

import gc
import runpy
import sys

SELDOM = (20_000, 20, 20)
"""Thresholds for collecting garbage."""

if __name__ in ("__main__", "__mp_main__"):
    gc.set_threshold(*SELDOM)
if __name__ == "__main__":
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__")
