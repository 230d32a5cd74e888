"""Recall of masking on planted values by class, as figures for the data gate: known misses of masking."""

from pydantic import ValidationError

from tasks.core.document import why
from tasks.core.errors import InputError
from tasks.core.facts import Fact, Facts
from tasks.core.layout import Layout

PREFIX = "planted.recall_"
"""Prefix of a figure's name, before a class or `all`."""


def facts(layout: Layout) -> Facts:
    """Return the figures in measured/planted.json, empty if the run's sources have no ground truth.

    Raises:
        InputError: The file has another format.
    """
    path = layout.measured("planted.json")
    if not path.exists():
        return {}
    from tasks.inquiry.planted.score import Planted  # imports pyarrow, which is optional for verifying a release

    try:
        planted = Planted.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path}: is not what a drill found ({why(error)}); delete it, and resume the run") from None
    return {
        f"{PREFIX}{item.category}": Fact(
            value=item.recall, note=f"{item.hit:,} of {item.truth:,} characters of {item.values:,} planted values"
        )
        for item in planted.classes
        if item.truth
    }


def missed(facts: Facts) -> str:
    """Describe the known misses of masking, the worst class first."""
    recalls = {name.removeprefix(PREFIX): fact for name, fact in facts.items() if name.startswith(PREFIX)}
    if not recalls:
        return "not measured here: nobody planted values in these sources; no masking finds everything"
    whole = recalls.pop("all", None)
    classes = sorted(recalls.items(), key=lambda item: (item[1].value, item[0]))
    some = [f"{name} {1 - fact.value:.1%} ({fact.note})" for name, fact in classes if fact.value < 1]
    none = [name for name, fact in classes if fact.value == 1]
    said = "; ".join(some) + "; nothing of " * bool(some and none) + "nothing of " * (not some) + ", ".join(none)
    return f"{said}. Of all: {1 - whole.value:.1%} ({whole.note})" if whole else said
