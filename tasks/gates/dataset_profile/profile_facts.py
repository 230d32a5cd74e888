"""Metrics of profile, coverage and templates for the checks of the data gate.

shift.FIELD              distance from the dataset approved last, with interval; absent if there is none
coverage.gaps            number of segments that lack records of a kind; absent without data.coverage
coverage.asked_KIND      smallest share of a kind that data.coverage requires of a task
templates.breaches       number of records that broke a template; absent if no task has one
templates.reused_version number of tasks whose prompt changed under the same version; absent without versions
"""

from collections.abc import Iterable, Mapping

from tasks.core.facts import Fact, Facts
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.core.params.coverage import COVERED_KINDS, smallest_asked_share
from tasks.core.params.params import Params
from tasks.core.params.prompts import Prompt
from tasks.core.steps.data import TEMPLATE_RULES
from tasks.gates.dataset_profile.coverage import coverage_gaps
from tasks.gates.dataset_profile.profile import PromptVersion
from tasks.gates.dataset_profile.reading import DatasetCounts
from tasks.gates.dataset_profile.shift import Shift
from tasks.sources.dataset import Dataset

GAPS = "coverage.gaps"
MAX_NOTE_CHARS = 1_500
NO_VERSIONS: Mapping[str, PromptVersion] = {}


def prompt_versions(prompts: Mapping[str, Prompt]) -> dict[str, PromptVersion]:
    """Return the version of each task's prompt that has one."""
    return {
        task: PromptVersion(
            version=prompt.version,
            sha256=sha256_bytes(canonical_json(prompt.model_dump(mode="json", exclude={"version"}))),
        )
        for task, prompt in sorted(prompts.items())
        if prompt.version is not None
    }


def reused_versions(before: Mapping[str, PromptVersion], now: Mapping[str, PromptVersion]) -> list[str]:
    """Return the tasks whose prompt differs from the one approved last and has the same version."""
    return [
        f"prompts.{task} differs from the approved version {it.version}; give it another version"
        for task, it in now.items()
        if task in before and before[task].version == it.version and before[task].sha256 != it.sha256
    ]


def template_facts(params: Params, dataset: Dataset, before: Mapping[str, PromptVersion] = NO_VERSIONS) -> Facts:
    facts: Facts = {}
    if any(prompt.template or prompt.response for prompt in params.prompts.values()):
        removed = dataset.counts["clean"].quarantined if "clean" in dataset.counts else {}
        broken = {rule: removed[rule] for rule in TEMPLATE_RULES if removed.get(rule)}
        note = ", ".join(f"{rule} {count:,}" for rule, count in broken.items())
        facts["templates.breaches"] = Fact(value=sum(broken.values()), unit="rows", note=note)
    if versions := prompt_versions(params.prompts):
        facts["templates.reused_version"] = _finding_count(reused_versions(before, versions))
    return facts


def coverage_facts(params: Params, counts: DatasetCounts | None) -> Facts:
    rules, tasks = params.data.coverage, sorted(params.prompts)
    facts = {
        f"coverage.asked_{kind}": Fact(value=smallest_asked_share(rules, tasks, kind), note="of each task's records")
        for kind in COVERED_KINDS
    }
    if rules and counts is not None:
        facts[GAPS] = _finding_count(coverage_gaps(rules, counts.cells))
    return facts


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
