"""Table of all diagnostics, in the order of repair: installed software comes before the services that need it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from infra.doctor import configuration, databases, services, software, storage
from infra.doctor.finding import Finding
from tasks.core.errors import HallmarkError
from tasks.core.escaping import escape_hidden

Diagnostic = Callable[[Path], Iterator[Finding]]
"""Function that examines the checkout with the given root. If it raises HallmarkError, the message says what to do."""
DIAGNOSTICS: dict[str, Diagnostic] = {
    "Python": software.check_python,
    "Hallmark": software.check_hallmark,
    "packages": software.check_packages,
    "programs": software.check_programs,
    "sandbox": software.check_sandbox,
    "settings": configuration.check_variables,
    "dvc.yaml": configuration.check_pipeline,
    "params.yaml": configuration.check_parameters,
    "state": storage.check_state,
    "keys": storage.check_keys,
    "disk": storage.check_disk,
    "databases": databases.check_schemas,
    "governance": configuration.check_governance,
    "promotions": configuration.check_promotions,
    "schedules": configuration.check_schedules,
    "runs": configuration.check_runs,
    "Prefect": services.check_prefect,
    "watch": services.check_watch,
    "MLflow": services.check_mlflow,
    "Ray": services.check_ray,
    "heads": services.check_heads,
}


class ReportLine(NamedTuple):
    look: str
    says: str
    do: str


def run_diagnostics(root: Path, diagnostics: Mapping[str, Diagnostic] = DIAGNOSTICS) -> Iterator[ReportLine]:
    """Run the diagnostics in order, and yield each finding as soon as it is known.

    If a diagnostic raises an exception, the exception becomes a finding, and the next diagnostic runs.
    """
    for name, look in diagnostics.items():
        try:
            for finding in look(root):
                yield ReportLine(name, *finding)
        except HallmarkError as error:
            yield ReportLine(name, str(error), "do what the message says")
        except Exception as error:  # for example a file that cannot be read or parsed
            yield ReportLine(
                name, f"it could not be looked at: {escape_hidden(str(error))}", "put the file right that it names"
            )
