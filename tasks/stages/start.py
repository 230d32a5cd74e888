"""Start a stage so that it imports no code of Hallmark except this worktree's: `python -I tasks/stages/start.py STAGE`.

dvc.yaml calls this file. The supervisor of a run also passes the module: `STAGE MODULE`. With `-I`, Python imports
nothing from the current folder and ignores PYTHON* variables, so a `json.py` or `sitecustomize.py` in the worktree or
on a PYTHONPATH is not executed. Modules of `tasks` are imported from the folder of this file rather than from the
installed Hallmark. They are compiled anew each time, because bytecode can differ from the source that was reviewed and
signed.

Processes that a stage starts use this file as well. A process of `multiprocessing` runs it before its work, and Ray
starts its workers with `python -I tasks/stages/start.py SCRIPT.py`.
"""

import gc
import importlib
import os
import runpy
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from itertools import dropwhile
from pathlib import Path
from types import CodeType

TASKS_FOLDER = Path(__file__).resolve().parents[1]

IMPORT_GC_THRESHOLDS = (50_000, 10, 10)
"""Thresholds of the garbage collector during imports.

With Python's default of 700 objects, garbage collection takes a fifth of the import time of PyTorch, Ray or Great
Expectations. With these thresholds, a full collection happens after five million new objects. A process that trains or
predicts returns to Python's defaults once its model is loaded (import_speed.py).
"""


class UncachedLoader(SourceFileLoader):
    """Module loader that compiles the source each time and neither reads nor writes bytecode."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class OwnCode(MetaPathFinder):
    """Module finder that imports `tasks` and its submodules from the folder of this file only."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        first, *parts = fullname.split(".")
        if first != TASKS_FOLDER.name:
            return None
        place = TASKS_FOLDER.joinpath(*parts)
        package = place.is_dir()
        file = place / "__init__.py" if package else place.with_name(f"{place.name}.py")
        if not file.is_file():
            raise ModuleNotFoundError(f"{TASKS_FOLDER} has no source of {fullname}", name=fullname)
        loader = UncachedLoader(fullname, str(file))
        return spec_from_file_location(
            fullname, file, loader=loader, submodule_search_locations=[str(place)] if package else None
        )


def main() -> int:
    """Run the stage or the script that the command line names.

    Options before the name are ignored. Ray passes Python options there, such as `-s`.
    """
    gc.set_threshold(*IMPORT_GC_THRESHOLDS)
    given = list(dropwhile(lambda word: word.startswith("-"), sys.argv[1:]))
    if given and given[0].endswith(".py"):
        sys.argv = given
        runpy.run_path(given[0], run_name="__main__")
        return 0
    stage = importlib.import_module("tasks.stages.runner" if len(given) > 1 else "tasks.stages.__main__")
    return int(stage.main())


KEPT_PYTHON_VARIABLES = frozenset({"PYTHONSAFEPATH", "PYTHONNOUSERSITE", "PYTHONPYCACHEPREFIX"})
"""Environment variables that `drop_python_variables` keeps, because a run sets them for its stages.

They restrict imports, and direct bytecode to a folder that only Hallmark writes to (tasks/runs/environment.py).
"""


def drop_python_variables() -> None:
    """Remove environment variables that begin with PYTHON, except KEPT_PYTHON_VARIABLES.

    Ray starts some processes without `-I`. Python would obey the variables there.
    """
    for name in [name for name in os.environ if name.startswith("PYTHON") and name not in KEPT_PYTHON_VARIABLES]:
        del os.environ[name]


if __name__ in ("__main__", "__mp_main__"):  # `__mp_main__` in a process that `multiprocessing` has spawned
    sys.meta_path.insert(0, OwnCode())
if __name__ == "__main__":
    drop_python_variables()
    sys.exit(main())
