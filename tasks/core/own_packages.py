"""Names and locations of Hallmark's own packages, which differ between a checkout and a wheel.

In a checkout the packages are `tasks`, `flows`, `infra` and `hallmark`. A wheel has all of them below `hallmark`
(setup.py), so that they do not clash with modules of other projects: `infra.cli` becomes `hallmark.infra.cli`.
"""

from pathlib import Path

PREFIX = __name__.removesuffix("tasks.core.own_packages")
"""Prefix of the names of Hallmark's modules in this installation: empty in a checkout, `hallmark.` in a wheel."""
TOP_PACKAGES = ("hallmark",) if PREFIX else ("flows", "hallmark", "infra", "tasks")
HOME = Path(__file__).parents[3 if PREFIX else 2]
STAGE_CODE = HOME / "hallmark" / "source" / "tasks" if PREFIX else HOME / "tasks"
"""Folder with the code of the stages, as it is in the repository. In a wheel this is a copy whose imports are not
rewritten."""


def module_name(name: str) -> str:
    """Return the name of a module in this installation, given its name in a checkout."""
    return f"{PREFIX}{name}" if name.partition(".")[0] in ("flows", "infra", "tasks") else name


def describe_missing(error: ModuleNotFoundError, what: str) -> str:
    """Return an error message about a missing dependency; empty if the missing module is Hallmark's own.

    Args:
        error: Error raised by the import.
        what: Name of the command or function that requires the dependency.
    """
    if not error.name or error.name.partition(".")[0] in TOP_PACKAGES:
        return ""
    return (
        f"{what} needs {error.name}, which is not installed; what was installed checks releases and ledgers, "
        "the platform is, in a clone, `pip install -c constraints.txt '.[platform]'`"
    )
