"""Makes the golden past of one version of the formats: `python -m tests.golden.make VERSION`, once.

It writes tests/golden/VERSION and never over what is there. People are invented, keys are made here, and of those only
the public halves are kept, beside the vault's, which opens two invented names.
"""

import json
import shutil
import sqlite3
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.backup.save import copy_database
from tasks.consent import withdrawals
from tasks.core.files import atomic_folder, write_bytes, write_json
from tasks.core.json_text import canonical_json
from tasks.gates import decisions
from tasks.incidents import incidents
from tasks.inquiry.lineage import indexing, tables
from tasks.inquiry.lineage.indexing import IndexedRecord, Mention
from tasks.inquiry.lineage.tables import RUNS, IndexedSource
from tasks.ledger import export
from tasks.ledger import proof as ledger_proof
from tasks.ledger.heads import publication
from tasks.policy import adoption_signing, in_force
from tasks.registry.admit import admission
from tasks.registry.promote import emergency_rollback, promotion
from tasks.registry.promote.mlflow_mirror import RegistryClient
from tasks.sources import vault
from tasks.sources.vault_writer import TokenValue
from tasks.stages.data.protect.tokens import make_token
from tasks.trust import keys
from tests.registry import house as house_module
from tests.registry.house import NAME, House
from tests.registry.test_consent import declare

GOLDEN = Path(__file__).parent
POLICY = house_module.POLICY.replace(
    "  low:\n", "  low:\n    scheduler: true\n    break_glass: {role: on-call, confirm_role: risk, confirm_hours: 4}\n"
).replace(
    "        decisions: [{role: risk}]\n", "        decisions: [{role: risk}, {role: approver}]\n"
).replace("people: [{role: risk}]", "people: [{role: risk}, {role: approver}]")  # fmt: skip
PEOPLE = (
    house_module.PEOPLE
    + """\
  - {id: second, name: Second approver, roles: [approver]}
  - {id: night, name: Night shift, roles: [on-call]}
"""
)
NAMES = ("Ada Lovelace", "Zoë Müller")
RECORDS = ("a1" * 16, "b2" * 16)


def make(target: Path) -> None:
    """A use case with two releases, and all that was signed and decided on the way."""
    if target.exists():
        raise SystemExit(f"{target} is there: what an earlier version wrote is never made anew")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(house_module, "POLICY", POLICY)
        patched.setattr(house_module, "PEOPLE", PEOPLE)
        house = _house(Path(folder) / "house")
        _live(house)
        facts = _vault(house) | _lineage(house)
        with atomic_folder(target) as aside:
            _keep(house, aside, facts)


def _house(root: Path) -> House:
    with RegistryClient(root / ".hallmark") as client:
        client.search_registered_models()
    return house_module.found(root)


def _live(house: House) -> None:
    """Every kind of signed statement there is, and a gate that stays open."""
    ledger = house.ledger
    _release(house, "run-1", b"adapter", short=True)
    publication.publish(ledger, house.governance)
    _adopt(house)
    _release(house, "run-2", b"better")
    declare(house)
    withdrawals.withdraw_source(ledger, house.governance, "tickets", "owner", "consent ended")
    withdrawals.restore_source(ledger, house.governance, "tickets", "owner", "a mistake")
    for person in ("risk-officer", "second"):
        promotion.rollback(ledger, house.governance, "triage-1", person, "wrong queue")
    promotion.rollback(ledger, house.governance, "triage-2", "night", "wrong queue again", break_glass=True)
    emergency_rollback.confirm_rollback(ledger, house.governance, "triage-2", "risk-officer", "it was right")
    incidents.open_incident_if_new(
        ledger, house.governance, "alias-moved", "triage-2", {"alias": "champion"}, "minor", "risk", "It was moved.",
        escalates_at=ledger.now(),
    )  # fmt: skip
    incidents.escalate_overdue_incidents(ledger, house.governance)
    admission.admit(ledger, house.governance, NAME, "server-1")
    open_gate = house.begin("run-3", b"third")
    house.open(open_gate, "data")
    house.ask(open_gate, "evaluation")
    publication.publish(ledger, house.governance)


def _release(house: House, run: str, weights: bytes, short: bool = False) -> None:
    """One whose evaluation is too `short` passes on a waiver, given again after it was withdrawn."""
    falls = {"evaluate": {"exact_match": {"value": 0.6, "low": 0.5, "high": 0.7}}}
    layout = house.begin(run, weights, facts=falls if short else None)
    house.open(layout, "data")
    asked = house.ask(layout, "evaluation")
    _say(house, asked, "product", "approve")
    failed = [check.name for check in asked.checks if check.verdict == "failed"]
    for days in (5, 10) if short else ():
        until = house.ledger.now() + timedelta(days=days)
        _say(house, asked, "risk-officer", "waive", checks=failed, expires=until)
        if days == 5:
            _say(house, asked, "risk-officer", "withdraw")
    house.pass_gate(layout, asked)
    house.pack(layout)
    asked = house.ask(layout, "release")
    for person in ("risk-officer", "second"):
        _say(house, asked, person, "approve")
    house.pass_gate(layout, asked)
    house.promote(layout)


def _say(house: House, asked: Any, person: str, verb: Any, **more: Any) -> None:
    decisions.decide(house.ledger, house.governance, asked, person, verb, "as it was seen", **more)


def _adopt(house: House) -> None:
    """Two people sign, so that it is proposed, signed and adopted."""
    path = house.governance.folder / "people.yaml"
    path.write_text(path.read_text().replace("name: Engineer", "name: Chief engineer"))
    policy, people = in_force.load_proposed(house.governance.folder, house.state)
    for person in ("risk-officer", "second"):
        signer = keys.make_signer(keys.load_private_key(house.state / "keys" / person))
        adoption_signing.sign_adoption(house.ledger, house.root_of_trust, policy, people, signer)
    house.governance = in_force.load_in_force(house.governance.folder, house.state, house.ledger)


def _vault(house: House) -> dict[str, Any]:
    opened = vault.open_vault(house.state)
    secrets = [TokenValue(make_token("name", name, opened.keys.tokens), name) for name in NAMES]
    opened.add_values(secrets)
    return {"vault": {secret.token: secret.value for secret in secrets}}


def _lineage(house: House) -> dict[str, Any]:
    tokens = [make_token("name", name, vault.open_vault(house.state).keys.tokens) for name in NAMES]
    of = IndexedSource(id="tickets", sha256="1" * 64, owner="owner", steward="owner")
    about = tables.IndexedDataset(sha256="d" * 64, use_case=NAME, sources=(of,), rows={"train": 1, "test": 1})
    records = [IndexedRecord(tables.record_key(one), "tickets", row, side) for row, (one, side) in enumerate(zip(
        RECORDS, ("train", "test"), strict=True), start=1)]  # fmt: skip
    mentions = [Mention(tables.subject_key(t), record.key) for t, record in zip(tokens, records, strict=True)]
    indexing.write_index(house.state, about, records, mentions)
    with tables.open_for_writing(house.state) as connection:
        connection.execute(RUNS.insert(), {"dataset": 1, "run": "run-1"})
    return {"dataset": about.sha256, "records": list(RECORDS), "subjects": tokens}


def _keep(house: House, target: Path, facts: dict[str, Any]) -> None:
    state, ledger = target / "state", house.ledger
    for name in ("ledger.db", vault.VAULT_FILE, "lineage.db"):
        (state / name).parent.mkdir(exist_ok=True)
        copy_database(house.state / name, state / name)
        with sqlite3.connect(state / name) as database:
            database.execute("PRAGMA page_size=1024")  # most pages of the usual size would be empty
            database.execute("VACUUM")
        database.close()
    for path in [*(house.state / "keys").glob("*.pub"), house.state / "keys" / "vault"]:
        write_bytes(state / "keys" / path.name, path.read_bytes())
    for folder in ("heads", "releases", "bases"):
        shutil.copytree(house.state / folder, state / folder, ignore=shutil.ignore_patterns(".*"))
    shutil.copytree(house.governance.folder, target / "governance")
    export.export_ledger(ledger, house.governance, target / "ledger.jsonl")
    write_bytes(target / "adoptions.json", canonical_json(list(house.governance.chain)))
    first = json.loads(min((house.state / "heads").glob("*.json")).read_bytes())
    proofs = {
        "inclusion": ledger_proof.prove_inclusion(ledger, house.governance, 1),
        "consistency": ledger_proof.prove_consistency(ledger, house.governance, first),
    }
    for name, proof in proofs.items():
        write_bytes(target / f"{name}.json", canonical_json(proof.model_dump(mode="json")))
    ledger_key = keys.fingerprint((house.state / "keys" / "ledger.pub").read_text().strip())
    known = {
        "root": house.root_of_trust,
        "ledger_key": ledger_key,
        "entries": ledger.count_entries(),
        "champion": "triage-2",
    }
    write_json(target / "facts.json", known | facts)


if __name__ == "__main__":
    make(GOLDEN / sys.argv[1])
