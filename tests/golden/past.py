"""The golden past of each version: a copy to read and go on with, and all that must still hold of it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tasks.audit import archive, release_facts
from tasks.consent import signed_withdrawal, withdrawals
from tasks.core.json_text import canonical_json
from tasks.gates import cases, gates, signed_decision
from tasks.incidents import incidents
from tasks.inquiry.lineage import queries
from tasks.ledger import export, ledger_verification, proof
from tasks.ledger.proof import Prover
from tasks.policy import adoption, adoption_entries
from tasks.registry.admit import admission
from tasks.registry.history import release_contents
from tasks.registry.promote import releases
from tasks.registry.release import promotions
from tasks.registry.verify import verification
from tasks.sources import vault
from tests.registry.house import NAME, House, open_house

GOLDEN = Path(__file__).parent
VERSIONS = sorted(path.name for path in GOLDEN.glob("v*"))


@dataclass
class Past:
    folder: Path
    """As it was made; nothing is written there."""
    house: House
    """A copy, as an installation has it."""
    facts: dict[str, Any]
    """What was known when it was made."""


def copied(version: str, root: Path) -> Past:
    folder = GOLDEN / version
    shutil.copytree(folder / "state", root / ".hallmark")
    shutil.copytree(folder / "governance", root / "governance")
    for path in (root / ".hallmark" / "keys").iterdir():
        path.chmod(0o600)
    return Past(folder, open_house(root), json.loads((folder / "facts.json").read_bytes()))


def bundles(past: Past) -> None:
    """Each release verifies from the root key's fingerprint alone, and can be read."""
    for label in ("triage-1", "triage-2"):
        checked = verification.verify_from_root(past.house.bundle(label), past.facts["root"])
        assert checked.verdict == "valid", checked.against
        assert release_contents.read_release(past.house.bundle(label)).label == label


def chain(past: Past) -> None:
    """The adoptions follow from the root key, by themselves and in the ledger, by the same statements."""
    envelopes = json.loads((past.folder / "adoptions.json").read_bytes())
    found = adoption_entries.read_chain(past.house.ledger, past.facts["root"])
    assert adoption.verify_chain(envelopes, past.facts["root"]).adoption.sequence == len(envelopes) == 2
    assert list(found.envelopes) == envelopes and not found.problems


def exported(past: Past) -> None:
    """The export and both proofs hold with the fingerprint of the ledger's key."""
    report = export.verify_export(past.folder / "ledger.jsonl", [past.facts["ledger_key"]])
    assert (report.verdict, report.entries, report.anchored) == ("holds", past.facts["entries"], past.facts["entries"])
    for name in ("inclusion", "consistency"):
        proof.verify_proof(proof.read_proof(past.folder / f"{name}.json"), past.house.governance.keys_of("ledger"))


def ledger(past: Past) -> None:
    """The ledger's database holds under its signed heads."""
    report = ledger_verification.verify_ledger(past.house.ledger, past.house.governance)
    assert report.verdict == "holds", report.findings
    assert report.anchored == past.facts["entries"]


def signed(past: Past) -> None:
    """Everything that somebody signed counts as it did: decisions, promotions, orders, incidents, withdrawals."""
    house = past.house
    asked = cases.read_cases(house.ledger)
    assert [case.closing_entry is None for case in asked] == [*[False] * (len(asked) - 1), True]
    for entry in house.ledger.entries(signed_decision.ENTRY_KIND):
        assert signed_decision.read_decision(entry, house.governance).effective_at == entry.time
    still_open = asked[-1]
    then = still_open.opening_entry.time + timedelta(hours=1)
    assert gates.judge_gate(still_open.evidence, house.ledger, house.governance, then).state == "waiting"
    line = promotions.read_promotions(house.ledger, house.governance, NAME)
    assert [each.promotion.action for each in line.valid_statements] == ["promote", "promote", "rollback", "rollback"]
    assert (
        not line.problems and line.newest_statement and line.newest_statement.promotion.label == past.facts["champion"]
    )
    assert [each.state for each in incidents.read_all(house.ledger, house.governance)] == ["closed", "escalated"]
    assert withdrawals.withdrawals_in_force(house.ledger, house.governance) == {}
    (restored,) = house.ledger.entries(signed_withdrawal.RESTORED)
    assert signed_withdrawal.read_countersigned_restoration(restored, house.governance)


def admitted(past: Past) -> None:
    """The champion is admitted, and the ledger goes on from there."""
    before = past.house.ledger.last_seq()
    found = admission.admit(past.house.ledger, past.house.governance, NAME)
    assert (found.label, found.ledger_unavailable) == (past.facts["champion"], False)
    assert past.house.ledger.last_seq() == before + 1
    assert ledger_verification.verify_ledger(past.house.ledger, past.house.governance).verdict == "holds"


def audited(past: Past) -> None:
    """A dossier is written of each release."""
    house = past.house
    prover = Prover(house.ledger, house.governance)
    for label in ("triage-1", "triage-2"):
        release = releases.get_release(house.ledger, house.governance, label)
        gathered = release_facts.gather_facts(release, house.ledger, house.governance)
        made, _ = archive.write_dossier(
            gathered,
            lambda seq: canonical_json(prover.prove_inclusion(seq).model_dump(mode="json")),
            house.root / label,
        )
        assert made.verdict == "valid" and all(chapter.claims for chapter in made.chapters)


def databases(past: Past) -> None:
    """The vault tells its values with its key, and the index of lineage where records and people are."""
    state, facts = past.house.state, past.facts
    assert vault.open_vault(state).reveal(list(facts["vault"]), lambda _: None) == facts["vault"]
    assert [each.sha256 for each in queries.list_datasets(state)] == [facts["dataset"]]
    assert queries.runs_with_dataset(state, facts["dataset"]) == ["run-1"]
    assert [each.row for one in facts["records"] for each in queries.memberships_of_record(state, one)] == [1, 2]
    assert [each.row for each in queries.memberships_of_subjects(state, facts["subjects"])] == [1, 2]


CHECKS: tuple[Callable[[Past], None], ...] = (
    bundles, chain, exported, ledger, signed, audited, databases, admitted,
)  # fmt: skip
"""The last one writes."""
