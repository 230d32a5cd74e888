"""Evidence that is missing from a release, described in sentences for auditors."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.audit.artifacts import ArtifactCollection
from tasks.audit.dossier import Framework
from tasks.audit.release_facts import ReleaseFacts
from tasks.registry.release import bundle
from tasks.registry.verify import omitted_weights

EVALUATION_SUBJECTS = {
    "factual correctness and hallucination": ("halluc", "factual"),
    "consistency over repeats and paraphrases": ("consist",),
    "bias between groups of people": ("bias",),
    "toxicity": ("toxic",),
    "leakage of training or personal data by the model": ("leak", "memor"),
    "prompt injection and jailbreak": ("inject", "jailbreak"),
    "review by experts": ("expert", "review"),
}
"""Subjects that an evaluation can cover, each with substrings of metric names. An evaluation covers a subject if the
name of one of its metrics contains one of the substrings."""


UNSIGNED_MESSAGE = (
    "Nobody signed this dossier: the key of the ledger was not there, or the ledger does not go on from its last head."
)


def evidence_gaps(
    facts: ReleaseFacts, collection: ArtifactCollection | None = None, frameworks: Sequence[Framework] = ()
) -> Iterator[str]:
    """Yield one sentence for each gap, most important first.

    Args:
        facts: Facts about the release.
        collection: Artifacts of the dossier; None if no dossier is written.
        frameworks: Compliance frameworks, with the claims that are evidence for each control.
    """
    if facts.verification.verdict == "invalid":
        yield f"The release does NOT verify: {facts.verification.against}."
    if facts.verification.verdict == "incomplete":
        yield f"The release verifies as far as its folder goes: {facts.verification.against}."
    if facts.release.demo:
        yield "Demo identities decided: no person looked at it, and it counts in environment local alone."
    if collection and collection.mismatched_entries:
        numbers = ", ".join(map(str, sorted(collection.mismatched_entries)))
        yield f"Ledger entries that are NOT what their proofs are about: {numbers}. Somebody changed them."
    yield from _decision_gaps(facts)
    yield from _adoption_gaps(facts)
    yield from _build_gaps(facts)
    names = " ".join(facts.contents.quality_metrics).lower()
    absent = [what for what, words in EVALUATION_SUBJECTS.items() if not any(word in names for word in words)]
    if absent:
        yield f"Not evaluated: {', '.join(absent)}."
    metrics = facts.params.use_case.success_metrics
    if later := [metric.name for metric in metrics if metric.judged == "production"]:
        yield f"Success metrics that are judged in production, of which there are no figures here: {', '.join(later)}."
    if collection and collection.unproven_entries:
        yield (
            f"{len(collection.unproven_entries)} of the ledger entries here come without a proof that a "
            "signed head of the ledger "
            f"covers them ({collection.proof_error}). Those that are signed themselves can be checked all the same."
        )
    if facts.request is None:
        yield "The ledger has no signed request for the run: who asked is said by the gates' evidence."
    if not facts.reproductions:
        yield f"It was not built again: hallmark reproduce {facts.release.label} does that and records the outcome."
    if facts.invalid_promotions:
        yield (
            f"Entries of the ledger that say they promote this model and do not verify: "
            f"{len(facts.invalid_promotions)}."
        )
    yield "Quality of the source data itself, and whether its lawful basis holds, are as its owners declared them."
    yield from _control_gaps(frameworks)


def _decision_gaps(facts: ReleaseFacts) -> Iterator[str]:
    mute = [f"{it.decision.person} at the {gate} gate" for gate, every in facts.decisions.items() for it in every
            if it.counted and it.decision.verb == "approve" and not it.decision.reason]  # fmt: skip
    if mute:
        yield f"Approved without a reason: {', '.join(mute)}."
    carried = [gate for gate, every in facts.decisions.items() for it in every
               if it.counted and it.decision.run != facts.release.run]  # fmt: skip
    if carried:
        yield "The approval of the data was given in an earlier run with the same data and policy, and carried over."


def _adoption_gaps(facts: ReleaseFacts) -> Iterator[str]:
    declared = facts.contents.evidence["data"].declared if "data" in facts.contents.evidence else {}
    sources = [name for name in facts.contents.dataset.sources if f"source/{name}" not in declared]
    if sources:
        yield f"Adopted by no owner, as its run declared them: {_enumerate_names('source', sources)}."
    if not any(name.startswith("card/") for name in declared):
        yield "The use-case card was adopted by nobody."


def _build_gaps(facts: ReleaseFacts) -> Iterator[str]:
    tree, promotion = facts.contents.manifest.tree_sha256, facts.contents.promotion
    if not any((facts.contents.folder / bundle.CODE_SIGNOFFS).glob("*.json")):
        yield f"The version of the code, tree {tree[:12]}, was signed off by nobody."
    if not facts.stage_records:
        yield "What its stages read and left was not recorded."
    if bare := [name for name, stage in facts.stage_records.items() if stage.environment.sandbox is None]:
        what = "without a sandbox, so by code that could do all that the runner may"
        yield f"Computed {what}: {_enumerate_names('stage', sorted(bare))}."
    if promotion.judge is None:
        yield "Which Hallmark judged it is not said."
    elif promotion.judge.editable:
        what = "which a commit or an editor changes between two gates"
        yield f"An editable install judged it, {what}: {promotion.judge}."
    if promotion.replaces is None:
        yield "There was no champion to compare it with: it is the first of its model."


def _enumerate_names(what: str, names: list[str]) -> str:
    return f"{what}{'s' * (len(names) > 1)} {', '.join(names)}"


def _control_gaps(frameworks: Sequence[Framework]) -> Iterator[str]:
    none = [f"{framework.name} {control.id}" for framework in frameworks for control in framework.controls
            if not control.claims]  # fmt: skip
    if none:
        yield f"Controls named below for which this release has nothing: {', '.join(none)}."


def weights_left_out_message(folder: Path) -> str:
    omitted = omitted_weights.weight_files(bundle.list_digests(folder))
    size = sum((folder / name).stat().st_size for name in omitted)
    named = ", ".join(f"{name} (SHA-256 {digest})" for name, digest in omitted.items())
    return (
        f"The weights ({size:,} bytes) were left out of this archive: {named}. `hallmark releases verify` checks all "
        "the rest, and calls it incomplete."
    )


def not_copied_message(name: str) -> str:
    return f"{name!a} of the release was not copied: it is a link, a pipe or a device, and a release holds files alone."
