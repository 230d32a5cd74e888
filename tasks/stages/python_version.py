"""Check that data stages run with the version of Python that resolved the sources of their run."""

from tasks.core.errors import InputError
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.core.layout import Layout
from tasks.sources.resolved_sources import load_resolved, python_minor_version


def require_run_python_version(stage: str, layout: Layout) -> None:
    """Verify that a data stage runs with the run's version of Python. Other stages are not checked.

    The outputs of data stages depend on Python's Unicode tables. The stage cache reuses these outputs in all runs with
    the same version of Python.

    Raises:
        InputError: The sources of the run were resolved with another minor version.
    """
    if stage not in DATA_STAGE_NAMES or not layout.sources_path.exists():
        return
    version = load_resolved(layout.sources_path).python
    if version not in (None, python_minor_version()):
        raise InputError(
            f"the run was resolved with Python {version}, and this is {python_minor_version()}, which may write other "
            f"data; go on with {version}, or start a new run"
        )
