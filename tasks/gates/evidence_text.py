"""Evidence of a gate in words, the same for terminals and pages: its origin, its deciders and its changes."""

from collections.abc import Callable, Iterator, Mapping

from tasks.core.facts import Fact
from tasks.core.formatting import format_count, format_share
from tasks.gates.checks.checks import CheckResult
from tasks.gates.checks.dataset_diff import DatasetChange, SourceChange, ValueChange
from tasks.gates.evidence import Evidence, RequiredDecisions
from tasks.gates.evidence_diff import EvidenceDiff
from tasks.gates.gates import CheckStatus, GateStatus
from tasks.inquiry.planted_defects import gate_facts
from tasks.sources.dataset import PARTITIONS, Dataset

MAX_DIFFERENCES = 5


def verdict_text(standing: GateStatus) -> str:
    failed = [check for check in standing.checks if not check.holds]
    waived = [check for check in standing.checks if check.holds and check.waived_by]
    checks = f"{len(standing.checks)} check{'s' * (len(standing.checks) != 1)}"
    said = f"{len(failed)} of {checks} failed" if failed else f"all {checks} hold" if standing.checks else "no check"
    said += f", {len(waived)} by a waiver" * bool(waived)
    waits = f"; it waits for {'; '.join(standing.waiting_for)}" if standing.waiting_for else ""
    return f"{standing.state}: {said}{waits}"


def origin_text(evidence: Evidence) -> str:
    boxes = {it.sandbox for it in evidence.recorded.values()}
    named = ", ".join(sorted(filter(None, boxes)))
    where = f"in a sandbox ({named})" if boxes and None not in boxes else "WITHOUT a sandbox"
    taken = sum(it.computed_in != evidence.run for it in evidence.recorded.values())
    said = f"{format_count(len(evidence.recorded), 'stage')}, each signed with what it read and left; run {where}"
    return (said + f"; {taken} of them in an earlier run" * bool(taken)) if evidence.recorded else "nobody signed how"


def deciders_text(asks: RequiredDecisions) -> str:
    roles = [
        f"every owner of a source ({', '.join(asks.owners)})" if role.owners and asks.owners
        else f"{role.count} in role {role.role}"
        for role in asks.roles
    ]  # fmt: skip
    said = " and ".join(roles) or "nobody: the checks alone decide"
    return said + (
        f"; role {asks.waive.role} may waive a failed check for {asks.waive.max_days:g} days"
        if asks.waive
        else "; nobody may waive a check"
    )


def evidence_lines(evidence: Evidence) -> dict[str, str]:
    return {
        "use case": f"{evidence.use_case}, risk tier {evidence.tier}"
        + ", demo run: not for production" * evidence.demo,
        "made by": origin_text(evidence),
        **({"masking missed": gate_facts.describe_misses(evidence.facts)} if evidence.dataset else {}),
        "adopted": ", ".join(evidence.declared) or "neither its sources nor its card, by anybody",
        "subject": f"output of {evidence.subject.stage}, SHA-256 {evidence.subject.sha256}",
        "looked at": f"{len(evidence.artefacts)} files, {len(evidence.facts)} figures; --json has each",
    }


def outcome_text(check: CheckStatus) -> str:
    if check.waived_by:
        return f"waived by {check.waived_by} until {check.waived_until:%Y-%m-%d}"
    return check.result.verdict


def metric_text(result: CheckResult) -> str:
    if result.value is None:
        return "absent"
    return str(Fact(value=result.value, low=result.low, high=result.high))


def limit_text(result: CheckResult) -> str:
    bound = "" if result.bound == "value" else f"{result.bound} end "
    return bound + (f"at least {result.at_least:g}" if result.at_least is not None else f"at most {result.at_most:g}")


def dataset_lines(dataset: Dataset, change: DatasetChange | None, approved: bool = True) -> Iterator[str]:
    """Yield lines about a dataset and its differences from an earlier one.

    Args:
        dataset: Dataset of the run.
        change: Differences from an earlier dataset; None if there is none.
        approved: Whether the earlier dataset is the one that was approved last.
    """
    if change is None:
        rows = ", ".join(f"{side} {dataset.rows[side]:,}" for side in PARTITIONS)
        yield f"rows: {rows}; no dataset was approved before"
        return
    which = "approved in" if approved else "of"
    yield f"compared with the dataset {which} run {change.run} ({change.subject_sha256[:12]}):"
    yield f"rows: {', '.join(f'{side} {change_text(change.rows[side])}' for side in PARTITIONS)}"
    for name, source in change.sources.items():
        if moved := list(_source_changes(source)):
            yield f"source {name}: {', '.join(moved)}"
    yield from _difference_line("quarantined", change.quarantined, len(change.quarantined), _percent)
    for name in ("department", "language", "kind"):
        yield from _difference_line(name, change.segments[name])
    yield from _difference_line("settings", change.settings)


def changed_files_text(before: EvidenceDiff | None) -> str:
    if before is None:
        return "this gate has let nothing of the use case pass before"
    if not before.files:
        return f"every file is as in run {before.run}, which passed here last"
    named = ", ".join(
        before.files[:MAX_DIFFERENCES]
    ) + f" and {len(before.files) - MAX_DIFFERENCES} more, which --json has" * (len(before.files) > MAX_DIFFERENCES)
    return f"since run {before.run}, which passed here last, {len(before.files)} files differ: {named}"


def rule_counts_text(counts: Mapping[str, int]) -> str:
    said = [f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return f" ({', '.join(said)})" if said else ""


def _source_changes(source: SourceChange) -> Iterator[str]:
    """Yield the differences of a source. An added source is left out, because the page's table shows it."""
    if source.content in ("added", "removed"):
        yield from ["removed"] * (source.content == "removed")
        return
    yield from (f"{name} {change_text(pair)}" for name, pair in source.terms.items())
    for name, pair in (("rows", source.taken), ("in the dataset", source.rows)):
        if not pair.unchanged:
            yield f"{name} {change_text(pair)}"
    if not source.aside_share.unchanged:
        yield f"quarantined before the split {_percent(source.aside_share)}"


def _difference_line(
    what: str,
    moved: Mapping[str, ValueChange],
    most: int = MAX_DIFFERENCES,
    shown: Callable[[ValueChange], str] | None = None,
) -> Iterator[str]:
    differ = [f"{name or 'none'} {(shown or change_text)(pair)}" for name, pair in moved.items() if not pair.unchanged]
    if differ:
        more = f" and {len(differ) - most} more, which --json has" * (len(differ) > most)
        yield f"{what}: {', '.join(differ[:most])}{more}"


def change_text(pair: ValueChange) -> str:
    before, now = (_value(value) for value in (pair.before, pair.now))
    return now if pair.unchanged else f"{before} → {now}"


def _value(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "none" if value is None else str(value)


def _percent(pair: ValueChange) -> str:
    return " → ".join(format_share(float(value or 0)) for value in (pair.before, pair.now))
