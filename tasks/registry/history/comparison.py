"""Differences between two releases.

They are computed from the two folders and, if this machine has them, from the datasets and git commits of the runs.
"""

from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact, Facts
from tasks.core.params.values import Sha256
from tasks.gates.checks import dataset_diff
from tasks.gates.checks.dataset_diff import DatasetChange, ValueChange
from tasks.inquiry.shared_records import DatasetDiff
from tasks.registry.history.release_contents import ReleaseContents
from tasks.sources.dataset import SettingValue


class MetricChange(FrozenModel):
    """Value of one metric in each of two releases; null if the release lacks the metric."""

    before: Fact | None
    now: Fact | None
    intervals: Literal["overlap", "apart", "none"]
    """Whether the two confidence intervals overlap; `none` if a value lacks an interval. This is not a significance
    test: intervals can overlap even if a test on the same rows shows a difference."""


class ComparedRelease(FrozenModel):
    release: str
    bundle: str
    payload_sha256: Sha256
    run: str
    commit: str
    against: str
    """Reason why the release fails verification on this machine; empty if it passes."""


class ReleaseDifference(FrozenModel):
    before: ComparedRelease
    now: ComparedRelease
    data: DatasetChange
    records: DatasetDiff
    parameters: dict[str, ValueChange]
    """Changed parameters, by dotted key of params.yaml."""
    made_with: dict[str, ValueChange]
    """Changes in the digests of the code, the inputs and constraints.txt, which pins the library versions."""
    code: list[str] | None
    """Lines of `git diff --name-status` between the commits of the two runs; null if unknown."""
    code_why: str
    """Reason why the changed files are unknown; empty if they are known."""
    base_model: dict[str, ValueChange]
    figures: dict[str, MetricChange]
    """Quality metrics of both candidates, by name, from the evidence of the evaluation gates."""
    same_test: bool
    """Whether both candidates were tested on the same rows."""
    policy: dict[str, ValueChange]
    people: dict[str, ValueChange]
    """Changes in the requester, the risk tier, the approvers at each gate, and the roles and keys of these people."""


def compare_releases(
    earlier: ReleaseContents, later: ReleaseContents, compared_releases: tuple[ComparedRelease, ComparedRelease],
    records: DatasetDiff, changed_files: list[str] | None, code_unknown_reason: str,
) -> ReleaseDifference:  # fmt: skip
    """Compare two releases.

    Args:
        earlier: Content of the earlier release.
        later: Content of the later release.
        compared_releases: Name, folder and verification result of each release, the earlier one first.
        records: Differences between the records of the two datasets, if both are on this machine.
        changed_files: Files that differ between the two commits; None if this clone lacks one of the commits.
        code_unknown_reason: Reason why `changed_files` is None; empty otherwise.
    """
    return ReleaseDifference(
        before=compared_releases[0],
        now=compared_releases[1],
        data=dataset_diff.compare_datasets(
            earlier.dataset, later.dataset, earlier.promotion.run, earlier.manifest.stages["split"]
        ),
        records=records,
        parameters=dataset_diff.changed_values(earlier.params, later.params),
        made_with=dataset_diff.changed_values(_input_digests(earlier), _input_digests(later)),
        code=changed_files,
        code_why=code_unknown_reason,
        base_model=dataset_diff.changed_values(_base_model_values(earlier), _base_model_values(later)),
        figures=metric_changes(earlier.quality_metrics, later.quality_metrics),
        same_test=earlier.dataset.digests["test"] == later.dataset.digests["test"],
        policy=dataset_diff.changed_values(earlier.policy, later.policy),
        people=dataset_diff.changed_values(_people_values(earlier), _people_values(later)),
    )


def compared_release(contents: ReleaseContents, failure_reason: str) -> ComparedRelease:
    promotion = contents.promotion
    return ComparedRelease(
        release=contents.label,
        bundle=str(contents.folder.resolve()),
        payload_sha256=promotion.payload_sha256,
        run=promotion.run,
        commit=promotion.commit,
        against=failure_reason,
    )


def metric_changes(earlier: Facts, later: Facts) -> dict[str, MetricChange]:
    return {name: _metric_change(earlier.get(name), later.get(name)) for name in sorted({*earlier, *later})}


def _metric_change(earlier: Fact | None, later: Fact | None) -> MetricChange:
    ends = [end for fact in (earlier, later) if fact for end in (fact.low, fact.high) if end is not None]
    if len(ends) < 4:
        return MetricChange(before=earlier, now=later, intervals="none")
    low, high, low_now, high_now = ends
    return MetricChange(
        before=earlier, now=later, intervals="overlap" if low <= high_now and low_now <= high else "apart"
    )


def _input_digests(contents: ReleaseContents) -> dict[str, SettingValue]:
    digests: dict[str, SettingValue] = {
        "code": contents.manifest.code_sha256,
        "constraints.txt": contents.manifest.constraints_sha256,
    }
    return digests | {f"inputs/{name}": sha256 for name, sha256 in contents.manifest.inputs.items()}


def _base_model_values(contents: ReleaseContents) -> dict[str, SettingValue]:
    names = ("method", "base_model_origin", "base_model_licence", "base_model_sha256")
    return {name.removeprefix("base_model_"): getattr(contents.manifest, name) for name in names}


def _people_values(contents: ReleaseContents) -> dict[str, SettingValue]:
    promotion = contents.promotion
    decided: dict[str, SettingValue] = {f"{gate} gate": ", ".join(who) for gate, who in promotion.approved_by.items()}
    standing: dict[str, SettingValue] = {
        "requested by": promotion.requested_by,
        "risk tier": promotion.tier,
        "demo": promotion.demo,
    }
    return standing | decided | contents.people
