"""All looks, in the order in which a person mends what they find: what is installed comes before what runs on it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from infra.doctor import databases, installed, places, services, settings
from infra.doctor.finding import Finding
from tasks.core.errors import HallmarkError
from tasks.core.shown import visible

Look = Callable[[Path], Iterator[Finding]]
"""Takes the checkout. May raise HallmarkError, whose message says what to do."""
LOOKS: dict[str, Look] = {
    "Python": installed.python,
    "Hallmark": installed.hallmark,
    "packages": installed.packages,
    "programs": installed.programs,
    "sandbox": installed.sandbox,
    "settings": settings.variables,
    "dvc.yaml": settings.pipeline,
    "params.yaml": settings.parameters,
    "state": places.state,
    "keys": places.keys,
    "disk": places.disk,
    "databases": databases.schemas,
    "governance": settings.governance,
    "promotions": settings.promotions,
    "schedules": settings.schedules,
    "runs": settings.runs,
    "Prefect": services.prefect,
    "watch": services.watch,
    "MLflow": services.mlflow,
    "Ray": services.ray,
    "heads": services.heads,
}


class Line(NamedTuple):
    look: str
    says: str
    do: str


def lines(root: Path, looks: Mapping[str, Look] = LOOKS) -> Iterator[Line]:
    """What every look found, each as soon as it has."""
    for name, look in looks.items():
        try:
            for finding in look(root):
                yield Line(name, *finding)
        except HallmarkError as error:
            yield Line(name, str(error), "do what the message says")
        except Exception as error:  # a file that cannot be read, or holds what it never should: the next look goes on
            yield Line(name, f"it could not be looked at: {visible(str(error))}", "put the file right that it names")
