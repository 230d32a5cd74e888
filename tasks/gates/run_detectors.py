"""Finds of owners' detectors in a run's sources, and the detectors that policy asks for and that are missing."""

from collections.abc import Iterator

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.gates import cases
from tasks.gates.dataset_profile import profile_facts, reading
from tasks.gates.dataset_profile.required_detectors import MISSING
from tasks.gates.evidence import read_dataset
from tasks.ledger.ledger import Ledger
from tasks.policy.policy import Policy
from tasks.sources.dataset import Dataset, DatasetSource
from tasks.sources.owner_detectors import DetectorKind
from tasks.sources.protection import Category


class DetectorFinds(FrozenModel):
    """Finds of one category by the detector of a source."""

    source: str
    detector: str
    kind: DetectorKind
    sha256: str
    languages: list[str]
    """Languages that the detector is made for; empty for all."""
    category: Category
    found: int
    added: int
    """Number of finds that neither Hallmark's recognisers nor an earlier detector of the source had."""


class RunDetectors(FrozenModel):
    run: str
    finds: list[DetectorFinds]
    missing: Fact | None
    """Number of sources and categories without a detector that policy asks for; null if policy asks for none."""


def read_run_detectors(ledger: Ledger, layout: Layout, params: Params, policy: Policy, run: str) -> RunDetectors:
    """Return the finds in a run's sources, from the evidence of its data gate or, before that, from its manifest.

    Raises:
        InputError: The run has no dataset yet, or its files are damaged.
    """
    for case in reversed(cases.read_cases(ledger, run, "data")):
        if case.evidence.dataset:
            finds = list(detector_finds(case.evidence.dataset))
            return RunDetectors(run=run, finds=finds, missing=case.evidence.facts.get(MISSING))
    dataset, counts = read_dataset(layout), reading.count_dataset(layout, params)
    if dataset is None or counts is None:
        raise InputError(f"run {run} has no dataset yet; name a run that has been through `split`")
    gates = policy.tier(params.use_case.risk_tier).gates
    required = gates["data"].detectors if "data" in gates else []
    missing = profile_facts.detector_facts(required, dataset, counts).get(MISSING)
    return RunDetectors(run=run, finds=list(detector_finds(dataset)), missing=missing)


def detector_finds(dataset: Dataset) -> Iterator[DetectorFinds]:
    """Yield the finds of each detector of a dataset's sources, by category."""
    for source, origin in sorted(dataset.sources.items()):
        yield from _source_finds(source, origin)


def _source_finds(source: str, origin: DatasetSource) -> Iterator[DetectorFinds]:
    for name, detector in sorted(origin.detectors.items()):
        for category in detector.categories:
            counted = origin.detected.get(name, {}).get(category)
            yield DetectorFinds(
                source=source,
                detector=name,
                kind=detector.kind,
                sha256=detector.sha256,
                languages=detector.languages,
                category=category,
                found=counted.found if counted else 0,
                added=counted.added if counted else 0,
            )
