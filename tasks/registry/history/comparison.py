"""Differences between two releases, computed from their folders and from the records and commits on this machine."""

from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact, Facts
from tasks.core.params.values import Sha256
from tasks.gates.checks import dataset_diff
from tasks.gates.checks.dataset_diff import DatasetChange, ValueChange
from tasks.inquiry.shared_records import DatasetDiff
from tasks.registry.history.release_contents import ReleaseContents
from tasks.sources.dataset import Value


class Figure(FrozenModel):
    """Values of one metric in two releases. A value is null if that release lacks the metric."""

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


class Difference(FrozenModel):
    before: ComparedRelease
    now: ComparedRelease
    data: DatasetChange
    records: DatasetDiff
    parameters: dict[str, ValueChange]
    """Changed parameters, by dotted key of params.yaml."""
    made_with: dict[str, ValueChange]
    """Changed digests of code, inputs and library versions."""
    code: list[str] | None
    """Lines of `git diff --name-status` between the commits of the two runs; null if unknown."""
    code_why: str
    """Reason why the changed files are unknown; empty if they are known."""
    base_model: dict[str, ValueChange]
    figures: dict[str, Figure]
    """Quality metrics of both candidates, by name, from the evidence of the evaluation gates."""
    same_test: bool
    """Whether both candidates were tested on the same rows."""
    policy: dict[str, ValueChange]
    people: dict[str, ValueChange]
    """Changes of the requester, of the approvers at each gate, and of the roles and keys of these people."""


def compare(before: ReleaseContents, now: ReleaseContents, sides: tuple[ComparedRelease, ComparedRelease],
            records: DatasetDiff,
            code: list[str] | None, code_why: str) -> Difference:  # fmt: skip
    """Compare two releases.

    Args:
        before: Content of the earlier release.
        now: Content of the later release.
        sides: Name, folder and verification result of the earlier and of the later release.
        records: Changed records, as far as this machine has the two datasets.
        code: Files that differ between the two commits; None if this clone lacks a commit.
        code_why: Reason why `code` is None; empty otherwise.
    """
    return Difference(
        before=sides[0],
        now=sides[1],
        data=dataset_diff.compare(before.dataset, now.dataset, before.promotion.run, before.manifest.stages["split"]),
        records=records,
        parameters=dataset_diff.changed_values(before.params, now.params),
        made_with=dataset_diff.changed_values(_build_inputs(before), _build_inputs(now)),
        code=code,
        code_why=code_why,
        base_model=dataset_diff.changed_values(_base_model(before), _base_model(now)),
        figures=figures(before.figures, now.figures),
        same_test=before.dataset.digests["test"] == now.dataset.digests["test"],
        policy=dataset_diff.changed_values(before.policy, now.policy),
        people=dataset_diff.changed_values(_people(before), _people(now)),
    )


def compared_release(declared: ReleaseContents, against: str) -> ComparedRelease:
    promotion = declared.promotion
    return ComparedRelease(
        release=declared.label,
        bundle=str(declared.folder.resolve()),
        payload_sha256=promotion.payload_sha256,
        run=promotion.run,
        commit=promotion.commit,
        against=against,
    )


def figures(before: Facts, now: Facts) -> dict[str, Figure]:
    return {name: _figure(before.get(name), now.get(name)) for name in sorted({*before, *now})}


def _figure(before: Fact | None, now: Fact | None) -> Figure:
    ends = [end for fact in (before, now) if fact for end in (fact.low, fact.high) if end is not None]
    if len(ends) < 4:
        return Figure(before=before, now=now, intervals="none")
    low, high, low_now, high_now = ends
    return Figure(before=before, now=now, intervals="overlap" if low <= high_now and low_now <= high else "apart")


def _build_inputs(declared: ReleaseContents) -> dict[str, Value]:
    digests: dict[str, Value] = {
        "code": declared.manifest.code_sha256,
        "constraints.txt": declared.manifest.constraints_sha256,
    }
    return digests | {f"inputs/{name}": sha256 for name, sha256 in declared.manifest.inputs.items()}


def _base_model(declared: ReleaseContents) -> dict[str, Value]:
    names = ("method", "base_model_origin", "base_model_licence", "base_model_sha256")
    return {name.removeprefix("base_model_"): getattr(declared.manifest, name) for name in names}


def _people(declared: ReleaseContents) -> dict[str, Value]:
    promotion = declared.promotion
    decided: dict[str, Value] = {f"{gate} gate": ", ".join(who) for gate, who in promotion.approved_by.items()}
    standing: dict[str, Value] = {
        "requested by": promotion.requested_by,
        "risk tier": promotion.tier,
        "demo": promotion.demo,
    }
    return standing | decided | declared.people
