"""Recall of masking by category, measured on planted values, as metrics for the data gate."""

from tasks.core.documents.document import document_error_message
from tasks.core.errors import InputError
from tasks.core.facts import Fact, Facts
from tasks.core.files import read_stage_bytes
from tasks.core.formatting import format_share
from tasks.core.layout import Layout

FACT_PREFIX = "planted.recall_"


def read_recall_facts(layout: Layout) -> Facts:
    """Return the recall of masking by category from measured/planted.json.

    The result is empty if the run's sources have no ground truth.

    Raises:
        InputError: The file does not have the expected format.
    """
    path = layout.measurements("planted.json")
    if not path.exists():
        return {}
    from tasks.inquiry.planted_defects.score import (
        PlantedScore,  # imports pyarrow, which is optional for verifying a release
    )

    try:
        planted = PlantedScore.model_validate_json(read_stage_bytes(path))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: is not what a drill found ({document_error_message(error)}); delete it, and resume the run"
        ) from None
    return {
        f"{FACT_PREFIX}{item.category}": Fact(
            value=item.recall, note=f"{item.hit:,} of {item.truth:,} characters of {item.values:,} planted values"
        )
        for item in planted.classes
        if item.truth
    }


def describe_misses(facts: Facts) -> str:
    recalls = {name.removeprefix(FACT_PREFIX): fact for name, fact in facts.items() if name.startswith(FACT_PREFIX)}
    if not recalls:
        return "not measured here: nobody planted values in these sources; no masking finds everything"
    whole = recalls.pop("all", None)
    classes = sorted(recalls.items(), key=lambda item: (item[1].value, item[0]))
    some = [f"{name} {format_share(1 - fact.value)} ({fact.note})" for name, fact in classes if fact.value < 1]
    none = [name for name, fact in classes if fact.value == 1]
    said = "; ".join(some) + "; nothing of " * bool(some and none) + "nothing of " * (not some) + ", ".join(none)
    return f"{said}. Of all: {format_share(1 - whole.value)} ({whole.note})" if whole else said
