"""Score of a run on planted defects: how many were found, and what else was taken for them.

    measured/planted.json   `PlantedScore`, numbers only

The score is computed from the outputs of the stages, whatever code wrote them.
"""

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.inquiry.planted_defects import ground_truth, row_score, value_score
from tasks.inquiry.planted_defects.ground_truth import GroundTruth, PlantedRow
from tasks.inquiry.planted_defects.row_score import KindScore
from tasks.inquiry.planted_defects.text_pairs import pair_texts
from tasks.inquiry.planted_defects.value_score import ClassScore
from tasks.sources.sources import ResolvedSources, load_resolved


class PlantedScore(FrozenModel):
    kinds: list[KindScore]
    classes: list[ClassScore]


def write_score(layout: Layout) -> None:
    """Write the score to measured/planted.json, or delete the file if the run's sources have no ground truth.

    Raises the errors of `score_run`.
    """
    resolved, path = load_resolved(layout.sources), layout.measurements("planted.json")
    if resolved.truth is None:
        path.unlink(missing_ok=True)
        return
    result = score_run(layout, resolved, ground_truth.read_ground_truth(resolved.truth, layout.root))
    write_json(path, result.model_dump(mode="json"))


def score_run(layout: Layout, resolved: ResolvedSources, planted: GroundTruth) -> PlantedScore:
    """Score a run that has finished `deduplicate`.

    Values of a category for which the source drops rows are scored as rows. Values of a category that the source leaves
    unmasked are not scored, because nothing shows whether they were found.

    Raises:
        InputError: A source changed since it was pinned, or the ground truth names other sources or rows.
    """
    protection = {item.source.id: item.source.protect for item in resolved.sources}
    places = [row.place for row in planted.rows] + [value.place for value in planted.values]
    if unknown := {place.source_id for place in places} - protection.keys():
        raise InputError(f"truth: sources.yaml has no source {', '.join(map(repr, sorted(unknown)))}")
    action = {value: protection[value.place.source_id].action(value.category) for value in planted.values}
    dropped = {PlantedRow(value.place, value.category, None) for value, done in action.items() if done == "drop"}
    judged = [value for value in planted.values if action[value] not in ("drop", "keep")]
    return PlantedScore(
        kinds=row_score.score_rows([*planted.rows, *dropped], row_score.read_removed_rows(layout)),
        classes=value_score.score_values(judged, pair_texts(layout, resolved)),
    )
