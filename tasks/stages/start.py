"""`python -I tasks/stages/start.py STAGE`: a stage that runs this worktree's own code, and no other that lies about.

dvc.yaml calls this; the supervisor of a run says besides which module it is, `STAGE MODULE`. By `-I` Python looks for
nothing in the folder it is started in, and heeds no PYTHON* variable: a `json.py` or `sitecustomize.py` in the
worktree, or on somebody's PYTHONPATH, is not run. What is of `tasks` comes from the sources around this file, not from
the Hallmark that is installed, and is compiled anew each time: bytecode may say something else than the source that was
read and signed.

Whatever a stage starts begins here as well: a process of `multiprocessing` runs this file before its work, and Ray
starts its workers by it (`python -I tasks/stages/start.py SCRIPT.py`).
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

TASKS = Path(__file__).resolve().parents[1]

SELDOM = (50_000, 10, 10)
"""When Python looks for garbage. By default it does after 700 objects, a fifth of the time that PyTorch, Ray or Great
Expectations take to import. A stage that makes many objects still looks at all of them after five million. A process
that trains or answers goes back to Python's default once it has its model (libraries.py)."""


class Source(SourceFileLoader):
    """Neither reads bytecode nor leaves any."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class OwnCode(MetaPathFinder):
    """Finds `tasks` and all below it among the sources around this file, or nowhere."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        first, *parts = fullname.split(".")
        if first != TASKS.name:
            return None
        place = TASKS.joinpath(*parts)
        package = place.is_dir()
        file = place / "__init__.py" if package else place.with_name(f"{place.name}.py")
        if not file.is_file():
            raise ModuleNotFoundError(f"{TASKS} has no source of {fullname}", name=fullname)
        loader = Source(fullname, str(file))
        return spec_from_file_location(
            fullname, file, loader=loader, submodule_search_locations=[str(place)] if package else None
        )


def main() -> int:
    """Run the script that is named, or else the stage. Ray names flags for Python (`-s`) before its script."""
    gc.set_threshold(*SELDOM)
    given = list(dropwhile(lambda word: word.startswith("-"), sys.argv[1:]))
    if given and given[0].endswith(".py"):
        sys.argv = given
        runpy.run_path(given[0], run_name="__main__")
        return 0
    stage = importlib.import_module("tasks.stages.runner" if len(given) > 1 else "tasks.stages.__main__")
    return int(stage.main())


KEPT = frozenset({"PYTHONSAFEPATH", "PYTHONNOUSERSITE", "PYTHONPYCACHEPREFIX"})
"""Settings of Python that a run gives its stages (tasks/runs/environment.py): they let less be run, and bytecode be
read from a folder that Hallmark alone writes to."""


def drop_settings_of_python() -> None:
    """Ray starts processes of its own without `-I`, and these would heed what this one does not."""
    for name in [name for name in os.environ if name.startswith("PYTHON") and name not in KEPT]:
        del os.environ[name]


if __name__ in ("__main__", "__mp_main__"):  # the latter in a process that `multiprocessing` has spawned
    sys.meta_path.insert(0, OwnCode())
if __name__ == "__main__":
    drop_settings_of_python()
    sys.exit(main())
