"""Score of a run on planted defects: how many were found, and what else was mistaken for a defect.

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
from tasks.inquiry.planted_defects.value_score import CategoryScore
from tasks.sources.resolved_sources import ResolvedSources, load_resolved


class PlantedScore(FrozenModel):
    kinds: list[KindScore]
    classes: list[CategoryScore]


def write_score(layout: Layout) -> None:
    """Write the score to measured/planted.json, or delete the file if the run's sources have no ground truth.

    Raises the errors of `score_run`.
    """
    resolved, path = load_resolved(layout.sources_path), layout.measurements("planted.json")
    if resolved.truth is None:
        path.unlink(missing_ok=True)
        return
    result = score_run(layout, resolved, ground_truth.read_ground_truth(resolved.truth, layout.root))
    write_json(path, result.model_dump(mode="json"))


def score_run(layout: Layout, resolved: ResolvedSources, planted: GroundTruth) -> PlantedScore:
    """Score a run that has finished `deduplicate`.

    If a source drops rows with values of a category, rows are counted for that category instead of characters. If a
    source leaves a category unmasked, the category is not scored, because nothing shows whether its values were found.

    Raises:
        InputError: A source has changed since it was pinned, or the ground truth does not match the sources.
    """
    protection = {item.source.id: item.source.protect for item in resolved.sources}
    places = [row.location for row in planted.rows] + [value.location for value in planted.values]
    if unknown := {place.source_id for place in places} - protection.keys():
        raise InputError(f"truth: sources.yaml has no source {', '.join(map(repr, sorted(unknown)))}")
    action = {value: protection[value.location.source_id].action_for(value.category) for value in planted.values}
    dropped = {PlantedRow(value.location, value.category, None) for value, done in action.items() if done == "drop"}
    judged = [value for value in planted.values if action[value] not in ("drop", "keep")]
    return PlantedScore(
        kinds=row_score.score_rows([*planted.rows, *dropped], row_score.read_removed_rows(layout)),
        classes=value_score.score_values(judged, pair_texts(layout, resolved)),
    )
