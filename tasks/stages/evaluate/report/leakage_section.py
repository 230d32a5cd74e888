"""Contents of the report's section on leakage of training data."""

from tasks.core.files import read_stage_json
from tasks.core.layout import Layout
from tasks.stages.evaluate.leakage.results_schema import LeakageResults


def read_leakage(layout: Layout) -> LeakageResults | None:
    """Read artefacts/leakage/leakage.json. Return None if nothing was measured, as in runs of earlier versions."""
    path = layout.artefacts("leakage") / "leakage.json"
    if not path.is_file():
        return None
    results = LeakageResults.model_validate(read_stage_json(path))
    return results if results.canaries or results.membership else None
