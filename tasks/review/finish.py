"""Finish of a review: its round takes no more labels, and the lead signs the result for the run's evaluation gate."""

from contextlib import suppress

from tasks.core.errors import HallmarkError, InputError
from tasks.gates.signed_review import ENTRY_KIND, REVIEW_KIND, ReviewResult
from tasks.labels import entries
from tasks.labels import finish as rounds
from tasks.labels.given_labels import read_given_labels
from tasks.labels.round_files import RoundFiles
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import signed_entry
from tasks.policy.governance import Governance
from tasks.policy.signed_document import verify_entry
from tasks.policy.signed_entry import Draft
from tasks.review import results, reviewers


def finish_review(files: RoundFiles, governance: Governance, allow_partial: bool = False) -> Entry:
    """Finish a review and sign its result. Repeating the call has no effect.

    Args:
        files: Files of the review's round.
        governance: Governance in force.
        allow_partial: Whether pairs may lack labels of annotators that they were assigned to.

    Returns:
        Ledger entry with the signed result.

    Raises:
        InputError: The round is no review, or the lead has no key here.
        Refused: Labels are missing, a source of the rows is withdrawn, or the lead requested the run.
    """
    said, ledger = files.round, files.ledger
    if said.review is None or said.run is None:
        raise InputError(f"round {said.id} is no review; `hallmark labels finish` finishes it")
    reviewers.require_not_requesters(ledger, governance, said.run, [said.lead])
    labels = rounds.finish_round(files, governance, "majority", allow_partial).entry
    result = make_result(files, governance.policy.environment, labels)

    def draft() -> Entry | list[Draft]:
        if known := _signed_before(files, governance, labels):
            return known
        dated = result.model_copy(update={"time": ledger.now()})
        return [Draft(ENTRY_KIND, result.run, REVIEW_KIND.statement(dated))]

    return signed_entry.sign_and_record(ledger, governance, governance.require_actor(said.lead, ledger.now()), draft)


def make_result(files: RoundFiles, environment: str, labels: Entry) -> ReviewResult:
    """Return the result of a finished review as its lead signs it.

    Args:
        files: Files of the review's round.
        environment: Environment of the installation.
        labels: Ledger entry of the finish of the round.
    """
    said, report = files.round, results.report_review(files, for_lead=False)
    assert said.review is not None
    return ReviewResult(
        run=report.run,
        evaluate_sha256=said.review.evaluate_sha256,
        cases_sha256=said.review.cases_sha256,
        round=said.id,
        round_sha256=said.sha256,
        labels_sha256=str(labels.body["sha256"]),
        environment=environment,
        person=said.lead,
        rounds=count_started(files.ledger, report.run, labels),
        compared_with=report.compared_with,
        annotators=len(said.annotators),
        drawn=report.drawn,
        missing_labels=rounds.count_missing_labels(files, read_given_labels(files)),
        contested=report.contested,
        equal=report.equal,
        alpha=report.alpha,
        judges=report.judges,
        time=files.ledger.now(),
        **{name: getattr(report.overall, name) for name in type(report.overall).model_fields},
    )


def count_started(ledger: Ledger, run: str, until: Entry) -> int:
    """Return how many reviews of a run were started before an entry. A review that was given up counts too."""
    started = ledger.entries(entries.STARTED)
    return sum(entry.body.get(entries.REVIEW_OF) == run and entry.seq < until.seq for entry in started)


def _signed_before(files: RoundFiles, governance: Governance, labels: Entry) -> Entry | None:
    assert files.round.run is not None
    for entry in files.ledger.entries(ENTRY_KIND, files.round.run):
        with suppress(HallmarkError):
            signed = verify_entry(entry, REVIEW_KIND, governance).document
            if (signed.round, signed.labels_sha256) == (files.round.id, labels.body["sha256"]):
                return entry
    return None
