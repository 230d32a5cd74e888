"""Whoever can write to the ledger's database, and appends what somebody once signed again, changes nothing in force."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import zip_longest
from typing import Any

import pytest

from tasks.code_versions import sign_off
from tasks.consent import withdrawals
from tasks.core.json_text import canonical_json
from tasks.core.params.params import Params
from tasks.declarations import signed_declaration, signing, status
from tasks.gates import cases, decisions, gates, record_chain, signed_request
from tasks.incidents import incidents
from tasks.ledger import kinds
from tasks.policy import adoption, adoption_entries, adoption_signing, governance, in_force, root_of_trust, signed_entry
from tasks.policy.signed_document import SignedKind
from tasks.policy.signed_entry import Draft
from tasks.registry.promote import promotion, rollback_orders
from tasks.registry.release import promotions
from tasks.review import finish, recorded
from tasks.review.recorded import ReviewedAnswers
from tasks.runs.request import RunRequest
from tasks.scheduling import control, deployments_in_force, occasion_entries, trigger_events
from tasks.scheduling.deployments_file import EventReported
from tasks.scheduling.occasion_entries import OccasionRequest
from tasks.scheduling.occasion_log import OccasionLog
from tasks.sources.expectation_suites import Suites
from tasks.sources.sources import Source
from tasks.suppression import cases as erasures
from tasks.suppression import in_force as suppression
from tasks.suppression import signed_documents as documents
from tests.governed.house import request
from tests.registry import reviews
from tests.registry.house import COMMIT, NAME, PARAMS, SOURCE, House, open_house
from tests.registry.test_consent import declare as write_sources
from tests.registry.test_rollback import CROWD, STRICT

TREE = "a" * 64
RUN, EVENT_RUN, REVIEWED_RUN = "run-1", "event-run", "run-4"
TWO_SIGN = STRICT.replace("ENVIRONMENT", "local").replace("policy: [{role: risk}]", "policy: [{role: risk, count: 2}]")
STRICTER = TWO_SIGN.replace("at_least: 2}", "at_least: 5}")


def signed_kinds() -> set[str]:
    """Kinds of entries whose body has an envelope, as tasks/ledger/kinds.py says."""
    return {kind.kind for kind in kinds.KINDS if "`envelope`" in kind.body}


def change_governance(house: House) -> House:
    """More people and two signatures for a policy; a stricter policy, and then the first one again."""
    house.propose(lambda _: CROWD, "people.yaml")
    governance.create_vault_and_keys(house.state, house.governance.people)
    house.adopt(lambda _: CROWD, "people.yaml")
    house.adopt(lambda _: TWO_SIGN)
    root = root_of_trust.root_fingerprint(house.state)
    for text in (STRICTER, TWO_SIGN, STRICTER):  # the last one waits for `second`
        (house.governance.folder / "policy.yaml").write_text(text)
        wanted = in_force.load_proposed(house.governance.folder, house.state)
        for who in ("risk-officer", "second")[: 1 if house.ledger.entries(adoption_entries.SIGNED)[1:] else 2]:
            adoption_signing.sign_adoption(house.ledger, root, *wanted, house.key(who))
    return open_house(house.root)


def sign_versions(house: House) -> None:
    for who, withdraws in (("risk-officer", False), ("second", True)):
        sign_off.sign_version(house.ledger, house.governance, who, TREE, COMMIT, "looked at it", withdraws)


def sign_declarations(house: House) -> None:
    suites = Suites.model_validate({"by_source": {}, "dataset": None})
    for words in ("Tickets", "Tickets of last year", "Tickets, again"):
        source = Source.model_validate(SOURCE["source"] | {"description": words})
        signing.sign_declarations(
            house.ledger, house.governance, "owner", [signed_declaration.declare_source(source, suites, {}, [])], "mine"
        )
        card = PARAMS["use_case"] | {
            "problem": words,
            "owners": {**PARAMS["use_case"]["owners"], "technical": "product"},
        }
        declared = signed_declaration.declare_card(Params.model_validate(PARAMS | {"use_case": card}))
        signing.sign_declarations(house.ledger, house.governance, "product", [declared], "mine")


def switch_schedules(house: House) -> None:
    night, often = "schedules: {nightly: {cron: '0 3 * * *'}}\n", "schedules: {nightly: {every: 1h}}\n"
    for text in (night, often, night, often):
        control.declare_deployments(house.ledger, house.governance, "engineer", text)
    for deed in ("pause", "resume", "pause", "resume"):
        control.pause_or_resume(house.ledger, house.governance, deed, "nightly", "engineer", "the store moves")


def report_events(house: House) -> None:
    def ask(run: str) -> OccasionRequest:
        asked = request(EVENT_RUN, "engineer", False, house.ledger.now())
        return OccasionRequest(
            RunRequest(run_id=run, requested_by="engineer"), signed_request.sign_request(asked, house.key("engineer"))
        )

    for key in ("one", "two"):
        event = trigger_events.make_occasion(
            "upstream", EventReported(on="event", cool_down=timedelta(hours=1)), key, "it came"
        )
        occasion_entries.record_occasion(house.ledger, OccasionLog(), replace(event, is_reported=True), "here", ask)


def withdraw_sources(house: House) -> None:
    write_sources(house)
    for change in (withdrawals.withdraw_source, withdrawals.restore_source) * 2:
        change(house.ledger, house.governance, "tickets", "owner", "consent")


def decide(house: House) -> None:
    """Approve the data of a third run, take that back, and approve it once more; the last gate stays open."""
    asked = house.ask(house.begin("run-3", b"third"), "data")
    for verb in ("approve", "withdraw", "reject", "withdraw"):
        decisions.decide(house.ledger, house.governance, asked, "owner", verb, "seen")


def handle_incidents(house: House) -> None:
    for release in ("triage-1", "triage-2"):
        incidents.open_incident_if_new(
            house.ledger, house.governance, "waiver-expired", release, {"release": release}, "major", "risk", "expired",
            escalates_at=house.ledger.now() - timedelta(days=1), recurs=True,
        )  # fmt: skip
    first = incidents.read_all(house.ledger, house.governance)[0]
    incidents.escalate_overdue_incidents(house.ledger, house.governance)
    incidents.close_incident(house.ledger, house.governance, first.id, "second", "looked into")


def roll_back(house: House) -> None:
    """To the first release and, as far as one of three orders goes, on to the second."""
    for who in ("risk-officer", "one", "two"):
        promotion.rollback(house.ledger, house.governance, "triage-1", who, "worse")
    promotion.rollback(house.ledger, house.governance, "triage-2", "one", "better after all")


def review_answers(house: House) -> None:
    """Two reviews of one run, led by the owner of its source."""
    layout = house.begin(REVIEWED_RUN, b"fourth")
    reviews.put_answers(house, layout)
    for name in ("first-look", "second-look"):
        reviews.begin(house, name, layout, "owner", annotators=(), externals=("Ada L.",), overlap=1)
        files = reviews.label(house, name, house.root, people=["Ada L."])
        finish.finish_review(files, house.governance)


def erase_somebody(house: House) -> None:
    """One decision is changed twice, so that the last is also the first."""
    ledger, governed, erasure = house.ledger, house.governance, "er-1"

    def record(who: str, entry_kind: str, document: SignedKind[Any], **fields: Any) -> None:
        said = {"erasure": erasure, "environment": governed.policy.environment, "person": who, "time": ledger.now()}
        statement = document.statement(document.model.model_validate(said | fields))
        person = governed.require_actor(who, ledger.now())
        signed_entry.sign_and_record(ledger, governed, person, lambda: [Draft(entry_kind, erasure, statement)])

    of_person = {"basis": "they asked", "deadline": "2040-01-01", "sources": ["tickets"], "suppressed": ["0" * 64]}
    record("engineer", documents.REQUESTED, documents.REQUEST_KIND, identity_check="passport", records=1, **of_person)
    asked = erasures.get_case(ledger, governed, erasure).request
    assert asked
    for verb, until in (("delete", None), ("keep", "2039-01-01"), ("delete", None)):
        record(
            "risk-officer", documents.DECIDED, documents.DECISION_KIND, request=asked.sha256, kind="vault", verb=verb,
            until=until, reason="they asked",
        )  # fmt: skip
    record(
        "risk-officer", documents.CERTIFIED, documents.CERTIFICATE_KIND, request=asked.sha256, requested_by="engineer",
        requested_at=ledger.now(), outcomes=[], datasets=[], companions=0, searched_files=1, searched_bytes=1,
        releases=[{"release": "triage-1", "verb": "retrain", "until": "2039-01-01", "dataset": "1" * 64}],
        not_searched=[], **of_person,
    )  # fmt: skip


STORY: tuple[Callable[[House], Any], ...] = (
    sign_versions, sign_declarations, switch_schedules, report_events, decide, handle_incidents, roll_back,
    withdraw_sources, review_answers, erase_somebody,
)  # fmt: skip


def in_force_now(house: House) -> dict[str, object]:
    """Everything that signed entries put in force, as each reader tells it."""
    ledger = house.ledger
    governed = in_force.load_in_force(house.governance.folder, house.state, ledger)
    chain = in_force.read_chain(house.state, ledger)
    declared = status.read_status(ledger, governed)
    deployments = deployments_in_force.read_deployments(ledger, governed)
    occasions = OccasionLog().update(ledger)
    withdrawn = withdrawals.withdrawals_in_force(ledger, governed)
    line = promotions.read_promotions(ledger, governed, NAME)
    assert line.newest_statement
    back_to = rollback_orders.target_statement(ledger, governed, line, "triage-2")
    requests = [signed_request.request_for_run(ledger, governed, run) for run in (RUN, "run-3")]
    records = record_chain.records_of_run(ledger, governed, RUN)
    erased = erasures.read_cases(ledger, governed)
    review = recorded.newest_review(ledger, governed, ReviewedAnswers.of_run(house.run(REVIEWED_RUN)))
    assert review
    last_case = cases.read_cases(ledger)[-1]
    return {
        "adoptions": [adoption.adoption_digest(each) for each in chain.adoptions],
        "proposals": [missing for _, missing in adoption_signing.open_proposals(ledger, chain)],
        "code": sign_off.sign_off_status(ledger, governed, TREE).description,
        "declarations": {subject: each.declared.sha256 for subject, each in declared.declarations_by_subject.items()},
        "unfinished": list(declared.partial_signatures),
        "requests": [asked and asked.sha256 for asked in requests],
        "records": {name: it.sha256 for name, it in records.items()},
        "deployments": (deployments.sha256, deployments.active_since, deployments.declared_by),
        "switches": (set(deployments.pauses), deployments.last_switches),
        "occasions": (occasions.count_taken("upstream"), [taken.key for taken in occasions.pending_occasions("here")]),
        "withdrawn": [(it.sources, it.sha256) for each in withdrawn.values() for it in each],
        "decisions": gates.judge_case(last_case, ledger, governed, ledger.now()).state,
        "incidents": [(each.id, each.state, each.severity) for each in incidents.read_all(ledger, governed)],
        "promotion": (line.newest_statement.sha256, len(line.valid_statements)),
        "erasures": [
            (it.id, it.state, it.last_decided, {kind: said.verb for kind, said in it.decisions.items()})
            for it in erased
        ],
        "review": (review.document.round, review.sha256),
        "suppressed": suppression.suppressed_digests(ledger),
        "marks": {label: list(map(str, marks)) for label, marks in suppression.release_marks(ledger).items()},
        "orders": [
            each.sha256
            for each in rollback_orders.pending_orders(ledger, governed, back_to, line.newest_statement)
        ],
    }  # fmt: skip


def changed_by_a_replay(house: House, each: bool) -> dict[tuple[int, str], set[str]]:
    """Append every signed entry again, and return what is in force otherwise after each kind, or after each entry.

    The oldest entry of a kind is appended last: if it counted, it would be in force in place of the newest.
    """
    house = change_governance(house)
    for chapter in STORY:
        chapter(house)
    signed = [entry for entry in house.ledger.entries() if entry.kind in signed_kinds()]
    assert {entry.kind for entry in signed} == signed_kinds(), "the story needs an entry of each kind that is signed"
    before = in_force_now(house)
    changed = {}
    different = {canonical_json([it.kind, it.subject, it.body]): it for it in signed}.values()
    entries = sorted(different, key=lambda it: (it.kind, -it.seq))
    for entry, after in zip_longest(entries, entries[1:]):
        house.ledger.append(entry.kind, entry.subject, entry.body)
        if not each and after and after.kind == entry.kind:
            continue
        if differ := {name for name, it in in_force_now(house).items() if it != before[name]}:
            changed[entry.seq, entry.kind] = differ
            before = in_force_now(house)
    return changed


@pytest.mark.attack(rights="database", stopped="what somebody signed counts once, in its place")
def test_no_old_entry_that_is_appended_again_changes_what_is_in_force(succeeded: House) -> None:
    assert not changed_by_a_replay(succeeded, each=False)


@pytest.mark.soak
def test_none_does_before_another_is_appended(succeeded: House) -> None:
    assert not changed_by_a_replay(succeeded, each=True)
