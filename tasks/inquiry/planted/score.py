"""How much of the planted the stages of a run found, how much else they took for it, and what for.

    measured/planted.json   `Planted`, figures only

It is the outputs that are judged, whatever made them.
"""

from tasks.core.config import Frozen
from tasks.core.errors import InputError
from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.inquiry.planted import rows, truth, values
from tasks.inquiry.planted.rows import KindScore
from tasks.inquiry.planted.texts import compared
from tasks.inquiry.planted.truth import Row, Truth
from tasks.inquiry.planted.values import ClassScore
from tasks.sources.sources import ResolvedSources, load_resolved


class Planted(Frozen):
    kinds: list[KindScore]
    classes: list[ClassScore]


def write(layout: Layout) -> None:
    """Write measured/planted.json where the run's inventory names a truth; else there is none. Raises as `score`."""
    resolved, path = load_resolved(layout.sources), layout.measured("planted.json")
    if resolved.truth is None:
        path.unlink(missing_ok=True)
        return
    result = score(layout, resolved, truth.read(resolved.truth, layout.root))
    write_json(path, result.model_dump(mode="json"))


def score(layout: Layout, resolved: ResolvedSources, planted: Truth) -> Planted:
    """Of a run that has been through `deduplicate`. A class for which its source says drop is judged by row, one for
    which it says keep not at all: nothing shows whether it was found.

    Raises InputError for a source that changed since, and where the truth is about other sources or rows.
    """
    protection = {item.source.id: item.source.protect for item in resolved.sources}
    places = [row.place for row in planted.rows] + [value.place for value in planted.values]
    if unknown := {place.source_id for place in places} - protection.keys():
        raise InputError(f"truth: sources.yaml has no source {', '.join(map(repr, sorted(unknown)))}")
    action = {value: protection[value.place.source_id].action(value.category) for value in planted.values}
    dropped = {Row(value.place, value.category, None) for value, done in action.items() if done == "drop"}
    judged = [value for value in planted.values if action[value] not in ("drop", "keep")]
    return Planted(
        kinds=rows.judge([*planted.rows, *dropped], rows.removed(layout)),
        classes=values.judge(judged, compared(layout, resolved)),
    )
