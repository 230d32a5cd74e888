"""Imports of a process that one stage has to itself: libraries that it does without, and the end of importing.

transformers and PEFT look for some forty libraries as they are imported, and load those that are installed. PyTorch
takes 1.5 s of processor, bitsandbytes 1.2 s with the compiler of PyTorch, which it brings.
"""

import gc
import os
import sys

FINDER = "OwnCode"
"""Class in the import path of a process that start.py has begun."""
USUAL = (700, 10, 10)
"""Python's own thresholds for collecting garbage."""


def hide(*names: str) -> None:
    """Have libraries not found from now on. It does nothing in a process of tests, which is not a stage's alone."""
    if _is_a_stages():
        os.environ["TRANSFORMERS_NO_ADVISORY_WARNINGS"] = "1"  # it would say that PyTorch is not there
        for name in names:
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # Python finds no module of such a name


def are_loaded() -> None:
    """Collect garbage as Python does by default, among what is made from now on: start.py has put it off for the
    imports, and garbage may hold memory of a device."""
    if _is_a_stages():
        gc.collect()
        gc.freeze()  # what is left will be used to the end, so no collection looks at it again
        gc.set_threshold(*USUAL)


def _is_a_stages() -> bool:
    return any(type(finder).__name__ == FINDER for finder in sys.meta_path)
