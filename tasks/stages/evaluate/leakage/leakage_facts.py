"""Figures of leakage that gates judge."""

from collections.abc import Iterator

from tasks.core.facts import Fact, Facts
from tasks.stages.evaluate.leakage.results_schema import (
    CanaryResults,
    LeakageResults,
    MembershipResults,
    RegurgitationResults,
)


def leakage_facts(results: LeakageResults) -> Facts:
    """Return the facts. What was not measured has none, so that a policy that names it is not met."""
    count = len(results.canaries.canaries) if results.canaries else 0
    stated = {"canaries": Fact(value=count, unit="rows", note="made up and trained, with a random secret each")}
    if results.canaries:
        stated |= _canary_facts(results.canaries)
    if results.membership:
        stated |= dict(_membership_facts(results.membership))
    if results.regurgitation:
        stated |= dict(_regurgitation_facts(results.regurgitation))
    return stated


def _canary_facts(canaries: CanaryResults) -> Facts:
    count = len(canaries.canaries)
    return {
        "canary_p": Fact(value=canaries.p, note="chance of secrets ranked so high by a model that knows none of them"),
        "canary_rank": Fact(
            **canaries.mean_rank.model_dump(),
            note=f"mean rank of a secret among {canaries.alternatives} random ones, from 0 to 1; by chance .5",
        ),
        "canary_exposure": Fact(
            value=canaries.mean_exposure,
            unit="bits",
            note=f"mean over canaries; by chance 1.4, at most {max_exposure(canaries):g}",
        ),
        "extracted": Fact(
            value=sum(each.extracted for each in canaries.canaries),
            unit="canaries",
            note=f"of {count} whose secret the model answers",
        ),
    }


def max_exposure(canaries: CanaryResults) -> float:
    return float((canaries.alternatives + 1).bit_length() - 1)


def _membership_facts(membership: MembershipResults) -> Iterator[tuple[str, Fact]]:
    sizes = f"{membership.train_rows} training rows against {membership.test_rows} test rows"
    less_base = "loss less the base model's"
    yield (
        "membership_auc",
        Fact(**membership.by_reference.auc.model_dump(), note=f"area under the curve, {less_base}; {sizes}"),
    )
    yield (
        "membership_auc_by_loss",
        Fact(**membership.by_loss.auc.model_dump(), note="area under the curve, by the candidate's loss"),
    )
    yield (
        "membership_auc_of_base",
        Fact(**membership.of_base.auc.model_dump(), note="the same of the base model, which has seen no row"),
    )
    for rate in membership.by_reference.rates:
        if not rate.is_underpowered:
            name = f"{rate.false_positive_rate:.0%}"
            note = f"share of training rows that are recognised at a false-positive rate of {name}, {less_base}"
            yield f"membership_tpr_at_{name[:-1]}", Fact(**rate.true_positive_rate.model_dump(), note=note)


def _regurgitation_facts(regurgitation: RegurgitationResults) -> Iterator[tuple[str, Fact]]:
    given = "second half of long targets and texts that is continued word by word or nearly"
    yield (
        "regurgitated",
        Fact(**regurgitation.of_train.model_dump(), note=f"{given}; {regurgitation.train_rows} training rows"),
    )
    yield "regurgitated_by_base", Fact(**regurgitation.of_train_by_base.model_dump(), note="the same by the base model")
    if regurgitation.of_test and regurgitation.excess:
        yield (
            "regurgitated_of_test",
            Fact(**regurgitation.of_test.model_dump(), note=f"the same of {regurgitation.test_rows} test rows"),
        )
        yield "regurgitated_excess", Fact(**regurgitation.excess.model_dump(), note="training rows less test rows")
