"""Entry point of Hallmark's own processes: `python -I -m hallmark.process MODULE ARGUMENTS`.

It runs MODULE, which is named as in a checkout, such as `infra.prefect.runner`; from a wheel, that is
`hallmark.infra.prefect.runner`. By default, Python collects garbage after each 700 new objects, which takes a fifth of
the time of importing Prefect. Here it does so less often. That holds for the processes of flow runs too, since
`multiprocessing` runs this file in them first.
"""

import gc
import runpy
import sys

from tasks.core.own_packages import installed_module_name

GC_THRESHOLDS = (20_000, 20, 20)
"""Thresholds of Python's garbage collector."""

if __name__ in ("__main__", "__mp_main__"):
    gc.set_threshold(*GC_THRESHOLDS)
if __name__ == "__main__":
    del sys.argv[0]
    runpy.run_module(installed_module_name(sys.argv[0]), run_name="__main__")
