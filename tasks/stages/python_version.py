"""Check that stages of data run with the version of Python with which the sources of their run were resolved."""

from tasks.core.errors import InputError
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.core.layout import Layout
from tasks.sources.sources import load_resolved, python_minor_version


def require_same_version(stage: str, layout: Layout) -> None:
    """Verify that this is the run's version of Python, if `stage` is one of data.

    Python's Unicode tables affect what these stages write, and the stage cache serves the outputs to other runs of the
    same version.

    Raises:
        InputError: The run was resolved with another minor version.
    """
    if stage not in DATA_STAGE_NAMES or not layout.sources.exists():
        return
    version = load_resolved(layout.sources).python
    if version not in (None, python_minor_version()):
        raise InputError(
            f"the run was resolved with Python {version}, and this is {python_minor_version()}, which may write other "
            f"data; go on with {version}, or start a new run"
        )
