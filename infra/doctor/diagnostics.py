"""Table of all diagnostics, in the order of repair: installed software comes before the services that need it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from infra.doctor import configuration, databases, services, software, storage
from infra.doctor.finding import Finding
from tasks.core.errors import HallmarkError
from tasks.core.escaping import escape

Diagnostic = Callable[[Path], Iterator[Finding]]
"""Function that examines the checkout with the given root. It can raise HallmarkError with a message that says what to
do."""
DIAGNOSTICS: dict[str, Diagnostic] = {
    "Python": software.python,
    "Hallmark": software.hallmark,
    "packages": software.packages,
    "programs": software.programs,
    "sandbox": software.sandboxing,
    "settings": configuration.variables,
    "dvc.yaml": configuration.pipeline,
    "params.yaml": configuration.parameters,
    "state": storage.state,
    "keys": storage.keys,
    "disk": storage.disk,
    "databases": databases.schemas,
    "governance": configuration.governance,
    "promotions": configuration.promotions,
    "schedules": configuration.schedules,
    "runs": configuration.runs,
    "Prefect": services.prefect,
    "watch": services.watch,
    "MLflow": services.mlflow,
    "Ray": services.ray,
    "heads": services.heads,
}


class ReportLine(NamedTuple):
    look: str
    says: str
    do: str


def run(root: Path, looks: Mapping[str, Diagnostic] = DIAGNOSTICS) -> Iterator[ReportLine]:
    """Run the diagnostics in order, and yield each finding as soon as it is known.

    An exception becomes a finding, and the next diagnostic runs.
    """
    for name, look in looks.items():
        try:
            for finding in look(root):
                yield ReportLine(name, *finding)
        except HallmarkError as error:
            yield ReportLine(name, str(error), "do what the message says")
        except Exception as error:  # for example a file that cannot be read or parsed
            yield ReportLine(
                name, f"it could not be looked at: {escape(str(error))}", "put the file right that it names"
            )
