"""Stages of data run with the version of Python that their run was resolved with."""

from tasks.core.errors import InputError
from tasks.core.graph import DATA_STAGES
from tasks.core.layout import Layout
from tasks.sources.sources import load_resolved, minor_version


def require(stage: str, layout: Layout) -> None:
    """Raises InputError where a stage of data would run with another.

    Its Unicode tables decide what these stages write, and other runs of that version would be given these bytes.
    """
    if stage not in DATA_STAGES or not layout.sources.exists():
        return
    version = load_resolved(layout.sources).python
    if version not in (None, minor_version()):
        raise InputError(
            f"the run was resolved with Python {version}, and this is {minor_version()}, which may write other data; "
            f"go on with {version}, or start a new run"
        )
