"""Faster imports in a stage's process: some libraries are hidden, and garbage is rarely collected during imports.

transformers and PEFT look for about forty libraries when they are imported, and load those that are installed. PyTorch
takes 1.5 s of CPU time to load. bitsandbytes takes 1.2 s, because it loads PyTorch's compiler. SciPy takes 0.7 s; no
language model needs it, only transformers' losses of models that detect objects in images.
"""

import gc
import os
import sys

FINDER_CLASS_NAME = "OwnCode"
"""Class name of the module finder that start.py adds to `sys.meta_path`. It identifies processes that start.py
started."""
DEFAULT_GC_THRESHOLDS = (700, 10, 10)


def hide_libraries(*names: str) -> None:
    """Make libraries appear as not installed.

    This has no effect in processes that start.py did not start, such as tests.
    """
    if _is_stage_process():
        os.environ["TRANSFORMERS_NO_ADVISORY_WARNINGS"] = "1"  # it would warn that PyTorch is missing
        for name in names:
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # `import` raises ModuleNotFoundError for None


def hide_scipy() -> None:
    """Hide SciPy from transformers alone, unless transformers was imported before and has found it.

    transformers asks for SciPy once and keeps the answer. A stage that also computes intervals imports SciPy later.
    """
    if _is_stage_process() and not {"scipy", "transformers"} & set(sys.modules):
        hide_libraries("scipy")
        from transformers.utils.import_utils import is_scipy_available

        is_scipy_available()
        del sys.modules["scipy"]


def restore_garbage_collection() -> None:
    """Restore Python's default garbage collection after the imports, and exempt all existing objects from it.

    start.py makes collections rare during imports. After the imports they matter again, because garbage can hold GPU
    memory.
    """
    if _is_stage_process():
        gc.collect()
        gc.freeze()  # imported modules live until the end, so collections need not examine them
        gc.set_threshold(*DEFAULT_GC_THRESHOLDS)


def _is_stage_process() -> bool:
    return any(type(finder).__name__ == FINDER_CLASS_NAME for finder in sys.meta_path)
