"""Commands that name the rows, labels or expectations behind a check of the data gate, or that lead to a review.

Evidence is shown to everybody who may see the run, so it has counts and record ids only. The commands check the
person's access to the sources.
"""

from tasks.gates.dataset_profile.profile import SHIFT_FIELDS
from tasks.gates.signed_review import FACTS_PREFIX

_LABELS = "hallmark data labels {run} --as ID"
_EXPECTATIONS = "hallmark data expectations {run} --as ID"
_CONFLICTS = "hallmark data conflicts {run} --as ID"
_MANIFEST = "hallmark data manifest {run}"
_DISTRIBUTION = "hallmark data distribution {run}"
_DETECTORS = "hallmark data detectors {run}"
_STAGE = "hallmark data quarantine {run} --stage "
_RECORD = "hallmark data show RECORD --run {run} --reason TEXT --as ID"
_RULE = "hallmark data quarantine {run} --rule "
_REVIEW = "hallmark review start NAME --run {run} --annotator ID --as ID"

_COMMANDS = {
    "ingest.malformed_share": f"{_STAGE}ingest",
    "ingest.quarantined_share": f"{_STAGE}ingest",
    "clean.quarantined_share": f"{_STAGE}clean",
    "deduplicate.quarantined_share": f"{_STAGE}deduplicate",
    "deduplicate.exact_duplicates": f"{_RULE}exact_duplicate",
    "deduplicate.near_duplicates": f"{_RULE}near_duplicate",
    "deduplicate.near_test": f"{_RULE}near_test",
    "deduplicate.synthetic_copies": f"{_RULE}synthetic_copy",
    "deduplicate.superseded": f"{_RULE}superseded",
    "deduplicate.conflicts": _CONFLICTS,
    "deduplicate.conflicts_undecided": f"{_CONFLICTS} --undecided",
    "deduplicate.conflicts_kept": f"{_CONFLICTS} --undecided",
    "deduplicate.paraphrases": f"{_CONFLICTS} --paraphrased",
    "validate.failed_expectations": _EXPECTATIONS,
    "validate.failed_suites": _EXPECTATIONS,
    "validate.placeholders_only_in_target": _RECORD,
    "templates.breaches": _RECORD,
    "coverage.gaps": _DISTRIBUTION,
    "detectors.missing": _DETECTORS,
    **{f"shift.{field}": _DISTRIBUTION for field in SHIFT_FIELDS},
    "split.labels_only_in_test": _LABELS,
    "split.near_equal_labels": _LABELS,
    "split.label_not_trained": f"{_RULE}label_not_trained",
    "split.prompt_in_test": f"{_RULE}prompt_in_test",
    "split.train_rows": _MANIFEST,
    "split.test_rows": _MANIFEST,
    "split.detectable_gain": _MANIFEST,
    "split.validation_rows": _MANIFEST,
    "split.not_drawn": _MANIFEST,
    "split.canaries": _MANIFEST,
    "split.synthetic_share": _MANIFEST,
    "split.synthetic_test_rows": _MANIFEST,
    "ingest.synthetic_without_parents": _RECORD,
}
"""Command by metric of a data stage, with `{run}` in place of the run's id."""


def finding_command(fact: str, run: str) -> str:
    """Return the command that shows what is behind a metric, or starts its review; empty if there is none."""
    command = _REVIEW if fact.startswith(FACTS_PREFIX) else _COMMANDS.get(fact, "")
    return command.format(run=run)
