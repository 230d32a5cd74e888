"""Twelve questions of an auditor about a release, each answered in words with links to the evidence."""

from collections.abc import Callable, Iterator

from infra.console.site import RequestState
from infra.console.team_access import TeamAccess
from tasks.audit import gaps, release_facts
from tasks.audit.release_facts import ReleaseFacts
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError, InputError
from tasks.core.formatting import format_time
from tasks.ledger import quick_check, search
from tasks.ledger.kinds import DATA_ACCESS_GROUP
from tasks.ledger.search import EntryFilter
from tasks.policy.people import Person
from tasks.registry.promote import releases

MAX_DATA_ACCESSES = 20


class AnswerLine(FrozenModel):
    text: str
    href: str = ""
    """Path of the page with the evidence; empty if there is none."""


class Question(FrozenModel):
    id: str
    asks: str
    answer: list[AnswerLine]


class AuditPage(FrozenModel):
    release: str
    """Label of the release that the answers are about; empty if there is no release."""
    releases: list[str]
    """Labels of all releases. The first label belongs to the latest promotion or rollback."""
    verdict: str
    """Result of verifying the release's folder; empty if the folder cannot be read."""
    demo: bool
    """Whether demo identities approved the release instead of people."""
    standing: str
    """Current aliases of the release, or the reason why there are no answers."""
    questions: list[Question]


Answer = Callable[[RequestState, ReleaseFacts], Iterator[AnswerLine]]


def audit(here: RequestState, person: Person, release: str = "") -> AuditPage:
    """Return the audit page of a release, with answers to an auditor's questions.

    The default is the release of the latest promotion or rollback.

    Raises:
        InputError: There is no such release.
    """
    access = TeamAccess(here, person)
    labels = [label for label in releases.all_labels(here.ledger, here.governance) if access.sees_release(label)]
    if not labels:
        return AuditPage(release="", releases=[], verdict="", demo=False, standing="", questions=[])
    named = releases.get_release(here.ledger, here.governance, release or labels[0])
    try:
        gathered = release_facts.gather_facts(named, here.ledger, here.governance)
    except InputError as error:  # the folder is on another machine, or damaged
        why = str(error)
        return AuditPage(
            release=str(named.label), releases=labels, verdict="", demo=named.demo, standing=why, questions=[]
        )
    return AuditPage(
        release=str(named.label),
        releases=labels,
        verdict=gathered.verification.verdict,
        demo=named.demo,
        standing=", ".join(named.aliases) or "in no place now",
        questions=[
            Question(id=id_, asks=asks, answer=_answer_or_reason(answer, here, gathered))
            for id_, (asks, answer) in QUESTIONS.items()
        ],
    )


def _answer_or_reason(answer: Answer, here: RequestState, gathered: ReleaseFacts) -> list[AnswerLine]:
    """Return an answer, or the reason why it cannot be given, so that one error does not prevent the other answers."""
    try:
        return list(answer(here, gathered))
    except HallmarkError as error:
        return [AnswerLine(text=f"this cannot be said here: {error}")]


def approval_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    yield AnswerLine(text=f"{it.display_name(it.release.requested_by)} asked for run {it.release.run}",
               href=f"/ledger/{it.request_entry.seq}" if it.request_entry else "")  # fmt: skip
    for gate in it.contents.promotion.gates:
        counted = [each for each in it.decisions.get(gate, []) if each.counted]
        for each in counted:
            said = each.decision
            carried = said.run != it.release.run
            yield AnswerLine(
                text=f"{gate} gate: {said.verb} by {it.display_name(said.person)}{', a demo identity,' * each.demo} as "
                f"{said.role}, {format_time(each.signed.effective_at)}: {said.reason}"
                + f" (given at run {said.run} with the same data and policy, and carried over)"
                * carried,
                href=f"/ledger/{each.entry.seq}",
            )
        if not counted:
            yield AnswerLine(
                text=f"{gate} gate: {', '.join(it.release.approved_by.get(gate, [])) or 'its checks alone'}"
            )


def evidence_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    for gate in it.contents.promotion.gates:
        evidence = it.contents.evidence[gate]
        failed = sum(check.verdict == "failed" for check in evidence.checks)
        yield AnswerLine(
            text=f"{gate} gate: {len(evidence.checks)} checks, {failed} failed, {len(evidence.artefacts)} files by "
            f"digest; evidence SHA-256 {evidence.sha256[:12]}",
            href=f"/gates/{it.release.run}/{gate}",
        )


def policy_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    digest, adopted = it.policy_sha256, it.adoption_history.at_promotion
    same = "which is in force now" if digest == here.governance.policy_sha256 else "another is in force now"
    yield AnswerLine(text=f"policy SHA-256 {digest[:12]}, {same}; risk tier {it.release.tier}", href="/policy")
    if adopted is None:
        yield AnswerLine(text="nobody had adopted it: it was proposed with the run")
    else:
        yield AnswerLine(text=f"in force at the promotion: {adopted.describe()}", href=f"/ledger/{adopted.entry.seq}")
    for later in it.adoption_history.later_adoptions:
        text = f"adopted after the promotion, so nothing here was judged under it: {later.describe()}"
        yield AnswerLine(text=text, href=f"/ledger/{later.entry.seq}")


def data_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    for name, origin in it.contents.dataset.sources.items():
        yield AnswerLine(
            text=f"{name}: {origin.rows_read:,} rows, licence {origin.licence}, {origin.lawful_basis}, class "
            f"{origin.classification}, SHA-256 {origin.sha256[:12]}",
            href=f"/gates/{it.release.run}/data",
        )
    manifest = it.contents.manifest
    yield AnswerLine(text=f"base model {manifest.base_model_origin}, SHA-256 {manifest.base_model_sha256[:12]}")


def data_owner_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    for name, origin in it.contents.dataset.sources.items():
        kept = sum(origin.readable_counts.values())
        treated = sum(origin.protected.values()) - kept
        owner, steward = it.display_name(origin.owner), it.display_name(origin.steward)
        text = f"{treated:,} stretches of personal or secret text were treated before anything was written"
        text += f"; {kept:,} more were kept readable ({', '.join(origin.readable_counts)})" if kept else ""
        yield AnswerLine(text=f"{name}: owner {owner}, steward {steward}; {text}")
    for taken in it.withdrawals:
        yield AnswerLine(text=f"withdrawn since: {taken}")


def production_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    for reign in it.own_periods:
        until = f"until {format_time(reign.until)}" if reign.until else "and still is"
        yield AnswerLine(text=f"{it.release.label} was in production from {format_time(reign.since)} {until}",
                   href=f"/production?when={reign.since:%Y-%m-%dT%H:%M:%SZ}".replace("+", "%2B"))  # fmt: skip
    yield AnswerLine(text="what was in production at any other moment", href="/production")


def change_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    earlier = [r for r in it.production_periods if r.signed.promotion.version < it.release.version]
    if not earlier:
        yield AnswerLine(text="it is the first of its model")
        return
    before = earlier[-1].signed.promotion.label
    yield AnswerLine(text=f"against {before}: data, parameters, code, figures, policy and people",
               href=f"/releases/{before}/to/{it.release.label}")  # fmt: skip


def waiver_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    relied = releases.failed_checks(it.release, here.ledger, here.governance)
    for each in relied:
        yield AnswerLine(text=each.describe(), href=f"/ledger/{each.entry}" if each.entry else "")
    if not relied:
        yield AnswerLine(text="nothing: no check failed")


def reproduction_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    for entry in it.reproductions:
        yield AnswerLine(
            text=f"built again on {format_time(entry.time)}: {entry.body.get('verdict')}", href=f"/ledger/{entry.seq}"
        )
    if not it.reproductions:
        text = f"hallmark reproduce {it.release.label} builds it again from commit {it.release.commit[:12]}"
        yield AnswerLine(text=f"nobody has tried yet: {text} and compares every digest")


def ledger_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    wrong = list(quick_check.find_problems(here.ledger, here.governance))
    for each in wrong:
        yield AnswerLine(text=each)
    if not wrong:
        found = f"{here.ledger.count_entries():,} entries; a look at the signed heads found nothing"
        text = f"{found}. All of it, and with nothing of this machine trusted: hallmark ledger verify"
        yield AnswerLine(text=text, href="/ledger")
    for each in it.invalid_promotions:
        yield AnswerLine(text=f"not counted: {each}")


def data_access_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    looks = search.find_newest(here.ledger, EntryFilter(kind=DATA_ACCESS_GROUP), MAX_DATA_ACCESSES)
    for entry in looks.entries:
        yield AnswerLine(
            text=f"{format_time(entry.time)}: {entry.kind} by {entry.body.get('person')}: {entry.body.get('reason')}",
            href=f"/ledger/{entry.seq}",
        )
    nobody = "nobody has looked at a record of a source, into the vault, or for a person"
    yield AnswerLine(
        text="every look in the ledger" if looks.entries else nobody, href=f"/ledger?kind={DATA_ACCESS_GROUP}"
    )


def gap_lines(here: RequestState, it: ReleaseFacts) -> Iterator[AnswerLine]:
    yield from (AnswerLine(text=text) for text in gaps.evidence_gaps(it))
    yield from (AnswerLine(text=text) for text in it.verification.unchecked)


QUESTIONS: dict[str, tuple[str, Answer]] = {
    "approved": ("Who approved it?", approval_lines),
    "evidence": ("On what evidence?", evidence_lines),
    "policy": ("Under which policy?", policy_lines),
    "data": ("Which data, and under which licence?", data_lines),
    "people": ("Whose data is it?", data_owner_lines),
    "production": ("When was it in production?", production_lines),
    "changed": ("What changed?", change_lines),
    "waived": ("What is waived, and until when?", waiver_lines),
    "rebuilt": ("Can it be rebuilt?", reproduction_lines),
    "whole": ("Is the log whole?", ledger_lines),
    "looked": ("Who looked at data?", data_access_lines),
    "gaps": ("What is not covered?", gap_lines),
}
