"""Profile of a run's dataset for people: from the evidence of its data gate, or counted before the gate is open."""

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.gates import cases, passed_evidence
from tasks.gates.dataset_profile import profile_facts, reading
from tasks.gates.dataset_profile.shift import Shift, measure_shifts
from tasks.ledger.ledger import Ledger


class RunProfile(FrozenModel):
    run: str
    rows: int
    compared_with: str | None
    """Id of the run whose dataset was approved last; null if none was, or if its evidence has no counts."""
    shifts: list[Shift]
    coverage_gaps: Fact | None
    """Number of segments that lack records of a kind, with the segments; null without data.coverage."""


def read_run_profile(ledger: Ledger, layout: Layout, params: Params, demo: bool, run: str) -> RunProfile:
    """Return the profile of a run's dataset.

    Raises:
        InputError: The run has no dataset yet, or its files are damaged.
    """
    for case in reversed(cases.read_cases(ledger, run, "data")):
        evidence = case.evidence
        if evidence.profile:
            compared = evidence.change.run if evidence.shifts and evidence.change else None
            gaps = evidence.facts.get(profile_facts.GAPS)
            return RunProfile(
                run=run,
                rows=evidence.profile.rows,
                compared_with=compared,
                shifts=evidence.shifts,
                coverage_gaps=gaps,
            )
    counts = reading.count_dataset(layout, params)
    if counts is None:
        raise InputError(f"run {run} has no dataset yet; name a run that has been through `split`")
    profile = counts.to_profile()
    before = passed_evidence.last_passed_evidence(ledger, params.use_case.name, demo)
    reference = before.profile if before else None
    return RunProfile(
        run=run,
        rows=profile.rows,
        compared_with=before.run if before and reference else None,
        shifts=measure_shifts(reference, profile, counts) if reference else [],
        coverage_gaps=profile_facts.coverage_facts(params, counts).get(profile_facts.GAPS),
    )
