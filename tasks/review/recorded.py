"""Newest review of a run in the ledger, for the evidence of its evaluation gate.

A review counts if its lead signed it for these very answers, if the ledger has its round since the start and its labels
since the finish, and if the labels give all its figures. The machine that has the labels computes the figures again;
elsewhere the signature stands for them. A review that does not count is passed over, as anybody can append to the
ledger what blocks a gate otherwise.
"""

from contextlib import suppress
from typing import Any, NamedTuple

from tasks.core.errors import HallmarkError
from tasks.core.files import sha256_file, tree_digest
from tasks.core.layout import Layout
from tasks.gates import review_validity, signed_request
from tasks.gates.signed_review import ENTRY_KIND, REVIEW_KIND, ReviewResult
from tasks.labels import entries, round_files
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.signed_document import SignedDocument, verify_entry
from tasks.review import finish


class ReviewedAnswers(NamedTuple):
    """Answers of a run that a review has to be about."""

    run: str
    evaluate_sha256: str
    cases_sha256: str

    @staticmethod
    def of_run(layout: Layout) -> "ReviewedAnswers":
        cases = layout.artefacts("suites") / "cases.parquet"
        return ReviewedAnswers(layout.root.name, tree_digest(layout.artefacts("evaluate")), sha256_file(cases))


def review_for_gate(ledger: Ledger, governance: Governance, layout: Layout) -> dict[str, Any] | None:
    """Return the signed review for the evidence of a run's evaluation gate; None if there is none."""
    if not ledger.entries(ENTRY_KIND, layout.root.name):
        return None
    found = newest_review(ledger, governance, ReviewedAnswers.of_run(layout))
    return found.envelope if found else None


def newest_review(
    ledger: Ledger, governance: Governance, answers: ReviewedAnswers
) -> SignedDocument[ReviewResult] | None:
    """Return the newest review of a run's answers that counts; None if there is none.

    A review that is appended to the ledger again has the place of its first entry, so an older one is not the newest.
    """
    asked = signed_request.request_for_run(ledger, governance, answers.run)
    newest, seen = None, set[str]()
    for entry in ledger.entries(ENTRY_KIND, answers.run) if asked else ():
        with suppress(HallmarkError):
            signed = verify_entry(entry, REVIEW_KIND, governance)
            said = signed.document
            if signed.sha256 in seen:
                continue
            seen.add(signed.sha256)
            assert asked is not None
            of_review = ReviewedAnswers(said.run, said.evaluate_sha256, said.cases_sha256)
            refused = review_validity.refusal_reason(
                signed, asked.request.requesters, asked.request.demo_approvals, governance.policy.environment
            )
            if of_review == answers and not refused and is_of_its_round(ledger, governance, said):
                newest = signed
    return newest


def is_of_its_round(ledger: Ledger, governance: Governance, said: ReviewResult) -> bool:
    """Return whether the ledger has a review's round and labels, which give its figures if this machine has them."""
    started = round_files.started_entry(ledger, said.round)
    finished = ledger.entries(entries.FINISHED, said.round)[:1]
    if started is None or not finished:
        return False
    of_ledger = (
        *(started.body.get(name) for name in ("person", entries.DIGEST, entries.REVIEW_OF)),
        finished[0].body.get(entries.DIGEST),
    )
    if of_ledger != (said.person, said.round_sha256, said.run, said.labels_sha256):
        return False
    if said.rounds != finish.count_started(ledger, said.run, finished[0]):
        return False
    if not round_files.round_folder(governance.state, said.round).exists():
        return True
    files = round_files.read_round(governance.state, ledger, said.round)
    again = finish.make_result(files, said.environment, finished[0])
    return again.model_copy(update={"time": said.time}) == said
