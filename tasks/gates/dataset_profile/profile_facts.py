"""Metrics of profile, coverage and templates for the checks of the data gate.

shift.FIELD              distance from the dataset approved last, with interval; absent if there is none
coverage.gaps            number of segments that lack records of a kind; absent without data.coverage
coverage.asked_KIND      smallest share of a kind that data.coverage requires of a task
templates.breaches       number of rows of the dataset that break a template; absent if no task has one
detectors.missing        number of sources and categories without a detector that policy asks for; absent if it asks for
                         none
templates.reused_version number of tasks whose prompt changed and has no higher version; absent without versions
"""

from collections.abc import Iterable, Mapping, Sequence

from tasks.core.facts import Fact, Facts
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.core.params.coverage import COVERED_KINDS, smallest_asked_share
from tasks.core.params.params import Params
from tasks.core.params.prompts import Prompt
from tasks.core.steps.data import TEMPLATE_RULES
from tasks.gates.dataset_profile.breaches import has_templates
from tasks.gates.dataset_profile.coverage import coverage_gaps
from tasks.gates.dataset_profile.profile import PromptVersion
from tasks.gates.dataset_profile.reading import DatasetCounts
from tasks.gates.dataset_profile.required_detectors import MISSING, missing_detectors
from tasks.gates.dataset_profile.shift import Shift
from tasks.policy.gate_rules import RequiredDetector
from tasks.sources.dataset import Dataset

GAPS = "coverage.gaps"
MAX_NOTE_CHARS = 1_500
NO_VERSIONS: Mapping[str, PromptVersion] = {}


def prompt_versions(prompts: Mapping[str, Prompt]) -> dict[str, PromptVersion]:
    """Return the version of each task's prompt that has one."""
    return {
        task: PromptVersion(version=prompt.version, sha256=_prompt_digest(prompt))
        for task, prompt in sorted(prompts.items())
        if prompt.version is not None
    }


def known_versions(before: Mapping[str, PromptVersion], prompts: Mapping[str, Prompt]) -> dict[str, PromptVersion]:
    """Return the highest known version of each task's prompt: of the prompts, or of those approved before.

    A version is kept while its task has none or is left out, so that it cannot return with another content.
    """
    now = prompt_versions(prompts)
    return {
        task: max((known[task] for known in (now, before) if task in known), key=lambda it: it.version)
        for task in sorted({*before, *now})
    }


def reused_versions(before: Mapping[str, PromptVersion], prompts: Mapping[str, Prompt]) -> list[str]:
    """Return the tasks whose prompt differs from the one approved last without having a higher version."""
    return [
        f"prompts.{task} differs from the approved version {approved.version} and has "
        f"{f'version {prompt.version}' if prompt.version else 'no version'}; give it version {approved.version + 1}"
        for task, approved in before.items()
        if (prompt := prompts.get(task))
        and (prompt.version or 0) <= approved.version
        and _prompt_digest(prompt) != approved.sha256
    ]


def _prompt_digest(prompt: Prompt) -> str:
    """Return the digest of what a version covers.

    Fields with their default are left out, so that a field of a later Hallmark version changes no digest.
    """
    covered = prompt.model_dump(mode="json", include={"system", "template", "response"}, exclude_defaults=True)
    return sha256_bytes(canonical_json(covered))


def template_facts(
    params: Params, dataset: Dataset, counts: DatasetCounts, before: Mapping[str, PromptVersion] = NO_VERSIONS
) -> Facts:
    facts: Facts = {}
    if has_templates(params.prompts):
        facts["templates.breaches"] = _breach_count(counts, dataset)
    if before or prompt_versions(params.prompts):
        facts["templates.reused_version"] = _finding_count(reused_versions(before, params.prompts))
    return facts


def _breach_count(counts: DatasetCounts, dataset: Dataset) -> Fact:
    """Return the number of rows that break a template. The note also says how many stage `clean` quarantined."""
    found, note = counts.breaches, list[str]()
    if found.by_rule:
        records = f": records {', '.join(found.records)}" if found.records else ""
        more = ", …" if records and found.by_rule.total() > len(found.records) else ""
        note.append(f"in the dataset {_rule_counts(found.by_rule)}{records}{more}")
    removed = dataset.counts["clean"].quarantined if "clean" in dataset.counts else {}
    if quarantined := {rule: removed[rule] for rule in TEMPLATE_RULES if removed.get(rule)}:
        note.append(f"quarantined by clean {_rule_counts(quarantined)}")
    return Fact(value=found.by_rule.total(), unit="rows", note="; ".join(note))


def _rule_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{rule} {count:,}" for rule, count in sorted(counts.items()))


def coverage_facts(params: Params, counts: DatasetCounts) -> Facts:
    rules, tasks = params.data.coverage, sorted(params.prompts)
    facts = {
        f"coverage.asked_{kind}": Fact(value=smallest_asked_share(rules, tasks, kind), note="of each task's records")
        for kind in COVERED_KINDS
    }
    if rules:
        facts[GAPS] = _finding_count(coverage_gaps(rules, counts.cells))
    return facts


def detector_facts(required: Sequence[RequiredDetector], dataset: Dataset, counts: DatasetCounts) -> Facts:
    if not required:
        return {}
    declared = {name: source.detectors for name, source in dataset.sources.items()}
    return {MISSING: _finding_count(missing_detectors(required, declared, counts.languages))}


def shift_facts(shifts: Iterable[Shift], run: str) -> Facts:
    return {f"shift.{shift.field}": shift.to_fact(run) for shift in shifts}


def _finding_count(texts: Iterable[str]) -> Fact:
    """Return the number of findings as a fact, whose note lists as many of the findings as fit."""
    listed, length, shown = list(texts), 0, list[str]()
    for text in listed:
        length += len(text) + 2
        if length > MAX_NOTE_CHARS:
            shown.append("…")
            break
        shown.append(text)
    return Fact(value=len(listed), note="; ".join(shown))
