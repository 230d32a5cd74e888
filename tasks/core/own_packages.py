"""Names and places of Hallmark's own packages, which differ between a checkout and a wheel.

In a checkout they are `tasks`, `flows`, `infra` and `hallmark`. A wheel has all of them below `hallmark` (setup.py), so
that they do not clash with modules of other projects: there `infra.cli` is `hallmark.infra.cli`.
"""

from pathlib import Path

PREFIX = __name__.removesuffix("tasks.core.own_packages")
"""Beginning of the names of own modules in this installation: empty in a checkout, `hallmark.` in a wheel."""
TOP_PACKAGES = ("hallmark",) if PREFIX else ("flows", "hallmark", "infra", "tasks")
"""Top-level packages of this installation."""
HOME = Path(__file__).parents[3 if PREFIX else 2]
"""Folder of the top-level packages."""
STAGE_CODE = HOME / "hallmark" / "source" / "tasks" if PREFIX else HOME / "tasks"
"""Folder `tasks` as a commit has it; in a wheel, this is a copy whose imports are not rewritten."""


def module_name(name: str) -> str:
    """Return the name by which this installation imports a module; in a checkout, an own module is called `name`."""
    return f"{PREFIX}{name}" if name.partition(".")[0] in ("flows", "infra", "tasks") else name


def describe_missing(error: ModuleNotFoundError, what: str) -> str:
    """Return the message about a module of the extra `platform` that `what` needs; empty if the module is our own."""
    if not error.name or error.name.partition(".")[0] in TOP_PACKAGES:
        return ""
    return (
        f"{what} needs {error.name}, which is not installed; what was installed checks releases and ledgers, "
        "the platform is, in a clone, `pip install -c constraints.txt '.[platform]'`"
    )
