"""Faster imports in the process of a stage: hidden libraries, and garbage collection put off until imports are done.

transformers and PEFT look for about forty libraries on import and load those that are installed. PyTorch takes 1.5 s of
CPU time, bitsandbytes 1.2 s because it loads PyTorch's compiler.
"""

import gc
import os
import sys

FINDER_CLASS = "OwnCode"
"""Name of the class in `sys.meta_path` of every process that start.py has started."""
DEFAULT_GC_THRESHOLDS = (700, 10, 10)


def hide(*names: str) -> None:
    """Make libraries appear as not installed. Has no effect in processes not started by start.py, such as tests."""
    if _is_stage_process():
        os.environ["TRANSFORMERS_NO_ADVISORY_WARNINGS"] = "1"  # it would warn that PyTorch is missing
        for name in names:
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # `import` raises ModuleNotFoundError for None


def finish_imports() -> None:
    """Restore Python's default garbage collection once imports are done; existing objects are exempt from it.

    start.py makes collections rare during imports. Afterwards they matter, since garbage may hold memory of a device.
    """
    if _is_stage_process():
        gc.collect()
        gc.freeze()  # imported modules live until the end, so collections need not examine them
        gc.set_threshold(*DEFAULT_GC_THRESHOLDS)


def _is_stage_process() -> bool:
    return any(type(finder).__name__ == FINDER_CLASS for finder in sys.meta_path)
