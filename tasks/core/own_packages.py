"""Names and locations of Hallmark's own packages, which differ between a checkout and a wheel.

In a checkout the packages are `tasks`, `flows`, `infra` and `hallmark`. A wheel has all of them below `hallmark`
(setup.py), so that they do not clash with modules of other projects: `infra.cli` becomes `hallmark.infra.cli`.
"""

from pathlib import Path

MODULE_PREFIX = __name__.removesuffix("tasks.core.own_packages")
"""Prefix of the names of Hallmark's modules in this installation: empty in a checkout, `hallmark.` in a wheel."""
TOP_PACKAGES = ("hallmark",) if MODULE_PREFIX else ("flows", "hallmark", "infra", "tasks")
PACKAGES_PARENT = Path(__file__).parents[3 if MODULE_PREFIX else 2]
STAGE_CODE_FOLDER = PACKAGES_PARENT / "hallmark" / "source" / "tasks" if MODULE_PREFIX else PACKAGES_PARENT / "tasks"
"""Folder with the code of the stages, as it is in the repository. In a wheel this is a copy whose imports are not
rewritten."""


def installed_module_name(name: str) -> str:
    """Return the name of a module in this installation, given its name in a checkout."""
    return f"{MODULE_PREFIX}{name}" if name.partition(".")[0] in ("flows", "infra", "tasks") else name


def describe_missing_module(error: ModuleNotFoundError, feature_name: str) -> str:
    """Return an error message about a missing dependency; empty if the missing module is Hallmark's own.

    Args:
        error: Error raised by the import.
        feature_name: Name of the command or function that requires the dependency.
    """
    if not error.name or error.name.partition(".")[0] in TOP_PACKAGES:
        return ""
    return (
        f"{feature_name} needs {error.name}, which is not installed; what was installed checks releases and ledgers, "
        "the platform is, in a clone, `pip install -c constraints.txt '.[platform]'`"
    )
